"""mixtura hmm: hidden states of the rows of a table that come one after the other."""

from __future__ import annotations

import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli import options
from mixtura.cli.chain_data import to_fit
from mixtura.cli.checkpoints import refuse_checkpoint, resumable
from mixtura.cli.chosen import Chosen
from mixtura.cli.console import command, note, note_remarks, print_json, print_text, split_names
from mixtura.cli.dialect import reads_table
from mixtura.cli.ending import leave_if_interrupted, unfinished
from mixtura.cli.following import Following
from mixtura.cli.made_of import MadeOf, spec_of
from mixtura.cli.ordered_file import OrderedFile
from mixtura.cli.ordering import Ordering
from mixtura.cli.outputs import Outputs, checked_outputs, named, write_outputs, written
from mixtura.cli.select import parsed
from mixtura.cli.show import as_document, print_report
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixtura.cli.chain_data import ToFit
    from mixtura.data.dialect import Dialect
    from mixtura.estimators.hidden_markov import HiddenMarkov

Criterion = StrEnum("Criterion", ["bic", "icl", "heldout"])


@command
@reads_table
def hmm(
    *,
    table: options.TableFile,
    states: Annotated[
        str,
        typer.Option("--states", "-k", metavar="INT|A:B", help="How many; of 1:5 or 2,4 the best."),
    ] = "2",
    criterion: Annotated[Criterion, typer.Option(help="What is best of several.")] = Criterion.bic,
    folds: options.Folds = 5,
    order: Ordering,
    made_of: MadeOf,
    columns: Chosen,
    seed: options.Seed = 0,
    starts: options.Starts = 1,
    max_seconds: options.MaxSeconds = None,
    in_pieces: options.InPieces = None,
    checkpoint: options.Checkpoint = None,
    following: Following,
    out: Annotated[
        Path | None, options.model_out("The model; default TABLE.hmm.model.json.")
    ] = None,
    figure: Annotated[Path | None, options.figure("The figure; default TABLE.hmm.png.")] = None,
    no_figure: options.NoFigure = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    dialect: Dialect,
) -> None:
    """Fit a hidden Markov model: rows are steps of sequences, in the table's order.

    Rows of a sequence lie together, and a row without any value is a step that nobody saw. A table
    may be larger than memory where --sequence tells sequences apart: it is read in pieces.
    """
    outputs = checked_outputs(table, out, figure, no_figure, checkpoint, ".hmm")
    refuse_checkpoint(checkpoint, max_seconds)
    numbers = parsed(states, "--states")
    one = {"known": order.known, "max-seconds": max_seconds, "checkpoint": checkpoint}
    _refuse_beside_several(numbers, states, one)
    with (
        Working("reading", None if starts == options.AUTO else starts) as working,
        resumable(checkpoint),
    ):
        file = OrderedFile(
            table,
            made_of.kind(),
            order,
            lambda _: split_names(columns.columns),
            dialect,
            columns.weights,
            tuple(split_names(columns.exclude) or ()),
            numbers[0],
        )
        data = to_fit(file, in_pieces)
        if not (quiet or as_json):
            note_remarks(data.shown.rows.remarks)
        working.doing = "fitting"
        chain = _unfitted(
            made_of.settings(),
            n_states=numbers[0],
            n_init=starts,
            random_state=seed,
            **following.settings(data),
        )
        search = None
        if len(numbers) > 1:
            search = _searched(chain, data, numbers, str(criterion), folds, seed)
            chain = search.best_estimator_
        else:
            _fit(chain, data, working, max_seconds, checkpoint)
        working.doing = "writing" if outputs.figure is None else "drawing"
        outputs = _write(chain, data, outputs, order.time)
    if as_json:
        tried = {} if search is None else {"search": search.cv_results_}
        print_json(as_document(chain) | tried | {"files": named(outputs)})
    elif not quiet:
        if search is not None:
            from mixtura.report.states_text import states_text

            print_text(states_text(search.cv_results_, search.best_index_, str(criterion)))
        print_report(chain)
        print_text(f"\n{written(named(outputs))}")
    leave_if_interrupted(chain.fit_result_)


def _refuse_beside_several(numbers: list[int], states: str, one: dict[str, Any]) -> None:
    """ValueError for what is of one fit beside several."""
    for name, given in one.items():
        if given is not None and len(numbers) > 1:
            raise ValueError(
                f"--{name} {given} is for one number of states, and --states is {states}"
            )


def _unfitted(made_of: dict[str, Any], **settings: Any) -> Any:
    from mixtura import HiddenMarkov

    return HiddenMarkov(spec_of(made_of), **settings)


def _fit(
    chain: Any,
    data: ToFit,
    working: Working,
    max_seconds: float | None,
    checkpoint: Path | None,
) -> None:
    """Fit it; a climb that did not end is told in the command's own words."""
    from sklearn.exceptions import ConvergenceWarning

    from mixtura.estimators.clocked import cut_short

    with warnings.catch_warnings():
        # Its text is about Python's parameters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        chain.fit(
            data.X,
            **data.beside,
            max_seconds=max_seconds,
            checkpoint=checkpoint,
            listener=working,
        )
    fit = chain.fit_result_
    if cut_short(fit):
        note(f"warning: {unfinished(fit)}")
    elif not fit.converged:
        note(f"warning: the fit did not converge in {fit.iterations} EM steps: try more --starts")


def _write(chain: HiddenMarkov, data: ToFit, outputs: Outputs, time: str | None) -> Outputs:
    def picture() -> Figure:
        from mixtura.report.chain_figure import draw_chain

        rows, lengths, times, seen = data.shown
        ticks = None if times is None or time is None else (time, times)
        certainty = chain.predict_proba(rows, lengths, states=seen)
        return draw_chain(chain.view(), rows.X, data.lengths, certainty, ticks)

    return write_outputs(outputs, chain.save, picture)


def _searched(
    chain: HiddenMarkov, data: ToFit, numbers: list[int], criterion: str, folds: int, seed: int
) -> Any:
    """The search over numbers of states; that more may be better is said in the command's words."""
    from mixtura import HiddenMarkovSearch, StillRisingWarning

    search = HiddenMarkovSearch(chain, numbers, criterion=criterion, cv=folds, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StillRisingWarning)
        search.fit(
            data.X, **{name: given for name, given in data.beside.items() if name != "states"}
        )
    if search.best_params_["n_states"] == numbers[-1]:
        note(f"note: {numbers[-1]} states, the most tried, are best: try more with --states")
    return search
