"""mixtura blocks: communities and other blocks of a network's nodes, from a list of edges."""

from __future__ import annotations

import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli import options
from mixtura.cli.checkpoints import refuse_checkpoint, resumable
from mixtura.cli.console import command, note, print_json, print_text, split_names
from mixtura.cli.dialect import reads_table
from mixtura.cli.ending import interrupted, leave_if_interrupted
from mixtura.cli.options import AsJson, Checkpoint, MaxSeconds, NoFigure, Quiet, Seed
from mixtura.cli.outputs import checked_outputs, named, refuse_shared, stem_of, write_outputs
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixtura.data.dialect import Dialect
    from mixtura.estimators.block_model import BlockModel

Law = StrEnum("Law", ["auto", "bernoulli", "poisson", "gaussian"])
Degrees = StrEnum("Degrees", ["no", "yes", "auto"])
KEPT: dict[str, bool | str] = {"no": False, "yes": True, "auto": "auto"}
# Python's words in errors, and the command's.
WORDS = (
    ("n_blocks=", "--blocks "),
    ("bipartite=True", "--bipartite"),
    ("directed=True", "--directed"),
    ("edges=", "--edges "),
    ("degree_corrected=False", "--degrees no"),
    ("degree_corrected=True", "--degrees yes"),
    ("degree_corrected=", "--degrees "),
    ("weight=", "--weight "),
    ("ends=", "--ends "),
    ("(ends)", "(--ends A,B)"),
    ("max_seconds and checkpoint:", "--max-seconds and --checkpoint:"),
)


@command
@reads_table
def blocks(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="EDGES",
            help="A file with a row for each edge: .csv, .tsv, .txt (also .gz), .parquet, ...; or "
            "- for standard input.",
        ),
    ],
    blocks: Annotated[
        str,
        typer.Option(
            "--blocks",
            "-k",
            metavar="INT|INT,INT|auto",
            help="How many, of each side of a bipartite network; auto finds numbers.",
        ),
    ] = "auto",
    edges: Annotated[Law, typer.Option(help="What an edge is; auto: there or not.")] = Law.auto,
    degrees: Annotated[
        Degrees, typer.Option(help="Whether nodes keep their degrees (Karrer & Newman).")
    ] = Degrees.no,
    directed: Annotated[
        bool, typer.Option("--directed", help="Edges go from the first node to the second.")
    ] = False,
    bipartite: Annotated[
        bool,
        typer.Option(
            "--bipartite", help="The two columns of nodes are two sides, with own blocks."
        ),
    ] = False,
    ends: Annotated[
        str | None,
        options.columns("A,B", "The columns of nodes; default source,target, or 2 first."),
    ] = None,
    weight: Annotated[
        str | None,
        options.columns("COLUMN", "The column of counts or strengths."),
    ] = None,
    seed: Seed = 0,
    checkpoint: Checkpoint = None,
    max_seconds: MaxSeconds = None,
    out: Annotated[
        Path | None, options.model_out("The model; default EDGES.blocks.model.json.")
    ] = None,
    nodes: Annotated[
        Path | None,
        options.file_out("TABLE", "The block of each node; default EDGES.blocks.csv."),
    ] = None,
    figure: Annotated[Path | None, options.figure("The figure; default EDGES.blocks.png.")] = None,
    no_figure: NoFigure = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    *,
    dialect: Dialect,
) -> None:
    """Find the blocks of a network's nodes: who is joined with whom, and how."""
    outputs = checked_outputs(table, out, figure, no_figure, checkpoint, ".blocks")
    refuse_checkpoint(checkpoint)
    told = nodes or Path(f"{stem_of(table)}.blocks.csv")
    read = {"the list that is read": table, "--out": outputs.model, "--figure": outputs.figure}
    refuse_shared(read | {"--checkpoint": checkpoint, "--nodes": told})
    model = _unfitted(_number(blocks, bipartite), str(edges), str(degrees), bipartite, seed)
    with resumable(checkpoint), Working("reading") as working:
        from mixtura.data.files import refuse_unwritable
        from mixtura.data.networks.reading import as_network
        from mixtura.data.writing import write_table

        refuse_unwritable(told)
        try:
            network = as_network(
                table,
                directed=directed,
                weight=weight,
                ends=None if ends is None else tuple(split_names(ends) or ()),
                dialect=dialect,
                bipartite=bipartite,
            )
            working.doing = "fitting"
            _fit(model, network, checkpoint, max_seconds)
        except ValueError as error:
            raise type(error)(_in_words(str(error), table)) from None
        working.doing = "writing"

        def picture() -> Figure:
            return model.figure(network)

        write_table(_memberships(model), told)
        outputs = write_outputs(outputs, model.save, picture)
    files = {**named(outputs), "nodes": str(told)}
    if as_json:
        print_json(as_document(model) | {"files": files})
    elif not quiet:
        print_text(model.summary(), end="")
        written = [f"{path} ({what})" for what, path in files.items() if path]
        print_text(f"\n  wrote {', '.join(written)}")
    leave_if_interrupted(model.fit_result_)


