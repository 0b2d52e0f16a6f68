"""mixtura export: a fitted Gaussian mixture for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mixtura.cli.console import command, load_model, note
from mixtura.cli.options import WRITTEN, ModelFile
from mixtura.cli.outputs import refuse_shared

KINDS = (".onnx", ".joblib")


@command
def export(
    model: ModelFile,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="FILE.onnx: a graph that any ONNX runtime answers by. FILE.joblib: the estimator "
            "of scikit-learn, for joblib.load.",
            rich_help_panel=WRITTEN,
        ),
    ],
    float32: Annotated[
        bool,
        typer.Option(
            "--float32", help="Numbers of an ONNX graph in float32.", rich_help_panel=WRITTEN
        ),
    ] = False,
) -> None:
    """Write a fitted Gaussian mixture for other programs."""
    kind = out.suffix.lower()
    if kind not in KINDS:
        raise ValueError(f"--out {out}: the name says what is written: end it in .onnx or .joblib")
    if out.is_dir():
        raise ValueError(f"--out {out}: this is a folder: give the name of a file")
    if float32 and kind != ".onnx":
        raise ValueError("--float32 is for --out FILE.onnx: scikit-learn's estimator has arrays")
    refuse_shared({"the model": model, "--out": out})
    mixture = load_model(model)
    if not hasattr(mixture, "to_onnx"):
        raise ValueError(
            f"{model}: holds a {type(mixture).__name__}, and only Gaussian mixtures are exported"
        )
    if kind == ".onnx":
        mixture.to_onnx(out, dtype="float32" if float32 else "float64")
    else:
        import joblib

        from mixtura.data.atomic import atomic

        found = mixture.to_sklearn()
        with atomic(out) as part:
            joblib.dump(found, part)
    note(f"wrote: {out}")
