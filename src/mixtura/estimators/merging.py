"""`merge_components`: which components of a fitted mixture make up one group."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import row_weights
from mixtura.estimators.base import MixtureEstimator
from mixtura.estimators.beside import refuse_beside
from mixtura.inference.merging import Elbow, Merge, elbow, grouping, merges
from mixtura.records import AnyArray, Array, Weights
from mixtura.report import merging_text
from mixtura.report.digits import counted

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# A share of the largest entropy, log K for each row, below which the groups are clear as they are.
CLEAR = 0.01


@dataclass(frozen=True)
class Merging:
    """The tree of merges of a mixture's components over a table; frozen.

    n_components   of the mixture
    entropy        of its responsibilities, in nats, before any merge
    steps          one `Merge` for each, from n_components - 1 groups down to one
    suggested      how many groups, by the elbow of the entropy against their number; all of them
                   where the entropy is below a hundredth of the largest there could be; None for
                   mixtures of fewer than three components
    suggested_by_rows   the same against the cumulative number of merged rows
    weight         the rows, or the sum of their weights
    """

    n_components: int
    entropy: float
    steps: tuple[Merge, ...]
    suggested: int | None
    suggested_by_rows: int | None
    weight: float
    _resp: Array = field(repr=False, compare=False)

    @property
    def entropies(self) -> Array:
        """After merging down to 1, 2, ..., n_components groups: (n_components,), in nats."""
        return np.array([*(step.entropy for step in reversed(self.steps)), self.entropy])

    @property
    def merged_rows(self) -> Array:
        """Rows merged so far, cumulatively, at n_components groups (0.0), one fewer, ... and 1."""
        return np.cumsum([0.0, *(step.rows for step in self.steps)])

    def groups(self, n_groups: int | None = None) -> AnyArray:
        """The group of each component, (n_components,); by default the suggested number of groups.

        Raises ValueError for a number that is not between 1 and n_components.
        """
        return grouping(self.n_components, self.steps, self._number(n_groups))

    def responsibilities(self, n_groups: int | None = None) -> Array:
        """P(group | x) of the rows, (n_samples, n_groups)."""
        owner = self.groups(n_groups)
        out = np.zeros((len(self._resp), int(owner.max()) + 1))
        for component, group in enumerate(owner):
            out[:, group] += self._resp[:, component]
        return out

    def labels(self, n_groups: int | None = None) -> AnyArray:
        """The most probable group of each row, (n_samples,)."""
        return np.asarray(self.responsibilities(n_groups).argmax(axis=1))

    @property
    def headline(self) -> str:
        """One sentence: from how many to how many."""
        made = counted(self.n_components, "component")
        if self.suggested is None:
            return f"{made}: too few for an elbow"
        return f"{made} in {counted(self.suggested, 'group')}"

    def summary(self, width: int = merging_text.WIDTH) -> str:
        """The merges as plain text of at most `width` characters a line."""
        return merging_text.to_text(
            self.steps, self.entropy, (self.suggested, self.suggested_by_rows), self.headline, width
        )

    def figure(self) -> Figure:
        """Entropy against the number of groups, and against the rows merged, with both elbows.

        Raises ValueError for a mixture of one component.
        """
        from mixtura.report.merging import draw

        return draw(self.entropies, self.merged_rows, _elbows(self.entropies, self.steps))

    def _number(self, n_groups: int | None) -> int:
        if n_groups is None:
            return self.n_components if self.suggested is None else self.suggested
        if not 1 <= n_groups <= self.n_components:
            raise ValueError(f"n_groups must be from 1 to {self.n_components}, got {n_groups!r}")
        return int(n_groups)


def merge_components(mixture: MixtureEstimator, X: Any, sample_weight: Weights = None) -> Merging:
    """Merge components of a fitted mixture by entropy (Baudry et al. 2010).

    Parameters
    ----------
    mixture : a fitted mixture, best one chosen by BIC
        Its density is not changed, nor is it.
    X : array-like or data frame of shape (n_samples, n_features)
        The rows it describes.
    sample_weight : array-like of shape (n_samples,), optional
        Non-negative; a weight of 2 is the row twice.

    Returns
    -------
    Merging

    Raises
    ------
    ValueError
        For rows that the mixture cannot be asked about, or weights that are negative or all 0.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import GaussianMixture, merge_components
    >>> means, variances = [[0.0], [1.0], [9.0]], np.ones((3, 1, 1))
    >>> mixture = GaussianMixture.from_parameters([0.3, 0.3, 0.4], means, variances)
    >>> found = merge_components(mixture, [[0.1], [0.8], [1.2], [9.3], [8.8]])
    >>> found.suggested, found.groups(2).tolist()
    (2, [0, 0, 1])
    """
    if not isinstance(mixture, MixtureEstimator):
        raise ValueError(f"mixture must be a fitted mixture, got {type(mixture).__name__}")
    check_is_fitted(mixture)
    refuse_beside("merge_components", mixture)
    resp = np.asarray(mixture.predict_proba(X), dtype=np.float64)
    w = np.ones(len(resp))
    if sample_weight is not None:
        w = row_weights(sample_weight, resp)
    entropy, steps = merges(resp, w)
    entropies = np.array([*(step.entropy for step in reversed(steps)), entropy])
    by_number, by_rows = _elbows(entropies, steps)
    K = resp.shape[1]
    # Where rows are hardly in doubt an elbow is only that of the rounding.
    clear = entropy <= CLEAR * float(w.sum()) * np.log(K)
    return Merging(
        K,
        entropy,
        steps,
        None if by_number is None else K if clear else by_number.at + 1,
        None if by_rows is None else K if clear else K - by_rows.at,
        float(w.sum()),
        resp,
    )


def _elbows(entropies: Array, steps: tuple[Merge, ...]) -> tuple[Elbow | None, Elbow | None]:
    """Against the number of groups from 1 on, and against the rows merged from 0 on."""
    K = len(entropies)
    merged = np.cumsum([0.0, *(step.rows for step in steps)])
    return elbow(np.arange(1.0, K + 1), entropies), elbow(merged, entropies[::-1])
