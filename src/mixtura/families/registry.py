"""The families by name; those of the house are listed in `mixtura.homes`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mixtura.families.base import Family
from mixtura.families.believed import rows_told, told_worth
from mixtura.families.conjugate import Conjugate, Dirichlet, NormalInverseWishart, RowsBefore
from mixtura.families.factor.family import FactorAnalysers
from mixtura.families.factor.structure import FactorAnalytic, parsed, type_name
from mixtura.families.gaussian.conjugate import before_rows, prior_rows
from mixtura.families.gaussian.covariance import STRUCTURES
from mixtura.families.gaussian.family import PLAIN, Gaussian
from mixtura.families.limits import Limits, keeps_limits, restricted
from mixtura.families.ratio import EigenvalueRatio
from mixtura.families.returned import check_class
from mixtura.homes import FAMILIES as HOMES
from mixtura.homes import located
from mixtura.records import Array

# What stands for a family: its own name, one of a covariance structure or of factors, or itself.
Spec = str | FactorAnalytic | Family


def _at(home: str) -> Callable[[], Family]:
    """What makes the family that lives there."""

    def make() -> Family:
        found: Family = located(home)()
        return found

    return make


FAMILIES: dict[str, Callable[[], Family]] = {name: _at(home) for name, home in HOMES.items()}


def register_family(name: str, make: Callable[[], Family]) -> None:
    """Let `name` stand for the family that `make()` gives: in `Mixture`, searches, model files.

    Parameters
    ----------
    name : str, as the family's own `name`; a Python identifier in small letters
    make : the class, or what gives an object of it

    Raises
    ------
    ValueError
        For a name that stands for another family, and for what makes none.
    """
    if not (name.isidentifier() and name.islower()):
        raise ValueError(f"register_family: a name is an identifier in small letters, got {name!r}")
    if FAMILIES.get(name, make) is not make:
        raise ValueError(f"register_family: {name!r} stands for another family: take another name")
    if not callable(make) or not isinstance(make(), Family):
        raise ValueError(
            f"register_family: {make!r} makes no Family: give the class, or a function without "
            "parameters that returns an object of it"
        )
    FAMILIES[name] = make


def those(says: Callable[[Family], bool]) -> str:
    """The names of the families, and of covariance types as such, that say yes; for messages."""
    kinds = {name: make() for name, make in FAMILIES.items()}
    kinds |= {name: Gaussian(structure) for name, structure in STRUCTURES.items()}
    return ", ".join(repr(name) for name, kind in kinds.items() if says(kind))


def asked(kind: Spec, covariance_type: str | FactorAnalytic) -> Spec:
    """What components are made of, from a family and the structure of its covariances.

    ValueError for a structure that components of this family do not have.
    """
    if kind == "gaussian":
        return type_name(covariance_type)
    if covariance_type == PLAIN:
        return kind
    found, name = family(kind), type_name(covariance_type)
    if name not in found.structures:
        known = ", ".join(sorted(found.structures))
        others = f"knows {known}: choose one" if known else "has none: leave one of them out"
        raise ValueError(
            f"covariance_type={name!r} shapes covariances, and family={spec_name(kind)!r} {others}"
        )
    return replace(found, covariance_type=name)  # type: ignore[type-var]


def spec_name(kind: Spec) -> str:
    """The name of what `asked` returned, or of a family."""
    return kind.name if isinstance(kind, Family) else str(kind)


def family(spec: Spec, reg_covar: float | None = None) -> Family:
    """The family that `spec` stands for; ValueError names the known ones.

    `reg_covar` is for the Gaussian ones: what is added to every variance.
    """
    if isinstance(spec, Family):
        check_class(spec)
        return spec
    if str(spec) in FAMILIES:
        return FAMILIES[str(spec)]()
    factors = spec if isinstance(spec, FactorAnalytic) else parsed(str(spec))
    if factors is not None:
        return FactorAnalysers(factors, reg_covar)
    if str(spec) in STRUCTURES:
        return Gaussian(STRUCTURES[str(spec)], reg_covar)
    raise ValueError(
        f"family must be one of {sorted(FAMILIES)}, a covariance type such as 'full' or 'UUU:10', "
        f"or a Family, got {spec!r}"
    )


def under_prior(family: Family, asked: tuple[Conjugate, ...]) -> Family:
    """The family under conjugate priors; ValueError where it has none such.

    Of families that make none of them themselves `believed` takes them when the table is known.
    """
    if not (asked and takes_priors(family)):
        return family
    for part in asked:
        if not isinstance(part, NormalInverseWishart | Dirichlet):
            raise ValueError(
                f"prior: {part!r} is no law of Gaussian components: use NormalInverseWishart(...), "
                "and Dirichlet(...) for the weights"
            )
    if (
        isinstance(family, Gaussian)
        and family.structure.inside
        and family.reg_covar is None
        and family.ratio is None
    ):
        return replace(family, asked=asked)
    raise ValueError(
        "prior: conjugate priors are for covariance_type 'full', 'tied', 'diag' or 'spherical' "
        f"with reg_covar=None and constraint=None, and this is {_settings(family)}: leave out the "
        "prior or what is not so"
    )


def _settings(family: Any) -> str:
    """What was asked of the covariances of a Gaussian family, for messages."""
    asked = {
        "reg_covar": getattr(family, "reg_covar", None),
        "constraint": getattr(family, "ratio", None),
    }
    given = [f"{name}={value!r}" for name, value in asked.items() if value is not None]
    return " with ".join([repr(family.name), " and ".join(given)]) if given else repr(family.name)


def takes_priors(family: Family) -> bool:
    """Whether a family makes conjugate priors of its own, or refuses them."""
    return isinstance(family, Gaussian | FactorAnalysers)


def under_rows(prior: Any, asked: RowsBefore) -> Any:
    """A table's prior of Gaussian components, with rows that were seen before."""
    return before_rows(prior, asked)


