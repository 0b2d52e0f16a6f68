"""The Gaussian's penalty against collapse, for the scale matrices of t components."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mixtura.families.gaussian.prior import CovariancePrior
from mixtura.families.priors import Prior
from mixtura.families.student.records import StudentParams, with_gaussian
from mixtura.records import Array, Spike


@dataclass(frozen=True)
class StudentPrior(Prior):
    """`CovariancePrior` of the scales; degrees of freedom have none."""

    gaussian: CovariancePrior

    @property
    def count_scale(self) -> float:  # type: ignore[override]
        return self.gaussian.count_scale

    @property
    def monotone(self) -> bool:
        return self.gaussian.monotone

    @property
    def penalised(self) -> bool:
        return self.gaussian.penalised

    def without_penalty(self) -> StudentPrior:
        return replace(self, gaussian=self.gaussian.without_penalty())

    def log_prior(self, params: StudentParams) -> float:
        return self.gaussian.log_prior(params.gaussian)

    def score(self, params: StudentParams) -> dict[str, Array]:
        found = self.gaussian.score(params.gaussian)
        return {"scales": found["covariances"]} if found else {}

    def obstacle(self) -> str:
        return self.gaussian.obstacle()

    def refuse_collapse(self, params: StudentParams, counts: Array) -> None:
        self.gaussian.refuse_collapse(params.gaussian, counts)

    def narrow(self, params: StudentParams, counts: Array, stats: Any = None) -> list[Spike]:
        own = None if stats is None else stats.weighed
        return self.gaussian.narrow(params.gaussian, counts, own)

    def constant(
        self, params: StudentParams, counts: Array
    ) -> dict[int, tuple[tuple[int, float], ...]]:
        return self.gaussian.constant(params.gaussian, counts)

    def sobered(self, params: StudentParams, counts: Array, narrow: list[int]) -> StudentParams:
        return with_gaussian(params, self.gaussian.sobered(params.gaussian, counts, narrow))

    def smoothed(self, params: StudentParams) -> StudentParams:
        return with_gaussian(params, self.gaussian.smoothed(params.gaussian))
