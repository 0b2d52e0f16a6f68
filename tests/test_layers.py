"""The house rules of `docs/architecture.md`: who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "mixtura"
LONGEST_FILE = 400

# Lowest first. A file may import lower layers and its own part; parts of one layer are strangers,
# but for the small files at the bottom.
LAYERS: tuple[tuple[str, ...], ...] = (
    (
        "homes",
        "records",
        "supports",
        "ranges",
        "coordinates",
        "schema",
        "printable",
        "errors",
        "result",
        "returned",
        "version",
    ),
    ("data",),
    ("store", "families"),
    ("models",),
    ("engines", "solvers"),
    ("fitting",),
    ("inference",),
    ("report", "exchange"),
    ("estimators", "testing"),
    ("selection",),
    ("lab",),
    ("cli",),
)
RANK = {part: rank for rank, layer in enumerate(LAYERS) for part in layer}
# Beyond the order: (part, what it must not import, why).
STRANGERS = (
    ("solvers", "engines", "algorithms are given a sweep"),
    ("solvers", "families", "algorithms see a model"),
    ("families", "models", "a family knows nothing of labels"),
)
# `mixtura/__init__.py` and `__main__.py` only name what the layers hold.
FACES = ("mixtura", "mixtura.__main__")


def module_name(path: Path) -> str:
    parts = ("mixtura", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(module: str) -> set[str]:
    """The mixtura modules that a module imports: at its top, in a function, or for its types."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import; write the whole name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in FILES else str(node.module))
    return {name for name in found if name.split(".")[0] == "mixtura"}


def part_of(module: str) -> str:
    return module.split(".")[1]


LAYERED = [module for module in FILES if module not in FACES]


def test_every_part_of_the_package_has_a_layer():
    assert {part_of(module) for module in LAYERED} <= set(RANK)


@pytest.mark.parametrize("module", LAYERED)
def test_a_module_imports_only_lower_layers(module):
    mine = part_of(module)
    for other in sorted(imports(module)):
        assert other not in FACES or mine == "cli", f"{module} imports the package's face, {other}"
        if other in FACES or part_of(other) == mine or RANK[mine] == RANK[part_of(other)] == 0:
            continue
        assert RANK[part_of(other)] < RANK[mine], f"{module} imports {other}, which lies above it"


@pytest.mark.parametrize(("part", "stranger", "why"), STRANGERS)
def test_strangers_by_rule(part, stranger, why):
    for module in LAYERED:
        if part_of(module) == part:
            met = [other for other in imports(module) if other.startswith(f"mixtura.{stranger}")]
            assert not met, f"{module} imports {met}: {why}"


def test_no_modules_import_each_other_in_a_circle():
    # The face names all that the layers hold, and what it names is asked for later.
    graph = {module: imports(module) - {module} for module in LAYERED}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_no_c_headers_include_each_other_in_a_circle():
    files = {path.name: path for path in PACKAGE.rglob("*.[ch]")}
    include = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.MULTILINE)
    graph = {name: set(include.findall(path.read_text())) for name, path in files.items()}
    assert any(graph.values())
    assert set().union(*graph.values()) <= set(files)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


@dataclass(frozen=True)
class Known:
    """A family, and who names it outside its own files.

    `own` begin the paths of its files; `word` is what an identifier that names it holds, and
    `attribute` what an attribute alone says; `others` may name it, and of the files below `rooms`
    at most so many.
    """

    own: tuple[str, ...]
    word: re.Pattern[str]
    attribute: str
    others: frozenset[str]
    rooms: dict[str, int]


