"""`Admixture`: ancestry from genotypes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.bed import read_bed
from mixtura.data.genotypes import Genotypes, from_dosages
from mixtura.engines.ancestry import Passes
from mixtura.fitting.admixture_bootstrap import bootstrap_errors
from mixtura.fitting.admixture_climb import AdmixtureSolver
from mixtura.fitting.admixture_fit import AdmixtureTask, fit_admixture
from mixtura.fitting.admixture_folds import CrossValidation, cross_validated
from mixtura.fitting.admixture_projection import projected
from mixtura.inference import criteria
from mixtura.inference.populations import fst, matching
from mixtura.inference.residuals import residual_correlations
from mixtura.records import AnyArray, Array
from mixtura.report.ancestry_text import ancestry_text
from mixtura.result import Fit
from mixtura.solvers.settings import check_integer, check_number

SOLVERS = ("auto", "em")


class Admixture(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Shares of ancestry: the likelihood of ADMIXTURE, maximised to its top.

    Individual i carries copies of marker j's first allele as binomial(ploidy, sum_k q_ik p_kj):
    log L = sum_ij x_ij log(sum_k q_ik p_kj) + (ploidy - x_ij) log(1 - sum_k q_ik p_kj) (Alexander,
    Novembre & Lange 2009, Genome Research 19, equation 2). Missing genotypes are left out.

    Parameters
    ----------
    n_populations : int, default 2
        K.
    n_init : int, default 1
        Races of starts, each of which ends in a climb; the highest end is kept.
    solver : {"auto", "em"}, default "auto"
        "auto" is block relaxation: Newton's method in P and in Q by turns, accelerated; "em" the EM
        algorithm (FRAPPE).
    tol : float, default 1e-6
        A climb ends when the estimated log-likelihood still to come, per individual, is below.
    max_iter : int, default 1000
        Steps of a climb.
    ploidy : int, default 2
        Copies that an individual carries, of arrays; .bed files hold diploids.
    random_state : int, RandomState or None

    Attributes
    ----------
    Q_ : array of shape (n_individuals, n_populations)
        Shares of ancestry; rows sum to one. Populations come by falling size, those of a fit with
        labels in the order of `populations_`.
    P_ : array of shape (n_populations, n_markers)
        Frequencies of the first allele (of .bim files: that in the fifth column).
    fit_result_ : Fit
    populations_ : list of the populations' names
    monomorphic_ : int
        Markers at which all individuals carry the same allele; they tell nothing and are kept.
    individuals_, markers_ : lists of names of a .bed file; empty for arrays
    converged_, n_iter_, n_features_in_

    Examples
    --------
    >>> import numpy as np
    >>> from mixtura import Admixture
    >>> rng = np.random.default_rng(0)
    >>> frequencies = np.repeat([[0.1, 0.9], [0.8, 0.3]], 100, axis=1)
    >>> shares = np.array([[1, 0], [0.5, 0.5], [0, 1]]).repeat(20, axis=0)
    >>> genotypes = rng.binomial(2, shares @ frequencies)
    >>> found = Admixture(2, random_state=0).fit(genotypes)
    >>> found.Q_[[0, -1]].argmax(axis=1).size
    2
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        n_populations: int = 2,
        *,
        n_init: int = 1,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 1000,
        ploidy: int = 2,
        random_state: Any = None,
    ) -> None:
        self.n_populations, self.n_init, self.solver = n_populations, n_init, solver
        self.tol, self.max_iter, self.ploidy = tol, max_iter, ploidy
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit to genotypes.

        Parameters
        ----------
        X : path of a PLINK .bed file, or array-like of shape (n_individuals, n_markers)
            Arrays hold copies of the first allele, 0 to `ploidy`; missing are NaN, or in integers
            -127, -9 and -1. A file is mapped and read in pieces.
        y : array-like of shape (n_individuals,), optional
            The population of those whose ancestry is known; None, NaN, "" and "-" where it is not.

        Raises
        ------
        ValueError
            For files and arrays that hold no genotypes, individuals or markers without any, and
            more populations than individuals.
        """
        self._check()
        genotypes = self._genotypes(X)
        self.monomorphic_ = _usable(genotypes, self.n_populations)
        labels, self.populations_ = labelled(y, genotypes.individuals, self.n_populations)
        self._fixed = None if labels is None else labels >= 0
        task = AdmixtureTask(self.n_populations, self.n_init, self._climber(), labels)
        params, fit = fit_admixture(genotypes, task, check_random_state(self.random_state))
        self.Q_, self.P_, self.fit_result_ = params.Q, np.ascontiguousarray(params.P.T), fit
        self.converged_, self.n_iter_ = fit.converged, fit.iterations
        self.n_features_in_ = genotypes.markers
        self.individuals_, self.markers_ = list(genotypes.names), list(genotypes.ids)
        if not fit.converged and self.max_iter > 0:
            warnings.warn(
                f"the climb did not converge ({fit.reason}): raise max_iter or tol",
                ConvergenceWarning,
                stacklevel=2,
            )
        return self

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Fit, and return `Q_`."""
        return self.fit(X, y).Q_

    def transform(self, X: Any) -> Array:
        """Shares of individuals that were not fitted, with the populations as they are.

        Plain projection would pull them to the middle, for `P_` is an estimate: its noise is taken
        out of the score (see `fitting/admixture_projection.py`). For those that were fitted, who
        made `P_`, there is `Q_`.

        Parameters
        ----------
        X : as in `fit`, with the markers that were fitted, in their order and with their alleles

        Returns
        -------
        array of shape (n_individuals, n_populations), rows summing to one
        """
        check_is_fitted(self)
        genotypes = self._genotypes(X)
        if genotypes.markers != self.n_features_in_:
            raise ValueError(
                f"X has {genotypes.markers} markers, and {self.n_features_in_} were fitted"
            )
        if genotypes.ids and self.markers_ and list(genotypes.ids) != self.markers_:
            j = next(j for j, name in enumerate(self.markers_) if name != genotypes.ids[j])
            raise ValueError(
                f"X has {genotypes.ids[j]} where {self.markers_[j]} was fitted: bring the markers "
                "into one order"
            )
        return projected(genotypes, self.Q_, np.ascontiguousarray(self.P_.T))

    def predict(self, X: Any) -> AnyArray:
        """The population with the largest share, of individuals that were not fitted.

        Parameters
        ----------
        X : as in `transform`
        """
        return np.asarray(self.transform(X).argmax(axis=1))

    def standard_errors(
        self, X: Any, replicates: int = 50, blocks: int = 100, random_state: Any = 0
    ) -> Array:
        """Standard errors of `Q_`, (n_individuals, n_populations), by the block bootstrap.

        Parameters
        ----------
        X : the genotypes that were fitted
        replicates : int, default 50
            Climbs, each over stretches of markers drawn with replacement.
        blocks : int, default 100
            Stretches that the markers are cut into, longer than linkage reaches.
        random_state : int, RandomState or None
        """
        check_is_fitted(self)
        check_integer("replicates", replicates, 2)
        check_integer("blocks", blocks, 2)
        genotypes = self._same(X)
        rng = check_random_state(random_state)
        blocks = min(blocks, genotypes.markers)
        return bootstrap_errors(
            genotypes, self.Q_, self.P_.T, self._climber(), replicates, blocks, rng
        )

    def residual_correlations(self, X: Any) -> Array:
        """How far the fit leaves individuals alike, (n_individuals, n_individuals); 0 is right.

        Parameters
        ----------
        X : the genotypes that were fitted
        """
        check_is_fitted(self)
        return residual_correlations(self._same(X), self.Q_, self.P_.T)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean log-likelihood per individual at Q_ and P_, of the genotypes that were fitted.

        Parameters
        ----------
        X : as in `fit`
        y : ignored
        """
        check_is_fitted(self)
        genotypes = self._same(X)
        return Passes(genotypes).loglik(self.Q_, self.P_.T) / len(self.Q_)

    def align(self, reference: Any) -> Self:
        """Reorder the populations as those of other shares, (n_individuals, any number) of them.

        Each of the reference goes to the one that it overlaps most; those left over come last.
        """
        check_is_fitted(self)
        order = matching(self.Q_, np.asarray(reference, dtype=np.float64))
        self.Q_, self.P_ = self.Q_[:, order], self.P_[order]
        if self._fixed is not None:
            self.populations_ = [self.populations_[k] for k in order]
        return self

    def cross_validate(self, X: Any, folds: int = 5, random_state: Any = 0) -> CrossValidation:
        """How well hidden genotypes are predicted, those of each fold from a fit to the others.

        Genotypes are hidden one by one, at random; the climbs begin near this fit.

        Parameters
        ----------
        X : the genotypes that were fitted
        folds : int, default 5
        random_state : int, RandomState or None
            Which genotypes are hidden together.
        """
        check_is_fitted(self)
        check_integer("folds", folds, 2)
        genotypes = self._same(X)
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return cross_validated(genotypes, self.Q_, self.P_.T, self._climber(), folds, seed)

    def fst(self) -> Array:
        """Hudson's Fst between each two populations, from `P_`: (n_populations, n_populations)."""
        check_is_fitted(self)
        return fst(self.P_)

    def bic(self) -> float:
        """Bayesian information criterion of the fit, n the individuals; lower is better."""
        fit = self._fit()
        return criteria.bic(fit.loglik, fit.n_parameters, fit.weight)

    def aic(self) -> float:
        """Akaike information criterion of the fit; lower is better."""
        fit = self._fit()
        return criteria.aic(fit.loglik, fit.n_parameters)

    def summary(self) -> str:
        """What was found and how sure the fit is, as text."""
        fit = self._fit()
        return ancestry_text(self.Q_, self.n_features_in_, self.monomorphic_, fit)

    def _fit(self) -> Fit:
        check_is_fitted(self)
        fit: Fit = self.fit_result_
        return fit

    def _climber(self) -> AdmixtureSolver:
        return AdmixtureSolver(self.tol, self.max_iter, self.solver == "em", self._fixed)

    def _genotypes(self, X: Any) -> Genotypes:
        if isinstance(X, Genotypes):
            return X
        return read_bed(X) if isinstance(X, (str, Path)) else from_dosages(X, self.ploidy)

    def _same(self, X: Any) -> Genotypes:
        """The genotypes that were fitted, as far as their shape tells."""
        genotypes = self._genotypes(X)
        if genotypes.shape != (len(self.Q_), self.n_features_in_):
            raise ValueError(
                f"X has {genotypes.individuals} individuals and {genotypes.markers} markers, and "
                f"the fit {len(self.Q_)} and {self.n_features_in_}"
            )
        return genotypes

    def _check(self) -> None:
        check_integer("n_populations", self.n_populations, 1)
        check_integer("n_init", self.n_init, 1)
        check_integer("max_iter", self.max_iter, 0)
        check_integer("ploidy", self.ploidy, 1)
        check_number("tol", self.tol, "from 0 up", lambda value: value >= 0)
        if self.ploidy > 250:
            raise ValueError(f"ploidy must be at most 250, got {self.ploidy}")
        if self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {self.solver!r}")


