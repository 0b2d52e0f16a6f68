"""Standard output and error as they are met: closed, full, or of an encoding without our signs."""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# What reports use, where an encoding lacks it.
_SIGNS = {"─": "-", "━": "-", "│": "|", "…": "...", "–": "-", "×": "x", "±": "+/-", "−": "-"}
# Kept, because one that is thrown away tries once more.
_ABANDONED: list[object] = []


def prepare() -> None:
    """Give both streams a place to write to, and every character a way to be written."""
    codecs.register_error("mixtura.signs", _signs)
    if sys.stdout is None:
        # Writing fails there as well, and no file that is opened later takes its number.
        nowhere = os.open(os.devnull, os.O_RDONLY)
        sys.stdout = os.fdopen(nowhere, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        abandon("stderr")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="mixtura.signs")


def has_all_signs() -> bool:
    """Whether standard output can show every character."""
    return (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Errors of writing name where to."""
    try:
        yield
    except OSError as error:
        abandon("stdout")
        raise OSError(f"standard output: cannot be written ({reason(error)})") from None


def abandon(stream: str) -> None:
    """What `stream` of `sys` did not take is not tried again, not when the process ends either."""
    _ABANDONED.append(getattr(sys, stream))
    setattr(sys, stream, io.StringIO())


def reason(error: OSError) -> str:
    """Why standard output could not be written."""
    if error.errno == errno.EBADF:
        return "it is closed"
    return str(error) if error.errno is None else os.strerror(error.errno)


def _signs(error: UnicodeError) -> tuple[str, int]:
    """Characters that an encoding lacks: signs by their like, letters as escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(map(_sign, lacking)), error.end


def _sign(character: str) -> str:
    other = character.encode("ascii", "backslashreplace").decode() if character.isalpha() else "?"
    return _SIGNS.get(character, other)
