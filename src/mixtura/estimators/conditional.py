"""Gaussian mixture regression: what some columns of a mixture say about the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.utils import check_array, check_random_state

from mixtura.data.columns import listed
from mixtura.data.door import refuse_unfit
from mixtura.data.framed import framed
from mixtura.families.equations import settle
from mixtura.inference.conditioning import Conditional
from mixtura.records import Array, Equation, Seed


@dataclass(frozen=True)
class ConditionalMixture:
    """p(asked | given) for any rows of the given columns; `condition(on=[...])` makes it.

    given   names of the p given columns, in the order in which their values are expected
    asked   names of the q other columns, in the order of the answers
    conditional, random_state   the arithmetic, and the fitted mixture's seed
    equations   what all rows had in common; columns are numbered from the first given one
    """

    given: tuple[str, ...]
    asked: tuple[str, ...]
    conditional: Conditional = field(repr=False)
    random_state: Seed = None
    equations: tuple[Equation, ...] = ()

    def predict(
        self, X: Any, return_std: bool = False, return_cov: bool = False
    ) -> Array | tuple[Array, Array]:
        """The mean of the asked columns for each row, and how far they scatter about it.

        Parameters
        ----------
        X : array-like of shape (n_samples, p) or data frame
            Values of the given columns, in their order; of a data frame the columns of those names.
        return_std : bool, default False
            Also the standard deviations. They differ from row to row.
        return_cov : bool, default False
            Also the covariance matrices. (In scikit-learn's GaussianProcessRegressor these are
            covariances between rows; here rows are independent and columns are not.)

        Returns
        -------
        mean : array of shape (n_samples, q), in the units of the asked columns
        std : array of shape (n_samples, q), with return_std
        cov : array of shape (n_samples, q, q), with return_cov

        Raises
        ------
        ValueError
            For both options at once, a wrong shape, values that are missing or not finite, or
            values absurdly far from every component.
        """
        if return_std and return_cov:
            raise ValueError("predict: ask for return_std or return_cov, not both")
        rows = self._rows(X, self.given, "X")
        if return_cov:
            return self.conditional.covariance(rows)
        if return_std:
            mean, variance = self.conditional.variance(rows)
            return mean, np.sqrt(variance)
        return self.conditional.mean(rows)

    def predict_proba(self, X: Any) -> Array:
        """P(k | given columns): the responsibilities, array of shape (n_samples, n_components)."""
        return self.conditional.responsibilities(self._rows(X, self.given, "X"))

    def score_samples(self, X: Any, y: Any) -> Array:
        """log p(asked = y | given = x) of each row, array of shape (n_samples,).

        y has shape (n_samples, q), or (n_samples,) where q is 1.
        """
        rows = self._rows(X, self.given, "X")
        answers = self._rows(y, self.asked, "y")
        if len(rows) != len(answers):
            raise ValueError(f"X has {len(rows)} rows and y has {len(answers)}")
        return self.conditional.log_density(rows, answers)

    def sample(self, X: Any, random_state: Seed = None) -> Array:
        """One draw of the asked columns for each row, array of shape (n_samples, q).

        random_state is an int, a RandomState or None for the fitted mixture's own.
        """
        rng = check_random_state(self.random_state if random_state is None else random_state)
        rows = self._rows(X, self.given, "X")
        drawn = np.hstack([rows, self.conditional.sample(rows, rng)])
        own = (self.conditional.roots**2).sum(axis=2).mean(axis=0)
        settle(drawn, self.equations, np.concatenate([np.zeros(rows.shape[1]), own]))
        return drawn[:, rows.shape[1] :]

    @staticmethod
    def _rows(X: Any, names: tuple[str, ...], what: str) -> Array:
        frame = framed(X)
        if frame is not None:
            lost = [name for name in names if name not in frame.columns]
            if lost:
                raise ValueError(f"{what} has no {listed(lost)}")
            X = frame.select(list(names))
        elif len(names) == 1 and np.ndim(X) == 1:
            X = np.reshape(X, (-1, 1))
        refuse_unfit(X, what)
        rows = np.asarray(check_array(X, dtype=np.float64, input_name=what))
        if rows.shape[1] != len(names):
            raise ValueError(
                f"{what} has {rows.shape[1]} columns, not {len(names)}: {', '.join(names)}"
            )
        return rows
