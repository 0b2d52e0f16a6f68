"""`Admixture`: ancestry from genotypes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from mixtura.data.genotypes import Genotypes
from mixtura.engines.ancestry import Passes
from mixtura.estimators.clocked import clock_of
from mixtura.estimators.complaints import warn_caller
from mixtura.estimators.fitted_admixture import FittedAdmixture
from mixtura.estimators.genotype_intake import labelled, usable
from mixtura.fitting.admixture_fit import AdmixtureTask, fit_admixture
from mixtura.fitting.admixture_snapshot import snapshot_identity
from mixtura.fitting.journal_file import removed, resumed_seed
from mixtura.inference.populations import matching
from mixtura.records import Array, Seed, StrPath
from mixtura.result import Fit
from mixtura.solvers.clock import TIMED_OUT, Clock
from mixtura.solvers.settings import check_integer, check_number

SOLVERS = ("auto", "em")


@dataclass(eq=False, repr=False)
class Admixture(FittedAdmixture):
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
        Copies that an individual carries, of arrays; files hold diploids.
    random_state : int, RandomState or None

    Attributes
    ----------
    Q_ : array of shape (n_individuals, n_populations)
        Shares of ancestry; rows sum to one. Populations come by falling size, those of a fit with
        labels in the order of `populations_`.
    P_ : array of shape (n_populations, n_markers)
        Frequencies of the first allele (of .bim files: that in the fifth column; of
        VCF files: ALT).
    modes_ : list of arrays like Q_
        The shares at each optimum of `fit_result_.landscape` (which says how high it is and how
        many climbs ended there), in its order, populations aligned with Q_. Not in model files.
    fit_result_ : Fit
    populations_ : list of the populations' names
    monomorphic_ : int
        Markers at which all individuals carry the same allele; they tell nothing and are kept.
    individuals_, markers_ : lists of names of a file; empty for arrays
    alleles_ : tuple of the first alleles of a file's markers and of the second, or empty
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

    n_populations: int = 2
    _: KW_ONLY
    n_init: int = 1
    solver: str = "auto"
    tol: float = 1e-6
    max_iter: int = 1000
    ploidy: int = 2
    random_state: Seed = None

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        checkpoint: StrPath | None = None,
        max_seconds: float | None = None,
    ) -> Self:
        """Fit to genotypes.

        Parameters
        ----------
        X : path of a PLINK .bed file or VCF file, or array-like (n_individuals, n_markers)
            Arrays hold copies of the first allele, 0 to `ploidy`; missing are NaN, or in integers
            -127, -9 and -1. A .bed file is mapped and read in pieces; of a VCF or BCF file
            (mixtura[vcf]) the SNPs with one ALT allele are kept in 2 bits.
        y : array-like of shape (n_individuals,), optional
            The population of those whose ancestry is known, compared as text without blanks around
            it; None, NaN, pandas.NA, these as text ("NA", "nan", ...), blanks, "-" and -1 where it
            is not. Where everybody is labelled there are as many populations as names.
        checkpoint : path, optional
            The climbs write there where they are. Killed and called again with the same genotypes
            and settings, the fit goes on from there to the same answer, with random_state=None by
            the seed that stands there; then the file is removed.
        max_seconds : float, optional
            No race begins after so long, and a climb ends where it is; the best met is kept. Not
            together with `checkpoint`.

        Raises
        ------
        ValueError
            For files and arrays that hold no genotypes, individuals or markers without any, and
            more populations than individuals, or than labels where everybody has one.
        """
        self._check()
        return self._fit_by(clock_of(max_seconds, checkpoint), X, y, checkpoint)

    def _fit_by(self, clock: Clock, X: Any, y: Any, checkpoint: StrPath | None) -> Self:
        """`fit`, by a clock that may be that of a longer search."""
        genotypes = self._genotypes(X)
        for remark in genotypes.remarks:
            warn_caller(remark)
        self.monomorphic_ = usable(genotypes, self.n_populations)
        labels, self.populations_ = labelled(y, genotypes.individuals, self.n_populations)
        self._fixed = None if labels is None else labels >= 0
        task = AdmixtureTask(self.n_populations, self.n_init, self._climber(clock), labels)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if checkpoint is not None:
            seed = resumed_seed(checkpoint, self.random_state, seed, snapshot_identity)
        params, fit, modes = fit_admixture(genotypes, task, seed, checkpoint)
        self.Q_, self.P_ = np.ascontiguousarray(params.Q), np.ascontiguousarray(params.P.T)
        self._copies = np.ascontiguousarray(Passes(genotypes).carried(self.Q_).T)
        self.modes_ = [Q if labels is not None else Q[:, matching(Q, self.Q_)] for Q in modes]
        self._remember(genotypes, fit)
        removed(checkpoint)
        return self

    def _remember(self, genotypes: Genotypes, fit: Fit) -> None:
        """Names and the account; a warning where it did not converge."""
        self.fit_result_ = fit
        self.converged_, self.n_iter_ = fit.converged, fit.iterations
        self.n_features_in_ = genotypes.markers
        self.individuals_, self.markers_ = list(genotypes.names), list(genotypes.ids)
        self.alleles_ = genotypes.alleles
        if not fit.converged:
            warn_caller(
                f"the climb did not converge ({fit.reason}): raise "
                + ("max_seconds" if fit.reason == TIMED_OUT else "max_iter or tol"),
                ConvergenceWarning,
            )

    def fit_transform(self, X: Any, y: Any = None) -> Array:
        """Fit, and return `Q_`."""
        return self.fit(X, y).Q_

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
