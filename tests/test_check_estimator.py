"""scikit-learn's checks of what every estimator must do."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import check_estimator

from mixtura import GaussianMixture

TYPES = ("full", "tied", "diag", "spherical")
SETTINGS = [
    {},
    *({"covariance_type": name, "n_components": K} for K in (1, 2) for name in TYPES),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_check_estimator(settings):
    checks = check_estimator(GaussianMixture(**settings), on_fail=None)
    failed = {c["check_name"]: c["exception"] for c in checks if c["status"] == "failed"}
    assert not failed
    assert sum(c["status"] == "passed" for c in checks) >= 46
