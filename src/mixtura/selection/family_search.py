"""`MixtureSearch`: how many components, of what family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mixtura.data import door
from mixtura.data.rows import Rows
from mixtura.data.source import Source
from mixtura.families.base import Family
from mixtura.families.registry import Spec, family, spec_name
from mixtura.fitting.fingerprint import described
from mixtura.selection.component_search import ComponentSearch
from mixtura.selection.grid import numbers_of
from mixtura.selection.points import AnyPoint, FamilyPoint


@dataclass(eq=False, repr=False)
class MixtureSearch(ComponentSearch):
    """The best mixture over families and numbers of components.

    As `GaussianMixtureSearch`, whose criteria, rounds, attributes and methods it has: each cell is
    fitted as `Mixture` fits, from its own starts and from the best split of the same family with
    one component less.

    Likelihoods are compared, so all families must give the same thing: probabilities (bernoulli,
    categorical, negativebinomial, poisson), densities (exponential, gamma, lognormal, vonmises and
    Gaussian ones), or one family alone. Others together are refused.

    Parameters
    ----------
    family : str, Family, iterable of them, or dict of them by label
        As in `Mixture`. Objects of the same name need labels.
    n_components : int or iterable of int, default 1 to 9
    criterion : {"bic", "icl", "aic", "aicc", "heldout", "slope"}, default "bic"
    cv : int, splitter or iterable of (rows to fit, rows left out), default 5
    refit : bool, default True
    prune : bool, default True
    n_jobs : int or None, default None
        Cells fitted at the same time.
    tol, max_iter, n_init, init_params, weights, solver, engine, noise
        Of every fit, as in `Mixture`.
    prior : as in `Mixture`, default None
        Of every fit. Cells are compared by log-likelihoods, and by those alone: of each cell that
        at the posterior's mode (docs/choosing.md). Families that have no such prior are not chosen;
        ``cv_results_["status"]`` says why.
    random_state : int, RandomState instance or None
    verbose : int, default 0

    Attributes
    ----------
    best_estimator_ : Mixture
    best_params_ : dict
        Its family (the label) and n_components.
    best_score_, best_index_, cv_results_, slope_, untried_, n_features_in_,
    feature_names_in_
        As in `GaussianMixtureSearch`; ``param_family`` in place of the structure and the prior.

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import MixtureSearch
    >>> rng = np.random.default_rng(0)
    >>> X = rng.poisson(np.array([[2.0, 9.0], [12.0, 3.0]])[rng.integers(2, size=150)])
    >>> search = MixtureSearch(["poisson", "negativebinomial"], [1, 2, 3], random_state=0)
    >>> search.fit(X).best_params_
    {'family': 'poisson', 'n_components': 2}
    """

    family: Any
    n_components: Any = (1, 2, 3, 4, 5, 6, 7, 8, 9)

    def _grid(self, rows: Source, kinds: Sequence[Family]) -> tuple[list[int], list[AnyPoint]]:
        components, labels = numbers_of(self), list(self._families())
        _refuse_unlike(dict(zip(labels, kinds, strict=True)))
        names = door.column_names(getattr(self, "feature_names_in_", None), rows.d)
        refused = []
        for kind in kinds:
            try:
                if isinstance(rows, Rows):
                    kind.refuse(np.asarray(rows.X, dtype=np.float64), names)
                else:
                    kind.refuse_source(rows)
            except ValueError as error:
                refused.append(error)
        if len(refused) == len(kinds):
            raise refused[0]
        return components, [FamilyPoint(label, components[0]) for label in labels]

    def _families(self) -> dict[str, Family]:
        """What each label stands for; ValueError for an unknown name, and for labels alike."""
        if isinstance(self.family, Mapping) and self.family:
            return {str(label): family(spec) for label, spec in self.family.items()}
        alone = isinstance(self.family, str | Family) or not isinstance(self.family, Iterable)
        given: list[Spec] = [self.family] if alone else list(self.family)
        if not given:
            raise ValueError("family: nothing to try: give at least one")
        labels = [spec_name(spec) for spec in given]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(
                    f"family: {label!r} is there twice: give a dict, {{label: family}}"
                )
        return {label: family(spec) for label, spec in zip(labels, given, strict=True)}

    def _kinds(self) -> Sequence[Family]:
        return list(self._families().values())

    def _settings(self, kinds: Sequence[Family]) -> dict[str, Any]:
        found = dict(zip(self._families(), kinds, strict=True))
        return super()._settings(kinds) | {"families": found}

    def _identity(self, settings: dict[str, Any]) -> dict[str, Any]:
        told = {label: described(kind) for label, kind in settings["families"].items()}
        return settings | {"families": told}


def _refuse_unlike(kinds: Mapping[str, Family]) -> None:
    """ValueError where likelihoods of two families are not of the same thing."""
    first, *others = kinds
    for other in others:
        told = kinds[first].measure, kinds[other].measure
        if told[0] != told[1]:
            raise ValueError(
                f"family: the likelihood of {first!r} is {told[0]}, that of {other!r} {told[1]}, "
                "which cannot be compared: search among one of them at a time"
            )
