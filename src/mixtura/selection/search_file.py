"""The file of a search's checkpoint: which search it is of stands in its first line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.fitting.journal_file import (
    CheckpointError,
    JournalFile,
    first_record,
    refuse_unwritable,
)
from mixtura.version import __version__

FORMAT, VERSION = "mixtura-search", 1


def resumed_seed(path: Any, drawn: int) -> int:
    """The seed of a search with random_state=None: that of its checkpoint, if there is one."""
    refuse_unwritable(path)
    known = ((first_record(path) or {}).get("identity") or {}).get("random_state")
    return known if type(known) is int else drawn


def search_file(path: Any, identity: Mapping[str, Any]) -> JournalFile:
    """The journal; CheckpointError where there is another's."""
    asked = {"version": VERSION, "identity": dict(identity)}

    def accept(found: dict[str, Any] | None) -> None:
        if found is None or found.get("format") != FORMAT:
            raise CheckpointError(
                f"{path}: this is not the checkpoint of a search: give another name"
            )
        if any(found.get(key) != asked[key] for key in asked):
            raise CheckpointError(
                f"{path}: this checkpoint is of other rows, settings or versions: give "
                "another name, or delete it to begin anew"
            )

    head = {"format": FORMAT, "version": VERSION, "mixtura": __version__}
    return JournalFile(path, head | {"identity": dict(identity)}, accept)
