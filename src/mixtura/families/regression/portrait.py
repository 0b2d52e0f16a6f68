"""What reports and figures show of regressions: coefficients, and a line for each component."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mixtura.families.design import Design
from mixtura.families.portrait import Column, Lines, Portrait
from mixtura.families.regression.records import Coefficients, Dispersed
from mixtura.families.regression.terms import Terms
from mixtura.records import Array

COEFFICIENTS = "Coefficients in each group"
WIDTHS = {"gaussian": "residual sd", "gamma": "dispersion"}


def portrait(family: Terms, params: Coefficients, weights: Array, names: Sequence[str]) -> Portrait:
    """That of these components; `names` are the table's columns."""
    d = len(names)
    columns, target = family.columns(d), family.target % d
    slopes = params.coefficients[:, family.intercept :]
    link = {"gaussian": "", "binomial": " (log odds)"}.get(family.response, " (logarithms)")
    caption = f"{COEFFICIENTS}{link}; below {names[target]}: {_head(family, params)}."

    def column(j: int) -> Column:
        if j == target:
            return Column(names[j], "density", _own(family, params), caption)
        if j in columns:
            own = slopes[:, columns.index(j)]
            note = "common" if j in family.common and len(weights) > 1 else ""
            return Column(names[j], "density", tuple(f"{b:.4g}" for b in own), caption, note)
        word = {family.offset: "offset", family.trials: "trials"}.get(j, "–")
        return Column(names[j], "density", (word,) * len(weights), caption)

    tells = np.zeros(d)
    tells[target] = 3.0
    apart = _apart(family.design, slopes, weights)
    tells[list(columns)] = 1.0 + apart / max(float(apart.max(initial=0.0)), 1e-300)
    lines = None if family.design is None or not columns else _lines(family, params, columns, apart)
    return Portrait("Regression", family.law.words, tells, column, lines=lines)


def _head(family: Terms, params: Coefficients) -> str:
    told = ["intercept"] if family.intercept else []
    if isinstance(params, Dispersed):
        told.append(WIDTHS[family.response])
    return ", ".join(told) or "nothing of its own"


def _own(family: Terms, params: Coefficients) -> tuple[str, ...]:
    """The intercept and the width of each component."""
    found = []
    for k, line in enumerate(params.coefficients):
        parts = [f"{line[0]:.4g}"] if family.intercept else []
        if isinstance(params, Dispersed):
            phi = float(params.dispersions[k])
            parts.append(f"{phi**0.5 if family.response == 'gaussian' else phi:.4g}")
        found.append(", ".join(parts) or "–")
    return tuple(found)


def _apart(design: Design | None, slopes: Array, weights: Array) -> Array:
    """How much the components differ in each covariate's effect, per deviation of it, (p,)."""
    unit = np.ones(slopes.shape[1]) if design is None else design.deviation
    return np.asarray(np.sqrt(weights @ (slopes - weights @ slopes) ** 2) * unit)


def _lines(family: Terms, params: Coefficients, columns: tuple[int, ...], apart: Array) -> Lines:
    """The expected response over the covariate in which components differ most."""
    design = family.seen()
    main = columns[int(np.argmax(apart))]
    middle = design.shares @ design.rows

    def curve(x: Array) -> Array:
        rows = np.repeat(middle[None], len(x), axis=0)
        rows[:, main] = x
        if family.trials is not None:
            rows[:, family.trials] = 1.0
        return family.expected(rows, params)

    return Lines(main, family.target % len(middle), curve, family.trials)
