"""Noise on the command line: `mixtura fit --noise`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Noise = Annotated[
    bool,
    typer.Option(
        "--noise", help="Rows may belong to no group: noise, spread over the table's box."
    ),
]
NoiseVolume = Annotated[
    str | None,
    typer.Option(
        metavar="box|mclust|V",
        show_default="box",
        help="With --noise: the box of the columns, mclust's, or a volume in their units.",
    ),
]


def noise_settings(noise: bool, volume: str | None) -> dict[str, Any]:
    """The estimator's setting; ValueError for a volume without noise, or that is none."""
    if not noise:
        if volume is not None:
            raise ValueError(f"--noise-volume {volume} is for --noise: add that, or leave it out")
        return {}
    if volume is None or volume == "box":
        return {"noise": True}
    if volume == "mclust":
        return {"noise": "mclust"}
    try:
        number = float(volume)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ValueError(f"--noise-volume {volume}: write box, mclust, or a number above 0")
    return {"noise": number}
