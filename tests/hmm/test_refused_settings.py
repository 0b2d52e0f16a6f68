"""Settings of chains that would say nothing, or cannot be: one sentence each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mixtura import HiddenMarkov
from mixtura.families.mixed import MixtureOf

X = np.random.default_rng(0).normal(size=(60, 1))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"max_duration": 5}, "max_duration=5 is for a law"),
        ({"initial": "stationary", "topology": "linear"}, "state 0 is never come back to"),
        ({"initial": "stationary", "topology": "left-right"}, "state 0 is never come back to"),
        ({"transitions": [[1, -1], [1, 1]]}, "entry 0, 1 .* is -1"),
        ({"transitions": [[1, 1], [np.nan, 1]]}, "entry 1, 0 .* is nan"),
    ],
)
def test_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        HiddenMarkov("diag", 2, **asked).fit(X)


def test_stays_are_no_longer_than_the_longest_sequence() -> None:
    found = HiddenMarkov("diag", 2, durations="poisson", max_duration=10**7).fit(X, [40, 20])
    assert found.durations_.shape == (2, 40)


def test_no_mixture_of_mixtures() -> None:
    with pytest.raises(ValueError, match="MixtureOf: family is a mixture of 2"):
        MixtureOf(MixtureOf("diag", 2), 2)


def test_two_states_with_lengths_leave_covariates_nothing_to_say() -> None:
    """Each goes on to the other, whatever they are."""
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(ValueError, match="covariates with durations: each state goes on to one"):
        HiddenMarkov("diag", 2, durations="poisson", covariates=[1]).fit(X)
