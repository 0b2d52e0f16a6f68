"""Gaussian columns beside others: a block of a product that is known by its posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mixtura.data.moments import source_moments
from mixtura.data.survey import Survey
from mixtura.families.base import Settled
from mixtura.families.domain import BadRow
from mixtura.families.frames import Affine
from mixtura.families.gaussian.family import Gaussian
from mixtura.families.gaussian.held import held_in
from mixtura.families.gaussian.posterior import (
    GaussianPosterior,
    PosteriorGaussian,
    gaussian_posterior,
)
from mixtura.families.gaussian.records import GaussianParams, gaussian_params
from mixtura.families.gaussian.table_scale import table_scale
from mixtura.families.gaussian.wishart import NormalWishart
from mixtura.records import AnyArray, Array, Categories
from mixtura.supports import Positive, Support

# Structures in which each component has a covariance of its own, and no more.
OWN = ("full", "diag", "spherical", "VVV", "VVI", "VII")


@dataclass(frozen=True)
class NormalBlock(PosteriorGaussian):
    """E[log p(x | k)] under a Normal-Wishart posterior, in the block's own columns.

    The prior is that of `BayesianGaussianMixture` by default: the columns' mean, worth one row;
    d degrees of freedom; the columns' covariance.
    """

    names: tuple[str, ...] = ()

    @property
    def law(self) -> Gaussian:
        """The family of the rows."""
        return Gaussian(self.structure)

    def for_table(
        self, names: Sequence[str], categories: Categories, X: AnyArray | None
    ) -> NormalBlock:
        return replace(self, names=tuple(names))

    def refuse(self, X: AnyArray, names: Sequence[str]) -> None:
        super().refuse(X, names)
        if np.isnan(X).any():
            i, j = np.argwhere(np.isnan(X))[0]
            why = f"column {names[j]!r} has a gap"
            raise BadRow(why, int(i), ", and a posterior of normal columns takes none: fill it in")

    def settled(self, survey: Survey, K: int) -> Settled:
        source, form = survey.source, self.form
        table, names = source_moments(source), self.names or [f"x{j}" for j in range(source.d)]
        scale = table_scale(form, table, names)
        prior = NormalWishart(form, table.mean, 1.0, float(source.d), scale)
        held = held_in(table.covariance, table.mean, form).added
        frames = tuple(Affine(table.mean, B) for B in form.frames(table.covariance + held))
        return Settled(self, prior, prior.prior(K), frames)

    def prior_at(self, one: GaussianPosterior) -> NormalWishart:
        """The prior of which `one` is one component's."""
        freedom = float(one.freedom[0])
        scale = np.asarray(one.covariances[0] * freedom)
        return NormalWishart(self.form, one.means[0], float(one.mean_precision[0]), freedom, scale)

    def point(self, params: GaussianPosterior) -> GaussianParams:
        """The means, and the inverses of the mean precisions."""
        return gaussian_params(params.means, params.covariances, self.form)

    def supports(self) -> dict[str, Support]:
        return super().supports() | {"mean_precision": Positive(), "freedom": Positive()}

    def shapes(self, K: int, d: int) -> dict[str, tuple[int, ...]]:
        return super().shapes(K, d) | {"mean_precision": (K,), "freedom": (K,)}

    def params(self, arrays: Mapping[str, Array]) -> GaussianPosterior:
        means, freedom, d = arrays["means"], arrays["freedom"], arrays["means"].shape[1]
        if not freedom.min() > d - 1:
            raise ValueError(f"freedom has {freedom.min()}, which is not above {d - 1}")
        root = self.form.root_of(arrays["covariances"])
        return gaussian_posterior(means, root, self.form, arrays["mean_precision"], freedom)


def normal_block(law: Gaussian, asked: Any) -> NormalBlock:
    """That of a Gaussian law; ValueError where it, or its prior, is another than by default."""
    name = law.structure.name
    if name not in OWN:
        raise ValueError(
            f"family {name!r} has no conjugate prior as a block of a product: use one of "
            f"{', '.join(map(repr, OWN))}"
        )
    if asked is not None:
        raise ValueError(
            f"prior: {asked!r} was given for a block of family {name!r}, which has the default "
            "prior alone: give None"
        )
    if law != Gaussian(law.structure):
        raise ValueError(
            f"family {name!r} of a posterior takes no reg_covar, prior, limits or constraint of "
            "its own: leave them out"
        )
    return NormalBlock(law.structure)
