"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary name beside `path`, moved onto it when the block ends without an exception.

    The temporary name ends like `path`, for writers that go by the suffix. A link is followed, and
    what is not a regular file (/dev/stdout, a pipe) is written straight through.

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
    part = target.with_name(f".part-{os.getpid()}-{target.name}")
    try:
        yield part
        os.replace(part, target)
    except OSError as error:
        if error.errno is None or error.filename not in (str(part), part):
            raise
        # The caller knows nothing of the temporary name.
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        # Gone already when all went well; KeyboardInterrupt comes through here too.
        part.unlink(missing_ok=True)


def why_not_writable(path: str | Path) -> str | None:
    """What keeps `path` from being written, in words; None when nothing does."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        return "it is a directory"
    if not target.parent.is_dir():
        return f"there is no folder {str(Path(path).parent)!r}"
    # A new file is made beside the target, so the folder is what must be writable.
    where = target if target.exists() and not target.is_file() else target.parent
    return None if os.access(where, os.W_OK) else "permission is missing"