def _number(text: str, bipartite: bool) -> int | tuple[int, int] | str:
    if text == "auto":
        return text
    each = text.split(",")
    if len(each) > 1 + bipartite or not all(one.isdecimal() and int(one) for one in each):
        pair = ", nor two of these (2,3)" if bipartite else ""
        if len(each) > 1 and not bipartite:
            pair = "; two numbers are for --bipartite"
        raise ValueError(f"--blocks {text}: this is neither a number from 1 on nor auto{pair}")
    return int(text) if len(each) == 1 else (int(each[0]), int(each[1]))


def _unfitted(
    blocks: int | tuple[int, int] | str, edges: str, degrees: str, bipartite: bool, seed: int
) -> BlockModel:
    from mixtura import BlockModel

    kept = KEPT[degrees]
    return BlockModel(
        blocks, edges=edges, degree_corrected=kept, bipartite=bipartite, random_state=seed
    )


def _fit(
    model: BlockModel, network: Any, checkpoint: Path | None, max_seconds: float | None
) -> None:
    """Fit it; a climb that did not end is told in the command's own words."""
    from sklearn.exceptions import ConvergenceWarning

    from mixtura.solvers.clock import TIMED_OUT

    with warnings.catch_warnings():
        # Its text is about Python's parameters.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(network, checkpoint=checkpoint, max_seconds=max_seconds)
    fit = model.fit_result_
    if interrupted(fit):
        note(f"warning: {fit.reason}")
    elif fit.reason == TIMED_OUT:
        said = fit.remark.rpartition("; ")[2].replace("max_seconds", "--max-seconds")
        note(f"warning: {said}: give it more")
    elif not fit.converged:
        note(f"warning: the fit did not converge in {fit.iterations} steps: try another --seed")


def _in_words(message: str, table: Path) -> str:
    """An error about the network, with the file's name and the command's options."""
    for python, option in WORDS:
        message = message.replace(python, option)
    return (
        message.replace("network:", f"{table}:", 1) if message.startswith("network:") else message
    )


def _memberships(model: BlockModel) -> Any:
    """A row for each node: its name, of bipartite networks its side, its block, and its share in
    each."""
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {"node": model.nodes_.tolist(), "block": model.labels_}
    if model.sides_:
        columns["side"] = np.repeat([0, 1], model.sides_)
    shares = {f"p_{k}": model.memberships_[:, k] for k in range(model.memberships_.shape[1])}
    return pa.table(columns | shares)


def as_document(model: BlockModel) -> dict[str, Any]:
    """A fitted block model for machines: all but the shares of nodes."""
    from mixtura.estimators.block_document import block_document

    document: dict[str, Any] = block_document(model)
    arrays = document.pop("arrays")
    arrays.pop("memberships")
    return {**document, **arrays, "labels": model.labels_}
