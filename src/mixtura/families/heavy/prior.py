"""The Gaussian's penalty against collapse, for the matrices of components with heavy tails."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.heavy.records import HeavyParams, with_gaussian
from mixtura.families.priors import Prior
from mixtura.records import AnyArray, Array, Spike


@dataclass(frozen=True)
class HeavyPrior(Prior):
    """`CovariancePrior` of the parameter that is called `matrices`; the others have none.

    Weights have a Dirichlet law, alpha - 1 = `weight_rows`, where one was `asked` for.
    """

    gaussian: CovariancePrior
    matrices: str
    weight_rows: float = 0.0
    asked: bool = False

    @property
    def count_scale(self) -> float:  # type: ignore[override]
        return self.gaussian.count_scale

    @property
    def common(self) -> bool:  # type: ignore[override]
        return self.gaussian.common

    @property
    def monotone(self) -> bool:
        return self.gaussian.monotone

    @property
    def penalised(self) -> bool:
        return self.gaussian.penalised

    def without_penalty(self) -> HeavyPrior:
        return replace(self, gaussian=self.gaussian.without_penalty())

    def log_prior(self, params: HeavyParams) -> float:
        return self.gaussian.log_prior(params.gaussian)

    def score(self, params: HeavyParams) -> dict[str, Array]:
        found = self.gaussian.score(params.gaussian)
        return {self.matrices: found["covariances"]} if found else {}

    def obstacle(self) -> str:
        return self.gaussian.obstacle()

    def refuse_collapse(self, params: HeavyParams, counts: Array) -> None:
        self.gaussian.refuse_collapse(params.gaussian, counts)

    def spread(self, params: HeavyParams) -> Array:
        return self.gaussian.spread(params.gaussian)

    def upheld(self, params: HeavyParams, counts: Array) -> AnyArray:
        return self.gaussian.upheld(params.gaussian, counts)

    def width(self, params: HeavyParams) -> int:
        return self.gaussian.width(params.gaussian)

    def narrow(self, params: HeavyParams, counts: Array, stats: Any = None) -> list[Spike]:
        own = None if stats is None else stats.weighed
        return self.gaussian.narrow(params.gaussian, counts, own)

    def constant(
        self, params: HeavyParams, counts: Array
    ) -> dict[int, tuple[tuple[int, float], ...]]:
        return self.gaussian.constant(params.gaussian, counts)

    def sobered(self, params: HeavyParams, counts: Array, narrow: list[int]) -> HeavyParams:
        found: HeavyParams = with_gaussian(
            params, lambda own: self.gaussian.sobered(own, counts, narrow)
        )
        return found

    def smoothed(self, params: HeavyParams) -> HeavyParams:
        found: HeavyParams = with_gaussian(params, self.gaussian.smoothed)
        return found
