"""The file of a search's checkpoint: which search it is of stands in its first line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mixtura.fitting.journal_file import CheckpointError, JournalFile
from mixtura.records import StrPath
from mixtura.version import __version__

FORMAT, VERSION = "mixtura-search", 1


def search_file(path: StrPath, identity: Mapping[str, Any]) -> JournalFile:
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
