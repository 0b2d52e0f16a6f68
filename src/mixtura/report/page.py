"""Reports as plain text: one page for all of them."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType


def plain(parts: Iterable[RenderableType], width: int) -> str:
    """The parts below each other in lines of at most `width` characters, without colour codes."""
    page = io.StringIO()
    console = Console(
        file=page, width=width, color_system=None, force_terminal=False, force_jupyter=False
    )
    for part in parts:
        console.print(part)
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()) + "\n"
