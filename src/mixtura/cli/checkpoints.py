"""The file of --checkpoint: refused before any work, told of on Ctrl-C, removed at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def resumable(checkpoint: Path | None) -> Iterator[None]:
    """The work whose results are written in this block.

    An interruption says how to go on; at the end the checkpoint is not needed any more.
    CheckpointError where none can be written.
    """
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is None or not checkpoint.exists():
            raise
        raise KeyboardInterrupt(
            f"interrupted: the same command goes on from {checkpoint}"
        ) from None
    from mixtura.fitting.journal_file import removed

    removed(checkpoint)


def refuse_checkpoint(checkpoint: Path | None, max_seconds: float | None = None) -> None:
    """CheckpointError, before any work, where there cannot be a checkpoint of that name.

    ValueError for a limit of time beside one.
    """
    if checkpoint is not None:
        if max_seconds is not None:
            raise ValueError(
                "--max-seconds cannot be kept with --checkpoint: leave one of them out"
            )
        from mixtura.fitting.journal_file import refuse_unwritable

        refuse_unwritable(checkpoint)
