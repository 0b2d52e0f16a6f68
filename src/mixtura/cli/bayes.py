"""Posteriors on the command line: what `mixtura fit --bayes` may be told, and their density."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from mixtura.cli.grouped import Grouped
from mixtura.cli.options import CURES

PriorType = StrEnum("PriorType", ["process", "distribution"])
# As scikit-learn calls them.
THEIRS = {"process": "dirichlet_process", "distribution": "dirichlet_distribution"}
SHAPES = ("full", "tied", "diag", "spherical", "EII", "VII", "EEI", "VVI", "EEE", "VVV")


@dataclass(frozen=True)
class Posterior(Grouped):
    """Whether a posterior is fitted, and the prior of its weights."""

    bayes: Annotated[
        bool,
        typer.Option(
            "--bayes",
            help="Fit a posterior: of at most --components groups as many stay as the table bears.",
            rich_help_panel=CURES,
        ),
    ] = False
    weight_prior: Annotated[
        PriorType | None,
        typer.Option(
            show_default="process",
            help="With --bayes: the Dirichlet prior of the weights.",
            rich_help_panel=CURES,
        ),
    ] = None
    concentration: Annotated[
        float | None,
        typer.Option(
            metavar="FLOAT",
            show_default="1 / components",
            help="With --bayes: that of the weights' prior.",
            rich_help_panel=CURES,
        ),
    ] = None

    def settings(
        self, settings: dict[str, Any], cures: dict[str, Any], max_seconds: float | None
    ) -> dict[str, Any]:
        """The estimator's, with those of robust fits; ValueError where they do not go together."""
        if not self.bayes:
            prior = {"--weight-prior": self.weight_prior, "--concentration": self.concentration}
            for name, value in prior.items():
                if value is not None:
                    raise ValueError(f"{name} {value} is for --bayes: add that, or leave it out")
            return settings | cures
        for asked in cures:
            option = "eigenvalue-ratio" if asked == "constraint" else asked
            raise ValueError(f"--bayes knows no --{option}: leave one of them out")
        if max_seconds is not None:
            raise ValueError("--max-seconds cannot be kept with --bayes: leave one of them out")
        return posterior_settings(settings, self.weight_prior, self.concentration)


def posterior_settings(
    settings: dict[str, Any], prior: PriorType | None, concentration: float | None
) -> dict[str, Any]:
    """Those of a `BayesianGaussianMixture`, or with a family of a `BayesianMixture`.

    ValueError where there is no such thing.
    """
    if "family" in settings:
        from mixtura.families.bayes.family import posterior_of
        from mixtura.families.registry import family

        posterior_of(family(settings["family"]))
    if concentration is not None and not 0 < concentration < math.inf:
        raise ValueError(f"--concentration {concentration:g} is no positive number: give one")
    shape = settings.get("covariance_type", SHAPES[0])
    if shape not in SHAPES:
        raise ValueError(f"--bayes knows the covariances {', '.join(SHAPES)}, not {shape}")
    if settings["solver"] not in ("auto", "em"):
        raise ValueError(
            f"--bayes is climbed by EM alone, and --solver is {settings['solver']}: leave it out"
        )
    if settings["engine"] == "mixed":
        raise ValueError("--bayes has no passes in float32: leave out --engine mixed")
    found = {name: value for name, value in settings.items() if name != "solver"}
    found["weight_concentration_prior_type"] = THEIRS[prior or PriorType.process]
    return found | {"weight_concentration_prior": concentration}


def is_posterior(mixture: Any) -> bool:
    """Whether a fitted mixture is known by its posterior."""
    return hasattr(mixture, "elbo_")


def log_density(mixture: Any, X: Any, **beside: Any) -> Any:
    """log p(x) of each row; of a posterior the predictive one, for the other is no density.

    `beside` is what is known of its cells beside their numbers.
    """
    if is_posterior(mixture):
        return mixture.score_samples(X, predictive=True)
    return mixture.score_samples(X, **beside)


def responsibilities(mixture: Any, X: Any) -> Any:
    """Those of the groups that reports and figures show, (n, groups)."""
    found = mixture.predict_proba(X)
    return found[:, mixture.held_] if is_posterior(mixture) else found