def _usable(genotypes: Genotypes, K: int) -> int:
    """The number of monomorphic markers; ValueError where something has no genotypes at all."""
    n = genotypes.individuals
    if n < K:
        raise ValueError(f"n_populations={K} is more than the {n} individuals")
    met, monomorphic, gaps = np.zeros(n, dtype=int), 0, []
    for where, dosages in genotypes.chunks():
        known = ~np.isnan(dosages)
        met += known.sum(axis=0)
        most = np.where(known, dosages, -1.0).max(axis=1)
        least = np.where(known, dosages, np.inf).min(axis=1)
        monomorphic += int(np.count_nonzero((most == 0) | (least == genotypes.ploidy)))
        gaps += [where.start + j for j in np.flatnonzero(most < 0)]
    for what, places, names in (
        ("marker", gaps, genotypes.ids),
        ("individual", list(np.flatnonzero(met == 0)), genotypes.names),
    ):
        if places:
            called = names[places[0]] if names else f"{places[0]} (counted from 0)"
            more = f" and {len(places) - 1} more" if len(places) > 1 else ""
            have = "have" if more else "has"
            raise ValueError(
                f"{what} {called}{more} {have} no genotype, all are missing: leave them out"
            )
    return monomorphic


def labelled(y: Any, n: int, K: int) -> tuple[AnyArray | None, list[str]]:
    """(population of each individual, -1 where unknown, or None without labels; their names)."""
    if y is None:
        return None, [str(k) for k in range(K)]
    given = np.asarray(y, dtype=object).ravel()
    if len(given) != n:
        raise ValueError(f"y has {len(given)} labels for {n} individuals")
    told = ["" if _unknown(label) else str(label) for label in given]
    names = sorted({label for label in told if label}, key=_order)
    if len(names) > K:
        raise ValueError(
            f"y names {len(names)} populations ({', '.join(names[:5])}, ...), more than "
            f"n_populations={K}"
        )
    place = {name: k for k, name in enumerate(names)} | {"": -1}
    names += [f"unlabelled {k}" for k in range(K - len(names))]
    return np.array([place[label] for label in told]), names


def _unknown(label: Any) -> bool:
    return label is None or label != label or str(label) in ("", "-")


def _order(label: str) -> tuple[float, str]:
    return (float(label), label) if label.lstrip("-").isdigit() else (np.inf, label)
