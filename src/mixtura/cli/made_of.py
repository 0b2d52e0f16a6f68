"""What components are made of on the command line: `--family` and `--covariance`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli.grouped import Grouped
from mixtura.homes import FAMILIES

if TYPE_CHECKING:
    from mixtura.families.base import Family
    from mixtura.families.registry import Spec

# Written out because looking them up would import the whole library.
COVARIANCES = (
    *("full", "tied", "diag", "spherical", "EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE"),
    *("EVE", "VVE", "EEV", "VEV", "EVV", "VVV", "E", "V"),
)


def covariance_name(text: str) -> str:
    """The name of a structure, or of factors such as UUU:10, as it was written."""
    from mixtura.families.factor.structure import parsed

    try:
        known = text in COVARIANCES or parsed(text) is not None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if not known:
        names = ", ".join(COVARIANCES)
        raise typer.BadParameter(f"{text!r} is not one of {names}, or of factors as UUU:10")
    return text


def family_name(text: str) -> str:
    """The name of a family."""
    if text not in FAMILIES:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(FAMILIES)}")
    return text


_NAME = f"What a group is made of: {', '.join(FAMILIES)}."


@dataclass(frozen=True)
class MadeOf(Grouped):
    """A family, and the structure of covariances where it has them."""

    family: Annotated[str, typer.Option(parser=family_name, metavar="NAME", help=_NAME)] = (
        "gaussian"
    )
    covariance: Annotated[
        str | None,
        typer.Option(
            parser=covariance_name,
            metavar="NAME",
            show_default="full",
            help="What shapes groups may have that have covariances: full, tied, diag, spherical, "
            "mclust's EII to VVV, or, Gaussian ones, UUU:10 for 10 factors and noise.",
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """The estimator's; ValueError where a family has no such shape."""
        if self.family == "gaussian":
            return {"covariance_type": self.covariance or "full"}
        settings = {"family": str(self.family)}
        if self.covariance is not None:
            settings |= {"covariance_type": self.covariance}
        spec_of(settings)
        return settings

    def kind(self) -> Family:
        """The family."""
        from mixtura.families.registry import family

        return family(spec_of(self.settings()))


def spec_of(settings: dict[str, Any]) -> Spec:
    """The family that these settings speak of: its name, or with a structure the family."""
    from mixtura.families.registry import asked

    return asked(settings.get("family", "gaussian"), settings.get("covariance_type", "full"))


def unfitted(settings: dict[str, Any]) -> Any:
    """The estimator with these settings."""
    from mixtura import BayesianGaussianMixture, BayesianMixture, GaussianMixture, Mixture

    posterior = "weight_concentration_prior" in settings
    if "family" not in settings:
        return (BayesianGaussianMixture if posterior else GaussianMixture)(**settings)
    rest = {name: value for name, value in settings.items() if name != "covariance_type"}
    return (BayesianMixture if posterior else Mixture)(**rest | {"family": spec_of(settings)})
