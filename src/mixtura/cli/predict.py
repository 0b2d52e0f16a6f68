"""mixtura predict: which component each row of a table belongs to, and how surely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli.beside import Beside
from mixtura.cli.chains import asked_file, asked_steps, is_chain
from mixtura.cli.console import command, load_row_model, note_remarks, split_names
from mixtura.cli.dialect import reads_table
from mixtura.cli.options import Columns, ModelFile, Prefix, TableFile, TableOut
from mixtura.cli.ordering import Ordering
from mixtura.cli.outputs import refuse_overwriting
from mixtura.cli.rowwise import append, on_screen, pieces, put_table
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from mixtura.cli.ordered_file import OrderedFile, Steps
    from mixtura.data.dialect import Dialect
    from mixtura.data.tables import Table
    from mixtura.estimators.chain import ChainEstimator
    from mixtura.records import AnyArray, Array


Scores = Annotated[
    bool, typer.Option("--scores", help="How far out each row lies, and how much in doubt it is.")
]
Top = Annotated[
    int | None,
    typer.Option(min=1, metavar="INT", help="Only so many components, the likeliest of a row."),
]


@command
@reads_table
def predict(
    *,
    model: ModelFile,
    table: TableFile,
    out: TableOut = None,
    columns: Columns = None,
    prefix: Prefix = "",
    order: Ordering,
    no_look_ahead: Annotated[
        bool, typer.Option("--filter", help="Of states: from the steps so far alone.")
    ] = False,
    scores: Scores = False,
    top: Top = None,
    besides: Beside,
    dialect: Dialect,
) -> None:
    """Append to a table each row's most probable component and the probability of every one.

    New columns: label, and p_0, p_1, ... which sum to one; of a mixture with noise p_noise too.
    The label -1 is of noise, of rows as thin as those that were trimmed, and of a contaminated
    mixture's outliers, whose chance is p_outlier; where the fit was told
    names of groups, labels are these, and so are the ends of p_0, p_1, ... Columns are matched by
    name; others are kept. --columns is for models and tables without column names. The table may
    be larger than memory: it is read and written in pieces. Nothing is written, to a file, a
    terminal or a pipe, before every row has its answer.

    With --scores also entropy (of the probabilities, in nats), p_value (how often the mixture draws
    a row as unlikely) and, of Gaussian, t and contaminated groups, outlier_score (-log10 of the
    chance to lie so far out within the group). With --top 3 the probabilities are those of the
    three likeliest components, which first_0, first_1 and first_2 name and p_first_0, ... give.

    Of a hidden Markov model: state, the likeliest path of each sequence, and p_0, p_1, ... given
    the whole sequence. With --filter both are of each step given those before it, and it alone.
    With --known COLUMN also given the states that somebody knows.

    --lower, --upper and --error name columns of bounds and errors, as in mixtura fit.
    """
    from mixtura.data.files import refuse_unwritable, remarks

    with Working("predicting", shown=not on_screen(out)) as working:
        refuse_unwritable(out)
        refuse_overwriting(out, table, model)
        mixture = load_row_model(model)
        names = split_names(columns)
        besides.refuse_stranger(mixture, model)
        if is_chain(mixture):
            file = asked_file(mixture, table, order, names, dialect)
            with_states = _with_states(mixture, file, no_look_ahead, prefix, out)
            put_table(with_states, out, whole=True)
            return
        order.refuse(model)
        if no_look_ahead:
            raise ValueError(
                f"--filter: {model} holds a mixture, which knows no order of rows: leave it out"
            )
        if scores and besides.asked:
            option = next(iter(besides.asked))
            raise ValueError(f"--scores are of rows without --{option}: leave one of them out")
        told = _Told(mixture, scores, top)
        also = besides.columns
        tables = pieces(mixture, table, names, None, working, dialect, out=out, beside=also)
        note_remarks(remarks(table, dialect))

        def answer(piece: Table, first: int) -> dict[str, AnyArray]:
            X, arrays = besides.split(piece, table, first)
            return {prefix + name: values for name, values in told(X, **arrays).items()}

        append(tables, answer, told.width, table, out)


class _Told:
    """The new columns of a mixture's rows."""

    def __init__(self, mixture: Any, scores: bool, top: int | None) -> None:
        from mixtura.estimators.known import group_names

        self.mixture, self.scores = mixture, scores
        self.names = group_names(mixture)
        self.K, self.all = int(mixture.n_components), len(mixture.weights_)
        self.top = None if top is None else min(top, self.all)
        family = mixture.fitted_family()
        self.distance = bool(scores and family.tells_distance)
        self.outliers: bool = family.tells_outliers
        self.reference = mixture.predictive_reference() if scores else None

    @property
    def width(self) -> int:
        """How many there are."""
        probabilities = self.all if self.top is None else 2 * self.top
        told = 2 * self.scores + self.distance
        return 1 + probabilities + self.outliers + told

    def __call__(self, X: Array, **beside: Array) -> dict[str, AnyArray]:
        import numpy as np
        from scipy.special import entr

        from mixtura.estimators.known import called
        from mixtura.models.noise import NOISE

        p = self.mixture.predict_proba(X, **beside)
        label = p.argmax(axis=1)
        label[label == self.K] = NOISE
        if self.outliers or hasattr(self.mixture, "trim_threshold_"):
            label = self.mixture.predict(X)
        new: dict[str, AnyArray] = {"label": called(self.names, label)}
        if self.top is None:
            named = [f"p_{name}" for name in self.names or range(self.K)] + ["p_noise"] * (
                self.all - self.K
            )
            new |= dict(zip(named, p.T, strict=True))
        else:
            first = np.argsort(-p, axis=1, kind="stable")[:, : self.top]
            shares = np.take_along_axis(p, first, axis=1)
            first[first == self.K] = NOISE
            new |= {f"first_{i}": called(self.names, first[:, i]) for i in range(self.top)}
            new |= {f"p_first_{i}": shares[:, i] for i in range(self.top)}
        if self.outliers:
            new |= {"p_outlier": self.mixture.outlier_probabilities(X)}
        if self.scores:
            new |= {"entropy": entr(p).sum(axis=1)}
        if self.reference is not None:
            new |= {"p_value": self.reference(X)}
        if self.distance:
            new |= {"outlier_score": self.mixture.outlier_scores(X)}
        return new


def _with_states(
    chain: ChainEstimator, file: OrderedFile, no_look_ahead: bool, prefix: str, out: Path | None
) -> Iterator[pa.Table]:
    """The table with the new columns of a hidden Markov model, whole sequences at a time."""
    from mixtura.data.tables import append_columns

    remarked = False
    for steps in asked_steps(file, out):
        if not remarked:
            note_remarks(steps.rows.remarks)
        remarked = True
        new = _states(chain, steps, no_look_ahead)
        added = {prefix + name: values for name, values in new.items()}
        yield append_columns(steps.rows.frame, added, file.path)


def _states(chain: ChainEstimator, steps: Steps, no_look_ahead: bool) -> dict[str, AnyArray]:
    """The new columns of a hidden Markov model."""
    asked = steps.rows, steps.lengths
    look = chain.filter if no_look_ahead else chain.predict_proba
    p = look(*asked, states=steps.known)
    states = p.argmax(axis=1) if no_look_ahead else chain.predict(*asked, states=steps.known)
    return {"state": states} | {f"p_{k}": p[:, k] for k in range(p.shape[1])}