KNOWN = {
    "gaussian": Known(
        (
            "families/gaussian",
            "families/gaussian/chart.py",
            "families/gaussian/covariance.py",
            "families/gaussian/forms.py",
            "families/gaussian/matrices.py",
            "families/gaussian/prior.py",
            "families/gaussian/triangular.py",
            "families/gaussian/variances.py",
            "engines/gaussian/",
        ),
        re.compile(
            r"Gaussian(?!Mixture|HMM)|[Cc]ovariance|^Structure$|(families|engines)\.gaussian\b"
        ),
        "form",
        frozenset(
            # The registry, the kernel table, and what all families and supports have.
            (
                "families/registry.py",
                "engines/kernels.py",
                "families/base.py",
                "families/portrait.py",
                "supports.py",
            )
        )
        | {
            # Factors make covariances.
            "families/factor/family.py",
            "families/factor/records.py",
            "families/factor/structure.py",
            # The matrices of heavy tails are covariances of rows that are weighed.
            *(
                f"families/heavy/{name}.py"
                for name in ("chart", "family", "intervals", "prior", "records")
            ),
            *(f"families/student/{name}.py" for name in ("family", "intervals", "records")),
            *(
                f"families/contaminated/{name}.py"
                for name in ("family", "intervals", "records", "tails")
            ),
            # A table has a covariance whatever is fitted to it.
            "data/moments.py",
            "data/survey.py",
            # Commands name covariance structures.
            *(f"cli/{name}.py" for name in ("made_of", "select", "show")),
            "solvers/contrast_noise.py",
            # A module of PyTorch tells its covariances.
            "exchange/network.py",
            # A start by round groups, whatever the components are.
            "fitting/spheres.py",
            # What the theorems are about.
            "lab/singularity.py",
            "lab/unit_gaussians.py",
            # Asked of fitted normal mixtures alone.
            *(
                f"inference/{name}.py"
                for name in (
                    "agreement",
                    "compare",
                    "conditioning",
                    "distances",
                    "divergence",
                    "gaussians",
                    "goodness",
                    "line",
                    "modes",
                    "nesting",
                    "regions",
                )
            ),
        },
        # `StudentMixture`, in shortcuts, and two files of hidden Markov models have a
        # covariance_type; the posterior of Gaussian components has three files, and so have other
        # packages' mixtures.
        {"estimators": 22, "selection": 7, "report": 2},
    ),
    "factor": Known(
        ("families/factor/",),
        re.compile(r"FactorAnaly|^Factor[A-Z]|(^|_)factor(s|ed)($|_)|families\.factor\b"),
        "factors",
        frozenset(
            {
                "families/registry.py",
                "families/gaussian/covariance.py",
                "__init__.py",
                "cli/made_of.py",
            }
        ),
        {"estimators": 8, "selection": 3},
    ),
}


def naming(known: Known) -> list[str]:
    """The files outside a family's own that name it in their code: not in words, not in strings."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        if not place.startswith(known.own) and _names(path, known):
            found.append(place)
    return found


def _names(path: Path, known: Known) -> bool:
    said: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name("ctypes")):
                continue
            case ast.Attribute(attr=name) if name == known.attribute:
                return True
            case ast.Attribute(attr=name) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                said.add(name)
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                said.add(name)
            case ast.Import(names=aliases):
                said |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases):
                said |= {alias.name for alias in aliases}
                said |= {f"{module}.{alias.name}" for alias in aliases}
            case ast.Name(id=name):
                said.add(name)
    return any(known.word.search(name) for name in said)


@pytest.mark.parametrize("family", KNOWN)
def test_few_know_a_family_beside_itself(family):
    known = KNOWN[family]
    met = naming(known)
    elsewhere = {place for place in met if place.split("/")[0] not in known.rooms}
    assert elsewhere <= known.others, f"{sorted(elsewhere - known.others)} name {family}"
    for room, most in known.rooms.items():
        inside = [place for place in met if place.startswith(f"{room}/")]
        assert len(inside) <= most, f"{len(inside)} files name {family}, {most} did: {inside}"


def loaded_by(statement: str) -> set[str]:
    """The top-level packages in memory after a statement in a fresh process."""
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_mixtura_is_light():
    # Rich is not in this list: `report.text` needs it, and scikit-learn may load it anyway.
    heavy = {"matplotlib", "pyarrow", "pandas", "polars", "torch", "onnx", "dask", "typer", "numba"}
    loaded = loaded_by("import mixtura")
    assert not heavy & loaded - loaded_by("import sklearn.mixture")
    assert not {"matplotlib", "typer", "numba"} & loaded


def test_a_family_of_independent_columns_is_one_screen_and_one_line() -> None:
    path = PACKAGE / "families" / "poisson.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    named = [
        str(other.relative_to(PACKAGE))
        for other in PACKAGE.rglob("*.py")
        if "families.poisson" in other.read_text(encoding="utf-8")
    ]
    assert named == ["homes.py"]


@pytest.mark.parametrize("pattern", ["*.py", "*.c", "*.h"])
def test_no_file_is_too_long_to_read(pattern):
    too_long = {
        str(path.relative_to(PACKAGE)): lines
        for path in PACKAGE.rglob(pattern)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST_FILE
    }
    assert not too_long
