"""Where a command writes: names checked before any work, and no two of them one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from mixtura.cli.console import note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class Outputs:
    """The files a fit will write; figure is None when none is wanted."""

    model: Path
    figure: Path | None


def checked_outputs(
    table: Path,
    out: Path | None,
    figure: Path | None,
    no_figure: bool,
    checkpoint: Path | None = None,
    kind: str = "",
) -> Outputs:
    """Where the files will go; ValueError, before any work, if they cannot be written.

    `kind`, of every command but `fit`, is put before the endings of names that are not given, so
    that no command replaces what another has written.
    """
    picture = checked_figure(table, figure, no_figure, kind)
    model = out or Path(f"{stem_of(table)}{kind}.model.json")
    if model.suffix.lower() != ".json":
        raise ValueError(f"--out {model}: a model's name ends in .json")
    refuse_unwritable("--out", model)
    read = {"the table that is read": table}
    refuse_shared(read | {"--out": model, "--figure": picture, "--checkpoint": checkpoint})
    return Outputs(model, picture)


def checked_figure(
    table: Path, figure: Path | None, no_figure: bool = False, kind: str = ""
) -> Path | None:
    """Where the figure will go; ValueError, before any work, if it cannot be written."""
    if figure is not None and no_figure:
        raise ValueError("--figure and --no-figure contradict each other: leave one out")
    if no_figure:
        return None
    target = figure or Path(f"{stem_of(table)}{kind}.png")
    refuse_no_figure(target)
    refuse_shared({"the table that is read": table, "--figure": target})
    return target


def refuse_no_figure(target: Path, option: str = "--figure") -> None:
    """ValueError where no figure can be written there."""
    if target.suffix.lower() not in FIGURES:
        raise ValueError(f"{option} {target}: a figure's name ends in .png, .svg or .pdf")
    refuse_unwritable(option, target)


def named(outputs: Outputs) -> dict[str, str | None]:
    """The files by what they are."""
    return {
        "model": str(outputs.model),
        "figure": None if outputs.figure is None else str(outputs.figure),
    }


def written(files: Mapping[str, str | None]) -> str:
    """What a command says of the files that it wrote, the last line of its report."""
    return f"  wrote {' and '.join(f'{path} ({what})' for what, path in files.items() if path)}"


def write_outputs(
    outputs: Outputs, save: Callable[[Path], object], picture: Callable[[], Figure]
) -> Outputs:
    """Write both files, or neither when interrupted; what was written."""
    from mixtura.data.atomic import atomic
    from mixtura.store import StoreError

    # The model stays under a temporary name until the figure is done.
    with atomic(outputs.model) as model:
        try:
            save(model)
        except StoreError as error:
            raise StoreError(str(error).replace(str(model), str(outputs.model))) from None
        return Outputs(outputs.model, drawn(outputs.figure, picture))


def drawn(
    path: Path | None, picture: Callable[[], Figure], *, few_colours: bool = False
) -> Path | None:
    """Draw a figure into a file, where one is wanted; None, and a note, where it cannot be."""
    if path is None:
        return None
    from mixtura.data.atomic import atomic

    try:
        from mixtura.report.figures import save_figure

        figure = picture()
        with atomic(path) as part:
            save_figure(figure, part, few_colours=few_colours)
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        # A fit may have taken hours: it is not thrown away for a picture.
        reason = str(error)
        if isinstance(error, OSError) and error.strerror:
            # Its own text names a temporary file.
            reason = f"{path}: {error.strerror}"
        note(f"warning: the figure was not drawn: {reason}")
        return None
    return path


def refuse_overwriting(out: Path | None, table: Path, model: Path) -> None:
    """ValueError if the result would replace what it is made from, or a part of it."""
    refuse_shared({"the table that is read": table, "the model": model, "--out": out})
    if out is None:
        return
    source = Path(os.path.realpath(table))
    if source.is_dir() and source in Path(os.path.realpath(out)).parents:
        raise ValueError(
            f"--out {out}: this lies in the folder that is read, {table}: write to another folder"
        )


def refuse_shared(paths: Mapping[str, Path | None]) -> None:
    """ValueError where two of the files, by what they are called, are one; links are followed."""
    given = [(name, path) for name, path in paths.items() if path is not None]
    for (first, one), (second, other) in combinations(given, 2):
        if _is_same(one, other):
            raise ValueError(f"{second} {other}: this is {first}: give another name")


def _is_same(one: Path, other: Path) -> bool:
    if os.path.realpath(one) == os.path.realpath(other):
        return True
    try:
        # Other spellings and hard links.
        return one.is_file() and os.path.samefile(one, other)
    except OSError:
        return False


def stem_of(table: Path) -> str:
    """The table's name without its ending, .csv.gz being one."""
    return table.name.removesuffix(".gz").rpartition(".")[0] or table.name


def refuse_unwritable(option: str, path: Path) -> None:
    """ValueError where nothing can be written there."""
    from mixtura.data.atomic import why_not_writable

    reason = why_not_writable(path)
    if reason is not None:
        raise ValueError(f"{option} {path}: cannot be written: {reason}")
