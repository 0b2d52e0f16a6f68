"""What weights hang on, as a table of log-ratios."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mixtura.printable import printable
from mixtura.records import Array
from mixtura.report.page import plain
from mixtura.report.view import wrapped

WIDTH, HEADER_WIDTH = 100, 18


def weights_text(names: Sequence[str], logits: Array) -> str:
    """Coefficients (K, 1 + c) of log P(k | x) / P(0 | x), the intercept first, as plain text."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("group", justify="right", no_wrap=True)
    for name in ("intercept", *map(printable, names)):
        table.add_column(Text(wrapped(name, HEADER_WIDTH), justify="right"), justify="right")
    for k, row in enumerate(logits):
        table.add_row(str(k), *(f"{value:.4g}" for value in row))
    caption = Padding(Text("Log odds of each group against group 0, by concomitant."), (0, 0, 0, 2))
    return plain([table, caption], WIDTH).strip("\n")
