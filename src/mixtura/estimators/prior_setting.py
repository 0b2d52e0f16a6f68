"""What `prior=` changes of an estimator: its family, its file and its report."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sklearn.utils._param_validation import StrOptions

from mixtura.estimators.fixed import fixed_parts
from mixtura.estimators.noisy import asked_noise
from mixtura.estimators.robust import trim_of
from mixtura.families.base import Family
from mixtura.families.bayes.asked import KINDS as OF_LAWS
from mixtura.families.conjugate import (
    FRALEY_RAFTERY,
    Conjugate,
    Dirichlet,
    NormalInverseWishart,
    asked_priors,
)
from mixtura.families.registry import constrained, prior_worth, takes_priors, under_prior
from mixtura.schema import read

# What the parameter may be.
PRIOR_SETTINGS: list[Any] = [
    None,
    StrOptions({FRALEY_RAFTERY}),
    NormalInverseWishart,
    Dirichlet,
    *OF_LAWS.values(),
    dict,
    list,
    tuple,
]
# How a file calls the priors of a product's blocks.
_BLOCKS = "blocks"
KINDS: dict[str, type[Conjugate]] = {
    kind.__name__: kind for kind in (NormalInverseWishart, Dirichlet, *OF_LAWS.values())
}


def asked_family(estimator: Any, plain: Family) -> Family:
    """The family under what an estimator asks for; ValueError for settings that do not agree."""
    asked = asked_priors(estimator.prior)
    known = fixed_parts(getattr(estimator, "fixed", None))
    others = asked_noise(estimator) is not None or trim_of(estimator) or known
    if asked and (others or getattr(estimator, "concomitants", None) is not None):
        raise ValueError(
            "prior: with noise, trimming, concomitants or parameters that are fixed the components "
            "and weights are not those that it is of: leave out one of them"
        )
    return under_prior(constrained(plain, getattr(estimator, "constraint", None)), asked)


def asked_beliefs(estimator: Any, family: Family) -> tuple[Conjugate, ...]:
    """The priors that are made when the table is known, of what an estimator asks for."""
    return () if takes_priors(family) else asked_priors(getattr(estimator, "prior", None))


def stored_prior(prior: Any) -> Any:
    """As plain values."""
    if isinstance(prior, Conjugate):
        return {"kind": type(prior).__name__, **asdict(prior)}
    if isinstance(prior, dict):
        return {"kind": _BLOCKS, "blocks": {k: stored_prior(part) for k, part in prior.items()}}
    return [stored_prior(part) for part in prior] if isinstance(prior, list | tuple) else prior


def restored_prior(stored: Any) -> Any:
    """The inverse; ValueError where it is none."""
    if isinstance(stored, list):
        return [restored_prior(part) for part in stored]
    if not isinstance(stored, dict):
        return stored
    if stored.get("kind") == _BLOCKS:
        blocks = read(dict[str, Any], stored.get("blocks"), "settings.prior.blocks")
        return {name: restored_prior(part) for name, part in blocks.items()}
    parts = {name: value for name, value in stored.items() if name != "kind"}
    kind = KINDS.get(str(stored.get("kind")))
    if kind is None:
        raise ValueError(f"settings.prior has an unknown kind {stored.get('kind')!r}, or parts")
    if kind is Dirichlet:
        return read(kind, parts, "settings.prior")
    # Their own doors check numbers of any shape.
    if unknown := set(parts) - {field.name for field in fields(kind)}:
        raise ValueError(f"settings.prior has an unknown {min(unknown)!r}")
    return kind(**parts)


def prior_notes(estimator: Any) -> list[tuple[str, str]]:
    """What the report says: (label, sentence)."""
    if getattr(estimator, "prior", None) is None:
        return []
    asked, d = asked_priors(estimator.prior), estimator.n_features_in_
    worth = prior_worth(estimator._family(), asked, d, estimator.n_components)
    return [("prior", worth)]
