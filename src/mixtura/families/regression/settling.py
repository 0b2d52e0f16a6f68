"""A regression and its table: units of the covariates, one regression to all rows, the prior."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mixtura.data.survey import Survey
from mixtura.families.base import Settled
from mixtura.families.design import design
from mixtura.families.frames import Frame
from mixtura.families.priors import Flat
from mixtura.families.regression.climbing import begun, climbed
from mixtura.families.regression.prior import residual_prior
from mixtura.families.regression.records import Dispersed
from mixtura.families.regression.starts import frames
from mixtura.families.regression.terms import Terms


def settle(family: Terms, survey: Survey, K: int) -> Settled:
    """The family with the table's coordinates, and K times one regression to all of it.

    ValueError where a covariate says nothing new, or the response leaves nothing to explain.
    """
    family.refuse_source(survey.source)
    found = design(
        survey.sample, family.columns(survey.source.d), family.intercept, "the regression's"
    )
    family = replace(family, design=found)
    X = np.asarray(survey.sample.X, dtype=np.float64)
    w = np.ones(len(X)) if survey.sample.sample_weight is None else survey.sample.sample_weight
    y, trials, _ = family.answers(X)
    if len(X) == survey.source.n and family.law.bare(y, trials):
        raise ValueError(
            f"family='regression': a {family.response} response that is {y[0]:g} in every row "
            "leaves nothing to explain: its likelihood has no maximum"
        )
    one = climbed(family, X, w[:, None], begun(family, X, w))
    prior: Any = Flat()
    if family.dispersion is not None and isinstance(one, Dispersed):
        whole = float(family.dispersion.deviance(one.dispersions)[0])
        least = family.law.least(y, w / w.sum())
        prior = residual_prior(survey, whole, least, found.size, family.dispersion)
    base = family.record(**{n: np.repeat(a, K, axis=0) for n, a in one.arrays().items()})
    made: tuple[Frame, ...] = frames(family, one)
    return Settled(family, prior, base, made)
