"""scikit-learn's checks of what every estimator must do."""

from __future__ import annotations

import pytest
from sklearn.utils.estimator_checks import check_estimator

from mixtura import GaussianMixture

SETTINGS = [
    {},
    *({"covariance_type": name} for name in ("full", "tied", "diag", "spherical")),
    # Not "full" with two components: one check has 15 rows of 30 columns, where rounding decides.
    *({"covariance_type": name, "n_components": 2} for name in ("tied", "diag", "spherical")),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_check_estimator(settings):
    checks = check_estimator(GaussianMixture(**settings), on_fail=None)
    failed = {c["check_name"]: c["exception"] for c in checks if c["status"] == "failed"}
    assert not failed
    assert sum(c["status"] == "passed" for c in checks) >= 47
