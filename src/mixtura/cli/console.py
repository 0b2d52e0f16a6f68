"""What the commands share: errors as one line with an exit code, notes, output."""

from __future__ import annotations

import csv
import functools
import inspect
import json
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec

import typer
from rich.console import Console
from rich.text import Text

from mixtura.cli.streams import abandon, has_all_signs, writing_stdout
from mixtura.printable import printable, printable_json

OK, FIT_FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
# Reports are at most this wide, and exactly this wide where there is no terminal.
WIDEST = 100

# Models of something else than a table's rows, by the name of their class.
NO_ROWS = {"BlockModel": "blocks of a network's nodes", "Admixture": "ancestry from genotypes"}
_ALIASES: dict[str, str] = {}
# What Python's parameters are called here, where a message gives them with their value.
SPOKEN = {
    "covariance_type": "--covariance",
    "family": "--family",
    "n_components": "--components",
    "n_init": "--starts",
    "n_populations": "--populations",
    "n_states": "--states",
    "weight_concentration_prior": "--concentration",
}
_GIVEN = re.compile(rf"(?<![\w'\"])({'|'.join(SPOKEN)})=('?)(\w+(?::\w+)?)\2(?![\w.])")
_X = re.compile(r"^X(?=: | has )")
_ROW = re.compile(r"\brow (\d+) \(counted from 0\)")
stdout = Console()
stderr = Console(stderr=True)

P = ParamSpec("P")


def command(function: Callable[P, None]) -> Callable[P, None]:
    """A command whose failures are one line on stderr and an exit code, never a traceback."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with _warnings_as_notes():
            try:
                function(*args, **kwargs)
            except KeyboardInterrupt as stop:
                note(str(stop) or "interrupted: nothing was written", style="red")
                raise typer.Exit(INTERRUPTED) from None
            except (
                ArithmeticError,
                MemoryError,
                NotImplementedError,
                OSError,
                ValueError,
            ) as error:
                raise typer.Exit(told(error, kwargs.get("table"))) from None

    # --help keeps a paragraph's line ends, which are none of a terminal's.
    paragraphs = inspect.cleandoc(function.__doc__ or "").split("\n\n")
    run.__doc__ = "\n\n".join(" ".join(one.split()) for one in paragraphs)
    return run


def _exit_code(error: Exception) -> int:
    from numpy.linalg import LinAlgError

    from mixtura.errors import FitError

    # Both are ValueErrors too, but the input was fine.
    failed = (FitError, LinAlgError, ArithmeticError, MemoryError)
    return FIT_FAILED if isinstance(error, failed) else BAD_INPUT


def _one_line(error: Exception, table: object) -> str:
    if isinstance(error, MemoryError):
        return f"out of memory: use fewer rows or columns ({error})".replace(" ()", "")
    from mixtura.families.domain import BadRow

    said = " ".join(str(error).split())
    if table is not None:
        # Python calls it X, and counts its rows from 0.
        name = "standard input" if str(table) == "-" else str(table)
        said = _X.sub(lambda _: name, f"X: {said}" if isinstance(error, BadRow) else said)
        said = _ROW.sub(lambda row: f"row {int(row[1]) + 1}", said)
    said = _GIVEN.sub(lambda given: f"{SPOKEN[given[1]]} {given[3]}", said)
    return said or type(error).__name__


def alias(path: str, name: str) -> None:
    """Let notes call a temporary file by what it holds."""
    _ALIASES[path] = name


def note(message: str, style: str = "yellow") -> None:
    """One line on stderr, its first word in colour."""
    for path, name in _ALIASES.items():
        message = message.replace(path, name)
    head, _, rest = printable(message).partition(":")
    try:
        stderr.print(Text.assemble((f"{head}:", f"bold {style}"), rest), soft_wrap=True)
    except OSError:
        # There is nowhere else to say it; the exit code stays.
        abandon("stderr")


def told(error: Exception, table: object = None) -> int:
    """Say what went wrong, with that table, in one line; the exit code."""
    note(f"error: {_one_line(error, table)}", style="red")
    return _exit_code(error)


@contextmanager
def _warnings_as_notes() -> Iterator[None]:
    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        note(f"warning: {' '.join(str(message).split())}")

    with warnings.catch_warnings():
        warnings.simplefilter("default")
        for developers_only in (DeprecationWarning, PendingDeprecationWarning, ImportWarning):
            warnings.simplefilter("ignore", developers_only)
        # Columns are matched by name before the estimator sees a bare array.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        warnings.showwarning = show
        yield


def load_mixture(path: Path) -> Any:
    """The mixture in a model file; StoreError where it holds rows that hang on their order."""
    from mixtura.estimators.base import MixtureEstimator
    from mixtura.store import StoreError

    found = load_row_model(path)
    if not isinstance(found, MixtureEstimator):
        raise StoreError(
            f"{path}: holds a {type(found).__name__}, whose rows hang on their order, which this "
            "command does not know: ask it in Python, mixtura.load(path).predict(X, lengths=...)"
        )
    return found


def load_row_model(path: Path) -> Any:
    """The model of a table's rows in a model file; StoreError where it is of something else."""
    from mixtura.store import StoreError

    found = load_model(path)
    what = NO_ROWS.get(type(found).__name__)
    if what is not None:
        raise StoreError(
            f"{path}: holds {what}, not a model of a table's rows, which this command needs: "
            "print it with mixtura show, or ask it in Python after mixtura.load(path)"
        )
    return found


def load_model(path: Path) -> Any:
    """The estimator in a model file; StoreError, naming the file, if there is none.

    Of regressions it is the mixture of the table with the response in it, which commands are given.
    """
    from mixtura import load
    from mixtura.store import StoreError

    try:
        found = load(path)
        return getattr(found, "mixture_", found)
    except StoreError as error:
        named = str(error).startswith(str(path))
        raise error if named else StoreError(f"{path}: {error}") from None


def split_names(text: str | None) -> list[str] | None:
    """The names in "a,b" or, where names hold commas, in '"a, b",c'; None for None."""
    if text is None:
        return None
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True)) or [""]]


def note_remarks(remarks: tuple[str, ...]) -> None:
    """Say what was understood of a table that may have been meant otherwise."""
    for remark in remarks:
        note(f"note: {remark}")


def print_text(text: str, end: str = "\n") -> None:
    """Plain text on stdout, controls in it spelt out."""
    with writing_stdout():
        typer.echo(printable(text) + end, nl=False)


def print_json(value: Any) -> None:
    """JSON on stdout; what JSON lacks (inf, nan) is null."""
    text = json.dumps(_jsonable(value), indent=2, ensure_ascii=not has_all_signs(), allow_nan=False)
    print_text(printable_json(text))


def _jsonable(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: _jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
