"""What a fitted `Admixture` can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from mixtura.data.door import as_numbers
from mixtura.data.genotypes import Genotypes
from mixtura.engines.ancestry import Passes
from mixtura.estimators.admixture_document import admixture_document, checked_admixture
from mixtura.estimators.genotype_intake import genotypes_of, refuse_absent, turned
from mixtura.fitting.admixture_bootstrap import bootstrap_errors
from mixtura.fitting.admixture_climb import AdmixtureSolver
from mixtura.fitting.admixture_folds import CrossValidation, cross_validated
from mixtura.fitting.admixture_projection import projected
from mixtura.inference import criteria
from mixtura.inference.populations import fst, matching
from mixtura.inference.residuals import residual_correlations
from mixtura.records import AnyArray, Array, Seed
from mixtura.report.ancestry_text import ancestry_text
from mixtura.result import Fit
from mixtura.solvers.clock import NEVER, Clock
from mixtura.solvers.settings import check_integer
from mixtura.store import write_document


class FittedAdmixture(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Shares Q_ (n, K) and frequencies P_ (K, markers), and what is asked of them."""

    tol: float
    max_iter: int
    solver: str
    ploidy: int
    Q_: Array
    P_: Array
    modes_: list[Array]
    fit_result_: Fit
    populations_: list[str]
    individuals_: list[str]
    markers_: list[str]
    alleles_: tuple[tuple[str, ...], ...]
    monomorphic_: int
    n_features_in_: int
    # Copies that were seen of each marker, by population: (K, markers).
    _copies: Array
    # Individuals whose ancestry was given.
    _fixed: AnyArray | None

    def transform(self, X: Any) -> Array:
        """Shares of individuals that were not fitted, with the populations as they are.

        Plain projection would pull them to the middle, for `P_` is an estimate: its noise is taken
        out of the score (see `fitting/admixture_projection.py`). For those that were fitted, who
        made `P_`, there is `Q_`.

        Parameters
        ----------
        X : as in `fit`, with the markers that were fitted, in their order
            Alleles of files may come in either order, as PLINK 1 puts the rarer one first; those
            of arrays must come in that of the fit.

        Returns
        -------
        array of shape (n_individuals, n_populations), rows summing to one

        Raises
        ------
        ValueError
            For other markers or alleles than were fitted, and individuals without any genotype.
        """
        return self._projected(X)

    def get_feature_names_out(self, input_features: Any = None) -> AnyArray:
        """The names of the populations, columns of `transform`; of the markers none hangs on.

        With them `set_output(transform="pandas")` or `"polars"` answers in frames.
        """
        check_is_fitted(self)
        return np.array(self.populations_, dtype=object)

    def _projected(self, X: Any) -> Array:
        check_is_fitted(self)
        genotypes = self._genotypes(X)
        if genotypes.markers != self.n_features_in_:
            raise ValueError(
                f"X has {genotypes.markers} markers, and {self.n_features_in_} were fitted: give "
                "these, in their order"
            )
        self._refuse_other_markers(genotypes)
        refuse_absent(genotypes)
        # Copies of the second allele, at the frequencies of the second, are as likely as the first.
        P = np.where(turned(genotypes, self.alleles_), 1.0 - self.P_, self.P_)
        return projected(genotypes, self.Q_, np.ascontiguousarray(P.T), self._copies.T)

    def predict(self, X: Any) -> AnyArray:
        """The population with the largest share, of individuals as in `transform`."""
        return np.asarray(self._projected(X).argmax(axis=1))

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

        Of an individual that is fitted exactly nothing is left: its correlations are 0.
        `X` are the genotypes that were fitted.
        """
        check_is_fitted(self)
        return residual_correlations(self._same(X), self.Q_, self.P_.T)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean log-likelihood per individual at Q_ and P_, of genotypes that were fitted."""
        check_is_fitted(self)
        genotypes = self._same(X)
        return Passes(genotypes).loglik(self.Q_, self.P_.T) / len(self.Q_)

    def align(self, reference: Any) -> Self:
        """Reorder the populations as those of other shares, (n_individuals, any number) of them.

        Each of the reference goes to the one that it overlaps most; those left over come last.
        """
        check_is_fitted(self)
        given = as_numbers(reference, "reference")
        if given.ndim != 2 or len(given) != len(self.Q_) or not given.shape[1]:
            raise ValueError(
                f"reference has the shape {given.shape}, and the fit {len(self.Q_)} individuals: "
                f"give shares of shape ({len(self.Q_)}, populations) of the same individuals"
            )
        if not np.isfinite(given).all():
            raise ValueError(
                "reference has numbers that are NaN or infinite: give shares, from 0 to 1"
            )
        order = matching(self.Q_, given)
        self.Q_, self.P_, self._copies = self.Q_[:, order], self.P_[order], self._copies[order]
        self.modes_ = [Q[:, order] for Q in getattr(self, "modes_", ())]
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
        return self._validated(self._same(X), folds, random_state)

    def _validated(
        self, genotypes: Genotypes, folds: int, random_state: Seed, clock: Clock = NEVER
    ) -> CrossValidation:
        seed = int(check_random_state(random_state).randint(2**31 - 1))
        return cross_validated(genotypes, self.Q_, self.P_.T, self._climber(clock), folds, seed)

    def fst(self) -> Array:
        """Hudson's Fst between each two populations, from `P_`: (n_populations, n_populations).

        NaN to a population that nobody belongs to, as nothing is known of it.
        """
        check_is_fitted(self)
        found, nobody = fst(self.P_), self.Q_.sum(axis=0) == 0.0
        found[nobody], found[:, nobody] = np.nan, np.nan
        return found

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

    def save(self, path: str | Path) -> None:
        """Write the fitted model to a JSON file, atomically; `mixtura.load` reads it."""
        check_is_fitted(self)
        write_document(admixture_document(self), path)

    @classmethod
    def restored(cls, document: dict[str, Any]) -> Self:
        """The model that `save` wrote; StoreError for a document that is damaged."""
        stored = checked_admixture(document)
        made = cls(**vars(stored.settings))
        made.Q_, made.P_ = stored.arrays["Q_"], stored.arrays["P_"]
        made.alleles_ = stored.alleles
        made._copies = stored.arrays["copies"]
        made.fit_result_, made.populations_ = stored.fit, list(stored.populations)
        made.individuals_, made.markers_ = list(stored.individuals), list(stored.markers)
        made.monomorphic_, made.n_features_in_ = stored.monomorphic, made.P_.shape[1]
        made.converged_, made.n_iter_ = stored.fit.converged, stored.fit.iterations
        fixed = stored.fixed
        made._fixed = None if fixed is None else np.isin(np.arange(len(made.Q_)), fixed)
        return made

    def _fit(self) -> Fit:
        check_is_fitted(self)
        fit: Fit = self.fit_result_
        return fit

    def _climber(self, clock: Clock = NEVER) -> AdmixtureSolver:
        return AdmixtureSolver(self.tol, self.max_iter, self.solver == "em", self._fixed, clock)

    def _genotypes(self, X: Any) -> Genotypes:
        return genotypes_of(X, self.ploidy)

    def _refuse_other_markers(self, genotypes: Genotypes) -> None:
        """ValueError where as many markers have names that say that they are others."""
        if genotypes.ids and self.markers_ and list(genotypes.ids) != self.markers_:
            j = next(j for j, name in enumerate(self.markers_) if name != genotypes.ids[j])
            raise ValueError(
                f"X has {genotypes.ids[j]} where {self.markers_[j]} was fitted: bring the markers "
                "into one order"
            )

    def _same(self, X: Any) -> Genotypes:
        """The genotypes that were fitted, as far as their shape and their alleles tell."""
        genotypes = self._genotypes(X)
        if genotypes.shape != (len(self.Q_), self.n_features_in_):
            raise ValueError(
                f"X has {genotypes.individuals} individuals and {genotypes.markers} markers, and "
                f"the fit {len(self.Q_)} and {self.n_features_in_}: give the genotypes that were "
                "fitted"
            )
        self._refuse_other_markers(genotypes)
        if count := np.count_nonzero(turned(genotypes, self.alleles_)):
            raise ValueError(
                f"X has the alleles of {count:,} markers in the other order than the fit: give the "
                "file that was fitted"
            )
        return genotypes
