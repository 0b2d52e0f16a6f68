"""An end with fewer components than were asked for is not preferred for being no spike."""

import warnings

import numpy as np
import pytest

from mixtura import GaussianMixture


@pytest.mark.parametrize("seed", [500, 502, 506, 511])
def test_three_groups_of_five_rows_are_not_one_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.arange(15) % 3
    X = (rng.normal(size=(3, 6)) * 3)[truth] + rng.normal(size=(15, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = GaussianMixture(3, random_state=seed - 500).fit(X)
    found = mixture.fit_result_
    assert not found.empty
    assert len(set(mixture.predict(X))) == 3
    # One group, where starts by exchange end, is tens of nats lower.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        single = GaussianMixture(1).fit(X).fit_result_
    assert found.loglik > single.loglik + 10.0


def test_a_start_that_lost_its_components_is_no_sound_one() -> None:
    rng = np.random.default_rng(9015)
    rng.integers(9, size=3)
    means = rng.normal(size=(3, 6)) * rng.uniform(1, 3)
    shapes = rng.normal(size=(3, 6, 6)) * 0.5 + np.eye(6)
    truth = rng.integers(3, size=30)
    X = means[truth] + np.einsum("nij,nj->ni", shapes[truth], rng.normal(size=(30, 6)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = GaussianMixture(3, random_state=0).fit(X)
    assert not mixture.fit_result_.empty
