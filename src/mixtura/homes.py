"""Where the families live, by name: a new one is a new file and a line here.

Nothing is imported, so that the command line can say what there is before a library is loaded.
"""

from __future__ import annotations

# The module and the class (or what gives an object of it).
FAMILIES: dict[str, str] = {
    "auto": "mixtura.families.automatic:Automatic",
    "bernoulli": "mixtura.families.bernoulli:Bernoulli",
    "categorical": "mixtura.families.categorical:Categorical",
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
