"""The pages say what is so: their examples run, their links lead somewhere, their names exist."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import mixtura

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "mixtura"
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FIRST_COMMAND = "pip install uv && uv run mixtura fit examples/faithful.csv"
TEST_COMMAND = "pip install uv && uv run pytest -n 2"

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FILE_NAME = re.compile(r"`([\w./-]+\.(?:py|c|h|md|toml|csv))`")
# What needs a package that the test command does not install.
OPTIONAL = {
    "docs/dask.md": "dask",
    "docs/torch.md": "torch",
    "mixtura.data.dask_blocks": "dask",
    "mixtura.data.dask_sequences": "dask",
    "mixtura.data.dask_source": "dask",
    "mixtura.exchange.network": "torch",
    "mixtura.exchange.tree": "arviz_base",
}
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
]


def page_id(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def python_only(page: str) -> str:
    """A page with every line outside its Python blocks made empty: line numbers stay true."""
    lines, inside, out = page.split("\n"), False, []
    for line in lines:
        if line.startswith("```"):
            inside = not inside and line == "```python"
            out.append("")
        else:
            out.append(line if inside else "")
    return "\n".join(out)


def run_examples(test: doctest.DocTest) -> int:
    """Run the examples, failing with doctest's own account; how many there were."""
    account: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS, verbose=False)
    runner.run(test, out=account.append)
    assert not runner.failures, "".join(account)
    return len(test.examples)


def skip_without_its_package(name: str) -> None:
    if name in OPTIONAL:
        pytest.importorskip(OPTIONAL[name], reason=f"{OPTIONAL[name]} is not installed")


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_examples_on_the_page(path, monkeypatch):
    skip_without_its_package(page_id(path))
    monkeypatch.chdir(ROOT)
    text = python_only(path.read_text(encoding="utf-8"))
    test = doctest.DocTestParser().get_doctest(text, {}, page_id(path), str(path), 0)
    assert (run_examples(test) > 0) == (">>>" in text)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, monkeypatch):
    skip_without_its_package(name)
    monkeypatch.chdir(ROOT)
    for test in doctest.DocTestFinder().find(importlib.import_module(name), name):
        run_examples(test)


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_relative_links_lead_somewhere(path):
    for target in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        if "://" in target:
            continue
        file, _, heading = target.partition("#")
        page = (path.parent / file) if file else path
        assert page.exists(), f"{target} does not exist"
        if heading:
            assert heading in anchors(page), f"{target}: no such heading"


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be reached."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("path", PAGES, ids=page_id)
def test_files_that_are_named_exist(path):
    places = (ROOT, PACKAGE, path.parent)
    named = FILE_NAME.findall(FENCE.sub("", path.read_text(encoding="utf-8")))
    lost = [name for name in named if not any((place / name).exists() for place in places)]
    assert not lost


@pytest.mark.parametrize("command", [FIRST_COMMAND, TEST_COMMAND])
def test_the_readme_has_the_commands_that_ci_runs(command):
    assert command in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert f"step {command.removeprefix('pip install uv && ')}" in script


def test_the_readme_shows_what_the_first_command_prints(tmp_path):
    shown = next(
        block[2].splitlines()
        for block in FENCE.finditer((ROOT / "README.md").read_text(encoding="utf-8"))
        if "groups in 272 rows" in block[2]
    )
    table = ROOT / "examples" / "faithful.csv"
    command = [sys.executable, "-m", "mixtura", "fit", str(table)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    printed = done.stdout.splitlines()
    assert (tmp_path / "faithful.model.json").exists()
    assert (tmp_path / "faithful.png").exists()
    # What follows the covariance tells how the climb went, and its last digits are the machine's.
    steady = next(i for i, line in enumerate(shown) if line.startswith("  covariance")) + 1
    assert printed[:steady] == shown[:steady]
    assert [line[:17] for line in printed[steady:]] == [line[:17] for line in shown[steady:]]


def test_migrating_names_every_constructor_parameter():
    page = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `(\w+)`", page, re.M))
    assert set(mixtura.GaussianMixture().get_params()) <= rows


def test_model_file_names_every_field():
    page = (ROOT / "docs" / "model-file.md").read_text(encoding="utf-8")
    from mixtura.estimators.document import ARRAYS, SCALARS
    from mixtura.records import Equation, Spike
    from mixtura.result import HELD, StartReport

    records = (mixtura.Fit, StartReport, Spike, Equation)
    names = {*ARRAYS, *SCALARS, *(f.name for record in records for f in fields(record))}
    assert not {name for name in names - {*HELD} if f"`{name}`" not in page}
