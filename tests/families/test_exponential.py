"""The exponential family: units, and what has no density."""

from __future__ import annotations

import numpy as np
import pytest
from whole_fit import fitted

from mixtura.families.exponential import Exponential

RNG = np.random.default_rng(0)
X = RNG.exponential(np.where(RNG.uniform(size=(400, 1)) < 0.5, [[1.0, 30.0]], [[20.0, 2.0]]))


def test_means_move_with_the_units() -> None:
    scale = np.array([1e-9, 1e12])
    one, two = fitted("exponential", X, 2), fitted("exponential", X * scale, 2)
    apart = len(X) * np.log(scale).sum()
    assert two.fit.loglik + apart == pytest.approx(one.fit.loglik, abs=1e-4)
    np.testing.assert_allclose(
        np.sort(two.params.components.means / scale, axis=0),
        np.sort(one.params.components.means, axis=0),
        rtol=1e-4,
    )
    assert one.fit.verdict == two.fit.verdict == "interior maximum"


@pytest.mark.parametrize("value", [0.0, -1.0, np.inf])
def test_what_is_not_positive_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"numbers above 0, and column 'wait' holds .* in row 1"):
        Exponential().refuse(np.array([[1.0], [value]]), ["wait"])
