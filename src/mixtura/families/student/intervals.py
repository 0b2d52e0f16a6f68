"""t components of one column, of some of whose rows only an interval is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mixtura.families.gaussian.records import GaussianStatistics
from mixtura.families.heavy.intervals import Ends, summed
from mixtura.families.student.records import StudentParams, StudentStatistics
from mixtura.families.truncated_student import StudentWithin, student_within
from mixtura.records import Array


@dataclass(frozen=True)
class StudentBetween:
    """Probabilities of intervals, and expected sums there."""

    rows: Ends
    params: StudentParams

    @cached_property
    def known(self) -> list[StudentWithin]:
        """What each component says of the intervals."""
        own = zip(self.rows.lower, self.rows.upper, self.rows.width, strict=True)
        degrees = map(float, self.params.degrees_of_freedom)
        return [student_within(*ends, nu) for ends, nu in zip(own, degrees, strict=True)]

    @property
    def log_density(self) -> Array:
        """log P of each row's interval, (n, K)."""
        return self.rows.by_row([told.log_p for told in self.known])

    def statistics(self, resp: Array) -> StudentStatistics:
        """The expected sums at these responsibilities."""
        form, by = self.params.gaussian.form, self.rows.shared(resp)
        each = list(zip(by, self.known, strict=True))
        # u y and u y^2 weigh what they are: the sum of weights is one of u itself.
        _, first, seconds = summed(form, ((r, told.first, told.second) for r, told in each))
        weights, logs = (
            np.array([r @ getattr(told, name) for r, told in each]) for name in ("weight", "logs")
        )
        weighed = GaussianStatistics(weights, first, form.gather(seconds))
        return StudentStatistics(by.sum(axis=1), weighed, logs)
