"""Where families, solvers, engines and estimators live: a new one is a new file and a line here.

No library is imported, so that the command line can say what there is before a library is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any

# The module and the class (or what gives an object of it).
FAMILIES: dict[str, str] = {
    "auto": "mixtura.families.automatic:Automatic",
    "bernoulli": "mixtura.families.bernoulli:Bernoulli",
    "categorical": "mixtura.families.categorical:Categorical",
    "contaminated": "mixtura.families.contaminated.family:Contaminated",
    "exponential": "mixtura.families.exponential:Exponential",
    "gamma": "mixtura.families.gamma:Gamma",
    "gaussian": "mixtura.families.gaussian.family:plain",
    "lognormal": "mixtura.families.lognormal:LogNormal",
    "multinomial": "mixtura.families.multinomial:Multinomial",
    "negativebinomial": "mixtura.families.negativebinomial:NegativeBinomial",
    "normal": "mixtura.families.normal:Normal",
    "poisson": "mixtura.families.poisson:Poisson",
    "regression": "mixtura.families.regression.family:Regression",
    "student": "mixtura.families.student.family:Student",
    "vonmises": "mixtura.families.vonmises:VonMises",
    "vonmisesfisher": "mixtura.families.vonmisesfisher:VonMisesFisher",
}

# What makes a block of a product that is known by its posterior, of families that no rule of
# `families.bayes.rules` is for: given the family and the prior asked for.
POSTERIORS: dict[str, str] = {"gaussian": "mixtura.families.gaussian.posterior_block:normal_block"}


@dataclass(frozen=True)
class SolverHome:
    """Where a solver lives, the module and the function (or class), and what it is.

    free says that the solver follows gradients in free coordinates, extrapolates that it takes
    EM's steps further in them (where a model has none it is the model that says whether it may),
    climbs that it looks for a maximum of the likelihood from wherever it is put, so that it can be
    compared with EM, linear that its steps gain a constant share of what is left, so that the last
    digits take thousands of them, in_memory that it wants all rows at hand,
    begins that it needs somewhere to begin, timed that it ends when its time is over.
    """

    at: str
    free: bool = False
    extrapolates: bool = False
    climbs: bool = False
    linear: bool = False
    in_memory: bool = False
    begins: bool = True
    timed: bool = True

    @cached_property
    def solver(self) -> Any:
        """The solver itself, loaded; of a class one object, with its defaults."""
        found = located(self.at)
        return found() if isinstance(found, type) else found


SOLVERS: dict[str, SolverHome] = {
    "em": SolverHome("mixtura.solvers.em:em", climbs=True, linear=True),
    "squarem": SolverHome("mixtura.solvers.squarem:squarem", extrapolates=True, climbs=True),
    "anderson": SolverHome("mixtura.solvers.anderson:anderson", extrapolates=True, climbs=True),
    "lbfgs": SolverHome("mixtura.solvers.lbfgs:lbfgs", free=True, climbs=True),
    "newton": SolverHome("mixtura.solvers.newton:newton", free=True, climbs=True),
    "auto": SolverHome("mixtura.solvers.auto:auto", climbs=True),
    "annealed": SolverHome("mixtura.solvers.annealed:Annealed", free=True, timed=False),
    "hard": SolverHome("mixtura.solvers.hard:hard", in_memory=True),
    "stochastic": SolverHome("mixtura.solvers.stochastic:Stochastic", timed=False),
    "online": SolverHome("mixtura.solvers.online:Online", in_memory=True, timed=False),
    "nce": SolverHome("mixtura.solvers.contrastive:NoiseContrastive", free=True, in_memory=True),
    "truncated": SolverHome("mixtura.solvers.truncated:Truncated"),
    "moments": SolverHome("mixtura.solvers.moments:moments", in_memory=True, begins=False),
}
CLIMBERS = tuple(name for name, home in SOLVERS.items() if home.climbs)

# The engines that run every model: the module, which has `fill` too, and its sweep.
PLAIN_ENGINES: dict[str, str] = {
    "local": "mixtura.engines.local:LocalSweep",
    "threads": "mixtura.engines.threads:ThreadsSweep",
}
# Those that some model has a kernel for, in `mixtura.engines.kernels`.
FUSED_ENGINES = ("compiled", "dense", "mixed", "torch")
# That of rows in other processes.
AWAY = "dask"

# The module of each estimator that model files may hold; its `restored` makes it of a document.
ESTIMATORS: dict[str, str] = {
    "Admixture": "mixtura.estimators.admixture",
    "BayesianGaussianMixture": "mixtura.estimators.bayesian",
    "BayesianHiddenMarkov": "mixtura.estimators.bayesian_hidden_markov",
    "BayesianMixture": "mixtura.estimators.bayesian_mixture",
    "BernoulliMixture": "mixtura.estimators.shortcuts",
    "BlockModel": "mixtura.estimators.block_model",
    "CategoricalHMM": "mixtura.estimators.hmm_faces",
    "ContaminatedMixture": "mixtura.estimators.shortcuts",
    "GMMHMM": "mixtura.estimators.gmm_hmm",
    "GaussianHMM": "mixtura.estimators.hmm_faces",
    "GaussianMixture": "mixtura.estimators.gaussian_mixture",
    "HiddenMarkov": "mixtura.estimators.hidden_markov",
    "LatentClass": "mixtura.estimators.shortcuts",
    "Mixture": "mixtura.estimators.mixture",
    "MixtureRegression": "mixtura.estimators.regression",
    "MultinomialHMM": "mixtura.estimators.hmm_faces",
    "PoissonHMM": "mixtura.estimators.hmm_faces",
    "PoissonMixture": "mixtura.estimators.shortcuts",
    "StudentMixture": "mixtura.estimators.shortcuts",
    "VariationalGaussianHMM": "mixtura.estimators.variational_hmm",
}


def located(home: str) -> Any:
    """What lives at "module:name", loaded."""
    module, _, name = home.partition(":")
    return getattr(import_module(module), name)
