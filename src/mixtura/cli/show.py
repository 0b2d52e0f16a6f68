"""mixtura show: what a model file says, as fit printed it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from mixtura.cli import options
from mixtura.cli.console import NO_ROWS, WIDEST, command, load_model, print_json, print_text, stdout
from mixtura.cli.options import AsJson, ModelFile
from mixtura.cli.outputs import drawn, refuse_no_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixtura.estimators.base import MixtureEstimator


@command
def show(
    model: ModelFile,
    as_json: AsJson = False,
    landscape: Annotated[
        Path | None,
        options.figure("Draw there the optima that the search met."),
    ] = None,
) -> None:
    """Print the report of a fitted model."""
    if landscape is not None:
        refuse_no_figure(landscape, "--landscape")
    mixture = load_model(model)
    if landscape is not None:
        figure = _landscape(mixture)
        drawn(landscape, lambda: figure)
    if type(mixture).__name__ in NO_ROWS:
        if as_json:
            print_json(beside_rows(mixture))
        else:
            print_text(mixture.summary(), end="")
    elif as_json:
        print_json(as_document(mixture))
    else:
        print_report(mixture)


def _landscape(mixture: MixtureEstimator) -> Figure:
    from mixtura.report.landscape import draw_landscape

    if mixture.fit_result_ is None:
        raise ValueError("its parameters were given, not fitted: there is no landscape")
    return draw_landscape(mixture.fit_result_)


def beside_rows(model: Any) -> dict[str, Any]:
    """A fitted model of a network or of genotypes for machines."""
    if type(model).__name__ == "BlockModel":
        from mixtura.cli.blocks import as_document as of_blocks

        return of_blocks(model)
    from mixtura.estimators.admixture_document import admixture_document

    document: dict[str, Any] = admixture_document(model)
    return document


def print_report(mixture: Any) -> None:
    """The report on stdout: in colour and as wide as the terminal, or plain where it is none."""
    from mixtura.report.text import renderables, to_text

    if not stdout.is_terminal:
        print_text(to_text(mixture.view(), width=WIDEST), end="")
        return
    width = min(stdout.width, WIDEST)
    for part in renderables(mixture.view(), width):
        stdout.print(part, width=width)


def as_document(mixture: Any) -> dict[str, Any]:
    """A fitted mixture for machines: parameters, fit quality, how the fit went."""
    from mixtura.estimators.driving import DRIVING
    from mixtura.report.view import ChainView

    view = mixture.view()
    fit = mixture.fit_result_
    document: dict[str, Any] = {"columns": list(view.names)}
    if hasattr(mixture, "covariance_type") and view.portrait.among is not None:
        document |= {
            "covariance_type": view.portrait.name,
            "weights": view.weights,
            "means": view.means,
            "covariances": view.covariances,
        }
    else:
        document |= {"family": mixture.family_.name, "weights": view.weights}
        document |= mixture.parameters_
    if view.noise is not None:
        document |= {"noise": {"weight": view.noise[0], "log_volume": view.noise[1]}}
    if isinstance(view, ChainView):
        document |= {
            "initial": view.initial,
            "transitions": view.transitions,
            "expected_stays": view.stays,
        }
        for name in ("stays_", "durations_", *DRIVING):
            if hasattr(mixture, name):
                document[name.removesuffix("_")] = getattr(mixture, name)
    if fit is None:
        return document
    if fit.bound:
        document |= {"bound": fit.loglik, "mean_bound": fit.mean_loglik}
    else:
        document |= {
            "log_likelihood": fit.loglik,
            "mean_log_likelihood": fit.mean_loglik,
            "bic": -2 * fit.loglik + fit.n_parameters * math.log(fit.weight),
            "aic": -2 * fit.loglik + 2 * fit.n_parameters,
        }
    return document | {"converged": fit.converged, "fit": fit.to_dict()}
