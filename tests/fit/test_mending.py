"""Spikes of many components are moved elsewhere, and one that is narrow asks for no finer scale."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mixtura import DegenerateWarning, GaussianMixture
from mixtura.data.rows import Rows
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.fitting import mending, proposals
from mixtura.fitting.climbs import Climbs
from mixtura.fitting.mending import mended
from mixtura.fitting.mixture_fit import prepare
from mixtura.fitting.race import Race
from mixtura.fitting.removals import _alone
from mixtura.models.responsibilities import one_hot
from mixtura.records import Array
from mixtura.solvers.auto import EDGE

K, EACH = 12, 60


def clouds(n: int = K, each: int = EACH) -> tuple[Array, Array]:
    """(rows of n groups of unit variance, whose each is)."""
    labels = np.repeat(np.arange(n), each)
    centres = 12.0 * np.stack([labels % 6, labels // 6], axis=1)
    return centres + np.random.default_rng(0).normal(size=(len(labels), 2)), labels


def settled(X: Array, labels: Array, n: int) -> tuple[Any, Any]:
    """(what a search of these rows needs, the mixture of these groups)."""
    ground = prepare(Rows(X), Gaussian(structure("full")), n, np.random.RandomState(0))
    start = ground.model.first_step(X, None, one_hot(labels, n), ground.maker.base)
    return ground, start


def test_a_spike_is_moved_to_where_two_groups_are_one() -> None:
    X, labels = clouds()
    told = np.where(labels == 1, 0, labels)
    X[:3] = [3.0, 3.0] + 1e-4 * X[:3]
    told[:3] = 1
    ground, start = settled(X, told, K)
    race = Race(ground.maker, ground.open_sweep, 1e-6, np.random.RandomState(0), np.inf)
    found = mended(race, start, {1})
    assert found is not None
    assert race.moves == 1
    apart = np.abs(found.components.means[:, None] - X[[30, 90]]).max(axis=2).min(axis=0)
    assert apart.max() < 4.0
    assert race.further(found, None, 20).objective > race.further(start, None, 20).objective + 50


def test_of_many_components_one_asks_for_no_finer_scale() -> None:
    n = 64
    X, labels = clouds(n, 30)
    centres = X - np.random.default_rng(0).normal(size=X.shape)
    for narrow, asked in ((1, False), (n // 2, True)):
        thin = np.where((labels < narrow)[:, None], centres + 1e-4 * (X - centres), X)
        ground, start = settled(thin, labels, n)
        summary = ground.open_sweep(ground.model, Rows(thin))(start)
        assert (ground.model.finer(summary, start) is not None) == asked


def test_what_is_seen_of_few_rows_alone_is_what_all_rows_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    shares = np.exp(-rng.exponential(30, size=(40, 500)))
    shares, w = shares / shares.sum(axis=0), rng.random(500)
    plain = proposals._shared(w, shares)
    monkeypatch.setattr(proposals, "DENSE", 0)
    np.testing.assert_allclose(proposals._shared(w, shares), plain, atol=1e-5)
    lost = -(np.log(np.maximum(1.0 - shares, 1e-12)) @ w)
    np.testing.assert_allclose([_alone(row, w) for row in shares], lost, rtol=1e-9, atol=1e-9)


def test_a_default_fit_of_many_components_ends_without_spikes() -> None:
    X, _ = clouds()
    X[::EACH] = X[::EACH].round(3)
    X[1:4] = X[0] + 1e-3 * np.arange(1, 4)[:, None]
    fit = GaussianMixture(K, random_state=0).fit(X).fit_result_
    assert fit is not None
    assert fit.verdict == "interior maximum"
    assert all(each.verdict == "regular" for each in fit.standings)


@pytest.mark.filterwarnings("ignore::mixtura.estimators.complaints.DegenerateWarning")
def test_a_climb_that_failed_is_not_climbed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    starts: list[bytes] = []
    climbed = Climbs._climbed

    def counted(climbs: Climbs, model: Any, start: Any, *rest: Any, **named: Any) -> Any:
        if not model.penalised:
            starts.append(start.components.means.tobytes())
        return climbed(climbs, model, start, *rest, **named)

    monkeypatch.setattr(Climbs, "_climbed", counted)
    X = np.random.default_rng(1).normal(size=(60, 2))
    with pytest.warns(DegenerateWarning):
        fit = GaussianMixture(8, random_state=0).fit(X).fit_result_
    assert fit is not None
    assert fit.verdict == "boundary"
    assert len(set(starts)) == len(starts) > 1


def test_a_climb_that_stopped_at_an_edge_is_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be moved elsewhere it is climbed as others are, beyond the edge."""
    bare = Climbs.bare
    stopped: list[str] = []

    def at_edge(climbs: Climbs, start: Any, on_way: Any) -> Any:
        outcome = bare(climbs, start, on_way)
        stopped.append(EDGE)
        return replace(outcome, climb=replace(outcome.climb, converged=False, reason=EDGE))

    monkeypatch.setattr(Climbs, "bare", at_edge)
    monkeypatch.setattr(mending, "mended", lambda *_: None)
    fit = GaussianMixture(K, random_state=0).fit(clouds()[0]).fit_result_
    assert fit is not None
    assert stopped
    assert fit.converged, fit.reason