def prior_worth(family: Family, asked: tuple[Conjugate, ...], d: int, K: int) -> str:
    """What the priors of a family of d columns and K components are worth, in words."""
    said = []
    for part in asked:
        if isinstance(part, NormalInverseWishart):
            rows = prior_rows(family.form, part, d, K)  # type: ignore[attr-defined]
            said.append(f"a covariance's is worth {rows_told(rows)}, a mean's {part.shrinkage:.4g}")
        elif isinstance(part, Dirichlet):
            said.append(f"each weight's is worth {rows_told(part.alpha - 1)}")
        else:
            said += told_worth(family, part)
    return "; ".join(said)


def constrained(family: Family, constraint: EigenvalueRatio | None) -> Family:
    """The family under a constraint; ValueError where it has none such."""
    if constraint is None:
        return family
    plain = isinstance(family, Gaussian) and family.structure.inside
    if not plain or family.reg_covar is not None:  # type: ignore[attr-defined]
        raise ValueError(
            "constraint: an eigenvalue ratio is for covariance_type 'full', 'tied', 'diag' or "
            f"'spherical' with reg_covar=None, and this is {_settings(family)}"
        )
    return replace(family, ratio=constraint)  # type: ignore[type-var]


def limited(family: Family, limits: Limits) -> Family:
    """The family with bounds and ties of its parameters; ValueError where it keeps none such."""
    if isinstance(family, Gaussian):
        return family.with_limits(limits)
    if not keeps_limits(family):
        raise ValueError(
            f"fixed: bounds and ties are for families {those(keeps_limits)}, and for Gaussian "
            f"components as covariance_type; this is {family.name!r}: leave them out"
        )
    return restricted(family, limits)


def pinned(family: Family, means: Array | None, common: bool, covariances: Array | None) -> Family:
    """The family with known means (K, d) and covariances, NaN where one is free; with `common` one
    free mean for all. ValueError where it can know none."""
    if not isinstance(family, Gaussian):
        raise ValueError(
            f"fixed: means and covariances are for Gaussian components, and family "
            f"{family.name!r} knows only weights: leave them out"
        )
    return family.with_pins(means, common, covariances)
