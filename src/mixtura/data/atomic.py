"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mixtura.data.temporary import give_mode, synced, temporary

# What goes wrong while a file is written and does not say which.
_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class NotWritten(OSError):
    """A file that could not be written, named as the caller named it."""

    def __str__(self) -> str:
        return f"{self.filename}: cannot be written ({self.strerror})"


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`, moved onto it when the block ends without an exception.

    It is on the disk before it is moved, and has the mode of the file that it replaces. Its name
    ends like `path`, for writers that go by the suffix. A link is followed, and what is not a
    regular file (/dev/stdout, a pipe) is written straight through. NotWritten where that fails.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with atomic(Path(folder) / "a.txt") as part:
    ...         _ = part.write_text("whole")
    ...     print([p.name for p in Path(folder).iterdir()])
    ['a.txt']
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        yield Path(path)
        return
    part: Path | None = None
    try:
        with temporary(target) as part:
            yield part
            synced(part)
            give_mode(part, target)
            os.replace(part, target)
            synced(target.parent)
    except OSError as error:
        if error.filename is None:
            told = error.errno not in _WRITING
        else:
            told = error.filename not in (part, str(part), str(target))
        if told:
            raise
        # The caller knows nothing of the temporary name.
        raise NotWritten(error.errno, error.strerror, str(path)) from None


def why_not_writable(path: str | Path) -> str | None:
    """What keeps `path` from being written, in words; None when nothing does."""
    try:
        target = Path(os.path.realpath(path))
        target.lstat()
    except FileNotFoundError:
        pass
    except (OSError, TypeError, ValueError) as error:
        # Longer than a name may be, a character that no name has, a file where a folder should be.
        return str(getattr(error, "strerror", None) or error)
    if target.is_dir():
        return "it is a directory"
    if not target.parent.is_dir():
        return f"there is no folder {str(Path(path).parent)!r}"
    # A new file is made beside the target, so the folder is what must be writable.
    where = target if target.exists() and not target.is_file() else target.parent
    return None if os.access(where, os.W_OK) else "permission is missing"
