"""The objective in free coordinates: what an optimiser that knows nothing of mixtures sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mixtura.models.base import Model
from mixtura.records import NO_SHARE, Array, Chart, Summary
from mixtura.solvers.climb import objective_at
from mixtura.solvers.problem import SweepLike

# Points kept, those asked for last: an optimiser comes back to where it stands, and to the step it
# has just tried. With many columns each has matrices of its own.
REMEMBERED = 3


@dataclass(frozen=True)
class Point:
    """Parameters with all that one pass over the rows tells of them.

    free are the coordinates, value the objective (in total), gradient its slope per row.
    """

    free: Array
    params: Any
    summary: Summary
    value: float
    gradient: Array


@dataclass
class Charted:
    """The objective in the chart around `centre`; every new point costs one pass."""

    model: Model
    sweep: SweepLike
    chart: Chart
    centre: Point
    met: dict[bytes, Point] = field(default_factory=dict)

    @classmethod
    def around(cls, model: Model, sweep: SweepLike, params: Any, summary: Summary) -> Charted:
        """A new chart; `summary` is that of `params`, so no pass is spent."""
        chart = sweep.charted(model.chart(params))
        gradient = _gradient(model, chart, summary, params)
        value = objective_at(model, summary, params)
        centre = Point(np.zeros(chart.size), params, summary, value, gradient)
        return cls(model, sweep, chart, centre, {centre.free.tobytes(): centre})

    def at(self, free: Array) -> Point | None:
        """The point at these coordinates; None where there is no finite density."""
        key = free.tobytes()
        if key in self.met:
            self.met[key] = self.met.pop(key)
            return self.met[key]
        found = evaluated(self.model, self.sweep, lambda: self.chart.params(free))
        if found is None:
            return None
        params, summary, value = found
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            gradient = _gradient(self.model, self.chart, summary, params)
        if not np.isfinite(gradient).all():
            return None
        point = Point(free.copy(), params, summary, value, gradient)
        self.met[key] = point
        if len(self.met) > REMEMBERED:
            del self.met[next(iter(self.met))]
        return point

    @property
    def price(self) -> float:
        """How many passes `observed` is worth; infinite where no sweep tells it."""
        return self.sweep.information_price(self.centre.params)

    def observed(self, least: float = NO_SHARE) -> Array:
        """The observed information per row at the centre, in one look at the rows.

        Of a component of which a row has a smaller share than the `least` it knows nothing.
        """
        params, summary = self.centre.params, self.centre.summary
        lost = self.sweep.information_lost(params, least)
        found = self.chart.observed(summary, params, lost)
        found /= summary.weight
        return found


def evaluated(
    model: Model, sweep: SweepLike, made: Callable[[], Any]
) -> tuple[Any, Summary, float] | None:
    """(the parameters made, their summary, the objective); None where it is not finite."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        try:
            params = made()
            if not all(np.isfinite(value).all() for value in params.arrays().values()):
                return None
            summary = sweep(params)
            value = objective_at(model, summary, params)
        except (ArithmeticError, ValueError):
            return None
    return (params, summary, value) if math.isfinite(value) else None


def _gradient(model: Model, chart: Chart, summary: Summary, params: Any) -> Array:
    """Per row; zeros, which nobody looks at, for a model without a score."""
    if not model.scored:
        return np.zeros(chart.size)
    return chart.gradient(summary, params) / summary.weight
