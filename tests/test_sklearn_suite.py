"""scikit-learn's own tests of its mixtures, run on ours.

Which of them do not pass unchanged, and why, is told in `docs/migrating.md` and `docs/bayes.md`;
here the list is checked: all others pass, and those listed do fail.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import pytest
import sklearn

# Class -> the module of its tests, and how many pass at least.
SUITES = {
    "GaussianMixture": ("sklearn.mixture.tests.test_gaussian_mixture", 50),
    "BayesianGaussianMixture": ("sklearn.mixture.tests.test_bayesian_mixture", 16),
}
# Test function -> why it cannot pass.
DOCUMENTED: dict[str, dict[str, str]] = {
    "GaussianMixture": {
        "test_gaussian_mixture_precisions_init": "calls the private method _initialize",
        "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters": (
            "counts calls of a private function of scikit-learn"
        ),
        "test_monotonic_likelihood": "wants convergence where the optimum is not reached",
    },
    "BayesianGaussianMixture": {
        "test_compare_covar_type": "calls the private methods _check_parameters and _m_step",
    },
}
if sklearn.__version__.startswith("1.6."):
    DOCUMENTED["GaussianMixture"]["test_regularisation"] = "expects the wording of an error in 1.6"
SWAP = """\
import sklearn.mixture
from mixtura import {0}

sklearn.mixture.{0} = {0}
"""


@cache
def outcomes(kind: str) -> dict[str, str]:
    """Test name with its parameters -> "passed", "skipped" or the account of its failure."""
    suite = SUITES[kind][0]
    if importlib.util.find_spec("sklearn.mixture.tests") is None:
        pytest.skip("the installed scikit-learn ships no tests")
    if importlib.util.find_spec(suite) is None:
        pytest.skip(f"the installed scikit-learn has no {suite}")
    with tempfile.TemporaryDirectory() as folder:
        return _run(Path(folder), suite, SWAP.format(kind))


def _run(folder: Path, suite: str, swap: str) -> dict[str, str]:
    (folder / "swapped.py").write_text(swap)
    (folder / "pytest.ini").write_text("[pytest]\n")
    report = folder / "report.xml"
    search_path = os.pathsep.join([str(folder), *(part for part in sys.path if part)])
    # Without the variable that asks for array API tests: they need arrays of other libraries.
    environment = {key: os.environ[key] for key in os.environ if key != "SCIPY_ARRAY_API"}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--pyargs", suite, "-p", "swapped"),
            *("-p", "no:cacheprovider", "-p", "no:randomly", "-W", "default", "-q"),
            *("-c", str(folder / "pytest.ini"), "--rootdir", str(folder)),
            f"--junitxml={report}",
        ],
        cwd=folder,
        env={**environment, "PYTHONPATH": search_path},
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return {
        str(case.get("name")): outcome(case)
        for case in ElementTree.parse(report).getroot().iter("testcase")
    }


def outcome(case: ElementTree.Element) -> str:
    bad = [part for part in case if part.tag in ("failure", "error")]
    if bad:
        return f"{bad[0].get('message')}\n{bad[0].text}"
    return "skipped" if case.find("skipped") is not None else "passed"


def function(name: str) -> str:
    return name.partition("[")[0]


@pytest.mark.parametrize("kind", SUITES)
def test_all_but_the_documented_tests_pass(kind):
    found, known = outcomes(kind), DOCUMENTED[kind]
    failed = {name: said for name, said in found.items() if said not in ("passed", "skipped")}
    unexpected = {name: said for name, said in failed.items() if function(name) not in known}
    assert not unexpected, "\n\n".join(f"{name}: {said}" for name, said in unexpected.items())
    assert sum(said == "passed" for said in found.values()) >= SUITES[kind][1]


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in SUITES for name in sorted(DOCUMENTED[kind])]
)
def test_the_documented_tests_do_fail(kind, name):
    met = {said for case, said in outcomes(kind).items() if function(case) == name}
    if met:
        assert met - {"skipped"}, f"{name} was not run"
        assert "passed" not in met, f"{name} passes now: take it off the lists"
