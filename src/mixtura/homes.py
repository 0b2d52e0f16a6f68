"""Where families and estimators live, by name: a new one is a new file and a line here.

Nothing is imported, so that the command line can say what there is before a library is loaded.
"""

from __future__ import annotations

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

# The module of each estimator that model files may hold; its `restored` makes it of a document.
ESTIMATORS: dict[str, str] = {
    "Admixture": "mixtura.estimators.admixture",
    "BayesianGaussianMixture": "mixtura.estimators.bayesian",
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
}
