"""mixtura: Gaussian and other mixtures, fitted fast and reported honestly.

Public names are found on first use, so that the command line can answer before scikit-learn,
which takes seconds to import, is loaded.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mixtura.version import __version__

if TYPE_CHECKING:
    from mixtura.data.opening import stream
    from mixtura.data.ordered import in_sequences
    from mixtura.errors import Collapse, FitError, IllDefined, LikelihoodFell
    from mixtura.estimators.admixture import Admixture
    from mixtura.estimators.bayesian import BayesianGaussianMixture
    from mixtura.estimators.bayesian_hidden_markov import BayesianHiddenMarkov
    from mixtura.estimators.bayesian_mixture import BayesianMixture
    from mixtura.estimators.block_model import BlockModel
    from mixtura.estimators.complaints import DegenerateWarning
    from mixtura.estimators.foreign import from_mclust, from_sklearn
    from mixtura.estimators.gaussian_mixture import GaussianMixture
    from mixtura.estimators.gmm_hmm import GMMHMM
    from mixtura.estimators.hidden_markov import HiddenMarkov
    from mixtura.estimators.hmm_faces import (
        CategoricalHMM,
        GaussianHMM,
        MultinomialHMM,
        PoissonHMM,
    )
    from mixtura.estimators.load import load
    from mixtura.estimators.merging import Merging, merge_components
    from mixtura.estimators.mixing import MixingBound, mixing_bound
    from mixtura.estimators.mixture import Mixture
    from mixtura.estimators.regression import MixtureRegression
    from mixtura.estimators.shortcuts import (
        BernoulliMixture,
        ContaminatedMixture,
        LatentClass,
        PoissonMixture,
        StudentMixture,
    )
    from mixtura.estimators.variational_hmm import VariationalGaussianHMM
    from mixtura.estimators.weighing import LightWeightsWarning
    from mixtura.families.base import Family
    from mixtura.families.bayes.asked import BetaPrior, DirichletPrior, GammaPrior
    from mixtura.families.conjugate import Dirichlet, NormalInverseWishart
    from mixtura.families.contaminated.family import Contaminated
    from mixtura.families.factor.structure import FactorAnalytic
    from mixtura.families.mixed import MixtureOf
    from mixtura.families.product import Block, Product
    from mixtura.families.ratio import EigenvalueRatio
    from mixtura.families.registry import register_family
    from mixtura.families.regression.family import Regression
    from mixtura.families.student.family import Student
    from mixtura.fitting.fit import fit
    from mixtura.fitting.journal_file import CheckpointError
    from mixtura.models.base import Model
    from mixtura.records import Chunk, Params, Statistics, Summary
    from mixtura.result import Fit
    from mixtura.selection.admixture_search import AdmixtureSearch
    from mixtura.selection.audit import audit
    from mixtura.selection.audited import Audit
    from mixtura.selection.comparing import Comparison, compare_solvers
    from mixtura.selection.component_search import StillRisingWarning
    from mixtura.selection.family_search import MixtureSearch
    from mixtura.selection.goodness import GoodnessOfFit, goodness_of_fit
    from mixtura.selection.howmany import BootstrapLRT, bootstrap_lrt
    from mixtura.selection.searching import GaussianMixtureSearch
    from mixtura.selection.state_search import HiddenMarkovSearch
    from mixtura.solvers.annealed import Annealed
    from mixtura.solvers.contrastive import NoiseContrastive
    from mixtura.solvers.online import Online
    from mixtura.solvers.stochastic import Stochastic
    from mixtura.solvers.truncated import Truncated
    from mixtura.store import StoreError

__all__ = [
    "GMMHMM",
    "Admixture",
    "AdmixtureSearch",
    "Annealed",
    "Audit",
    "BayesianGaussianMixture",
    "BayesianHiddenMarkov",
    "BayesianMixture",
    "BernoulliMixture",
    "BetaPrior",
    "Block",
    "BlockModel",
    "BootstrapLRT",
    "CategoricalHMM",
    "CheckpointError",
    "Chunk",
    "Collapse",
    "Comparison",
    "Contaminated",
    "ContaminatedMixture",
    "DegenerateWarning",
    "Dirichlet",
    "DirichletPrior",
    "EigenvalueRatio",
    "FactorAnalytic",
    "Family",
    "Fit",
    "FitError",
    "GammaPrior",
    "GaussianHMM",
    "GaussianMixture",
    "GaussianMixtureSearch",
    "GoodnessOfFit",
    "HiddenMarkov",
    "HiddenMarkovSearch",
    "IllDefined",
    "LatentClass",
    "LightWeightsWarning",
    "LikelihoodFell",
    "Merging",
    "MixingBound",
    "Mixture",
    "MixtureOf",
    "MixtureRegression",
    "MixtureSearch",
    "Model",
    "MultinomialHMM",
    "NoiseContrastive",
    "NormalInverseWishart",
    "Online",
    "Params",
    "PoissonHMM",
    "PoissonMixture",
    "Product",
    "Regression",
    "Statistics",
    "StillRisingWarning",
    "Stochastic",
    "StoreError",
    "Student",
    "StudentMixture",
    "Summary",
    "Truncated",
    "VariationalGaussianHMM",
    "__version__",
    "audit",
    "bootstrap_lrt",
    "compare_solvers",
    "fit",
    "from_mclust",
    "from_sklearn",
    "goodness_of_fit",
    "in_sequences",
    "load",
    "merge_components",
    "mixing_bound",
    "register_family",
    "stream",
]

_HOMES = {
    "Admixture": "mixtura.estimators.admixture",
    "AdmixtureSearch": "mixtura.selection.admixture_search",
    "Chunk": "mixtura.records",
    "Params": "mixtura.records",
    "Statistics": "mixtura.records",
    "Summary": "mixtura.records",
    "Model": "mixtura.models.base",
    "Family": "mixtura.families.base",
    "Product": "mixtura.families.product",
    "MixtureOf": "mixtura.families.mixed",
    "Block": "mixtura.families.product",
    "BlockModel": "mixtura.estimators.block_model",
    "fit": "mixtura.fitting.fit",
    "Stochastic": "mixtura.solvers.stochastic",
    "Online": "mixtura.solvers.online",
    "NoiseContrastive": "mixtura.solvers.contrastive",
    "Annealed": "mixtura.solvers.annealed",
    "BayesianGaussianMixture": "mixtura.estimators.bayesian",
    "BayesianHiddenMarkov": "mixtura.estimators.bayesian_hidden_markov",
    "BayesianMixture": "mixtura.estimators.bayesian_mixture",
    "BetaPrior": "mixtura.families.bayes.asked",
    "DirichletPrior": "mixtura.families.bayes.asked",
    "GammaPrior": "mixtura.families.bayes.asked",
    "Collapse": "mixtura.errors",
    "Audit": "mixtura.selection.audited",
    "audit": "mixtura.selection.audit",
    "Comparison": "mixtura.selection.comparing",
    "DegenerateWarning": "mixtura.estimators.complaints",
    "Dirichlet": "mixtura.families.conjugate",
    "NormalInverseWishart": "mixtura.families.conjugate",
    "EigenvalueRatio": "mixtura.families.ratio",
    "FactorAnalytic": "mixtura.families.factor.structure",
    "Fit": "mixtura.result",
    "FitError": "mixtura.errors",
    "GaussianMixture": "mixtura.estimators.gaussian_mixture",
    "GaussianMixtureSearch": "mixtura.selection.searching",
    "CategoricalHMM": "mixtura.estimators.hmm_faces",
    "GMMHMM": "mixtura.estimators.gmm_hmm",
    "GaussianHMM": "mixtura.estimators.hmm_faces",
    "MultinomialHMM": "mixtura.estimators.hmm_faces",
    "PoissonHMM": "mixtura.estimators.hmm_faces",
    "HiddenMarkov": "mixtura.estimators.hidden_markov",
    "HiddenMarkovSearch": "mixtura.selection.state_search",
    "MixtureSearch": "mixtura.selection.family_search",
    "StillRisingWarning": "mixtura.selection.component_search",
    "from_mclust": "mixtura.estimators.foreign",
    "from_sklearn": "mixtura.estimators.foreign",
    "IllDefined": "mixtura.errors",
    "LightWeightsWarning": "mixtura.estimators.weighing",
    "LikelihoodFell": "mixtura.errors",
    "CheckpointError": "mixtura.fitting.journal_file",
    "StoreError": "mixtura.store",
    "in_sequences": "mixtura.data.ordered",
    "stream": "mixtura.data.opening",
    "Truncated": "mixtura.solvers.truncated",
    "BootstrapLRT": "mixtura.selection.howmany",
    "bootstrap_lrt": "mixtura.selection.howmany",
    "GoodnessOfFit": "mixtura.selection.goodness",
    "goodness_of_fit": "mixtura.selection.goodness",
    "Merging": "mixtura.estimators.merging",
    "Mixture": "mixtura.estimators.mixture",
    "BernoulliMixture": "mixtura.estimators.shortcuts",
    "Contaminated": "mixtura.families.contaminated.family",
    "ContaminatedMixture": "mixtura.estimators.shortcuts",
    "LatentClass": "mixtura.estimators.shortcuts",
    "PoissonMixture": "mixtura.estimators.shortcuts",
    "Student": "mixtura.families.student.family",
    "StudentMixture": "mixtura.estimators.shortcuts",
    "VariationalGaussianHMM": "mixtura.estimators.variational_hmm",
    "register_family": "mixtura.families.registry",
    "MixtureRegression": "mixtura.estimators.regression",
    "Regression": "mixtura.families.regression.family",
    "merge_components": "mixtura.estimators.merging",
    "MixingBound": "mixtura.estimators.mixing",
    "mixing_bound": "mixtura.estimators.mixing",
    "compare_solvers": "mixtura.selection.comparing",
    "load": "mixtura.estimators.load",
}


# Modules that are asked for by name.
_ROOMS = ("supports", "testing")


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"mixtura.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'mixtura' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
