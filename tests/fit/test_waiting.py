"""A climb that only the penalty holds up waits, and goes on where no other is as high."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mixtura.data.rows import Rows
from mixtura.families.gaussian.covariance import structure
from mixtura.families.gaussian.family import Gaussian
from mixtura.fitting.climbs import SHORT, Climbs
from mixtura.fitting.mixture_fit import prepare
from mixtura.fitting.outcome import MERIT, Outcome, beaten
from mixtura.models.mixture_params import MixtureParams
from mixtura.solvers.auto import auto


@pytest.fixture(scope="module")
def climbed() -> tuple[Climbs, MixtureParams, MixtureParams]:
    """Climbs over two clouds; a start with a component on three rows, and one on both clouds."""
    rng = np.random.RandomState(0)
    X = np.concatenate([rng.normal(size=(150, 2)), [6.0, 0.0] + 1.5 * rng.normal(size=(150, 2))])
    X[:3] = [3.0, 5.0] + 1e-3 * X[:3]
    rows = Rows(X)
    ground = prepare(rows, Gaussian(structure("full")), 2, rng)
    climbs = Climbs(ground.model, rows, ground.open_sweep, 1e-6, 500, rng, auto)
    starts = []
    for chosen in (np.arange(300) < 3, np.arange(300) < 150):
        resp = np.column_stack([chosen, ~chosen]).astype(np.float64)
        starts.append(ground.model.first_step(X, None, resp, ground.maker.base))
    return climbs, starts[0], starts[1]


def test_a_climb_waits_only_where_the_penalty_holds_it_up(climbed: tuple) -> None:
    climbs, spike, regular = climbed
    begun = climbs.climb(spike, pause=True)
    assert begun.paused
    assert begun.floored
    assert begun.climb.iterations <= 2 * SHORT
    end, at_once = climbs.resumed(begun), climbs.climb(spike)
    assert not end.paused
    assert end.climb.objective == pytest.approx(at_once.climb.objective, rel=1e-8)
    assert end.climb.iterations > begun.climb.iterations
    assert not climbs.climb(regular, pause=True).paused


def test_it_need_not_go_on_where_a_regular_end_was_as_high_on_its_way(climbed: tuple) -> None:
    climbs, spike, regular = climbed
    begun, best = climbs.climb(spike, pause=True), climbs.climb(regular)
    steps = min(begun.climb.iterations, best.climb.iterations)
    met, rows = best.climb.logliks[steps], sum(part.count for part in begun.floored)

    def worth(value: float) -> Outcome:
        return replace(begun, worth=value)

    assert beaten(worth(met + MERIT * rows - 1e-6), best)
    assert not beaten(worth(met + MERIT * rows + 1e-6), best)
    # Beside an end that has spikes too nothing is asked beyond height.
    assert not beaten(worth(met + 1e-6), replace(best, spurious=begun.floored))
    # With many components it must be ahead of where a regular one ended.
    end = worth(best.worth + MERIT * rows - 1e-6)
    assert not beaten(end, best)
    assert beaten(end, best, many=True)
    assert not beaten(begun, None)
    assert not beaten(begun, begun)
