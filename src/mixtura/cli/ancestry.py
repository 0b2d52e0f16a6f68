"""mixtura ancestry: shares of ancestry from a PLINK file, for one or several K."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mixtura.cli import options
from mixtura.cli.checkpoints import refuse_checkpoint, resumable
from mixtura.cli.console import command, note, print_json, print_text
from mixtura.cli.options import AsJson, Checkpoint, NoFigure, Quiet, Seed
from mixtura.cli.outputs import checked_figure, drawn, refuse_shared, refuse_unwritable
from mixtura.cli.select import parsed
from mixtura.cli.working import Working

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from mixtura.selection.admixture_search import AdmixtureSearch


@command
def ancestry(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.bed", help="Genotypes; FILE.fam and FILE.bim beside. Or a VCF file."
        ),
    ],
    populations: Annotated[
        str, typer.Option("--populations", "-k", metavar="INT|A:B", help="How many; 2:7 or 2,5.")
    ] = "2",
    starts: Annotated[int, options.starts("Races of starts for each number.")] = 5,
    folds: Annotated[
        int, typer.Option(min=0, metavar="INT", help="Of the cross-validation; 0 for none.")
    ] = 5,
    known: Annotated[
        Path | None,
        typer.Option("--supervised", metavar="FILE.pop", help="Known ancestry, - where unknown."),
    ] = None,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        options.file_out("STEM", "Files are STEM.K.Q and STEM.K.P; default FILE."),
    ] = None,
    figure: Annotated[Path | None, options.figure("The bars; default STEM.ancestry.png.")] = None,
    modes: Annotated[
        bool,
        typer.Option(
            "--modes",
            help="Write and draw every end that climbs met.",
            rich_help_panel=options.WRITTEN,
        ),
    ] = False,
    no_figure: NoFigure = False,
    checkpoint: Checkpoint = None,
    max_seconds: Annotated[
        float | None,
        options.seconds("Begin nothing more after so long."),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Estimate each individual's shares of K populations, and which K predicts hidden genotypes."""
    numbers = parsed(populations, "--populations")
    if folds == 1:
        raise ValueError("--folds 1: at least 2, or 0 for no cross-validation")
    stem = out or Path(_stem(file))
    for K in numbers:
        for end in ("Q", "P"):
            refuse_unwritable("--out", Path(f"{stem}.{K}.{end}"))
    named = None if no_figure else Path(f"{stem}.ancestry.png")
    picture = checked_figure(file, figure or named, no_figure)
    refuse_checkpoint(checkpoint, max_seconds)
    refuse_shared({"the file": file, "--figure": picture, "--checkpoint": checkpoint})
    with Working("reading") as working, resumable(checkpoint):
        genotypes, labels = _read(file, known, numbers)
        search = _search(numbers, starts, folds, seed)

        def told(K: int) -> None:
            working.doing = f"fitting {K} populations"

        with warnings.catch_warnings():
            # Its text is about Python's parameters.
            warnings.simplefilter("ignore", UserWarning)
            try:
                search.fit(genotypes, labels, told, checkpoint=checkpoint, max_seconds=max_seconds)
            except ValueError as error:
                raise ValueError(str(error).replace("folds=", "--folds ", 1)) from None
        working.doing = "writing"
        written = _write(search, stem, modes)

        def bars() -> Figure:
            from mixtura.report.ancestry_figure import draw_ancestry
            from mixtura.report.ancestry_table import mode_panels

            shares = {K: one.Q_ for K, one in search.admixtures_.items()}
            panels = mode_panels(search.trials_, search.admixtures_) if modes else shares
            return draw_ancestry(panels, genotypes.names, labels or ())

        written += [str(path) for path in [drawn(picture, bars)] if path]
    _warn(search)
    if as_json:
        print_json(_document(search) | {"files": written})
    elif not quiet:
        _report(search, genotypes.shape, written)


def _warn(search: AdmixtureSearch) -> None:
    """Of climbs that ended before the top, and what there was no time for."""
    from mixtura.solvers.clock import TIMED_OUT

    for K, one in search.admixtures_.items():
        if one.fit_result_.reason == TIMED_OUT:
            note(f"warning: {K} populations: the climb stopped at --max-seconds: give it more")
        elif not one.converged_:
            note(f"warning: {K} populations: the climb did not converge: try more --starts")
    if search.left_out_:
        left = ", ".join(map(str, search.left_out_))
        note(f"warning: --max-seconds left no time for {left} populations: give it more")
    without = [str(trial.n_populations) for trial in search.trials_ if trial.cv is None]
    if search.folds and without:
        note(f"warning: --max-seconds left no time for the CV error of {', '.join(without)}")


def _stem(file: Path) -> str:
    """The name without its ending, .vcf.gz being one."""
    from mixtura.data.genotypes import SUFFIXES

    ends = [end for end in SUFFIXES if file.name.lower().endswith(end)]
    return file.name[: -len(ends[0])] if ends else file.stem


def _read(file: Path, known: Path | None, numbers: list[int]) -> tuple[Any, list[str] | None]:
    """The genotypes, and the labels of a .pop file."""
    from mixtura.data.ancestry_files import read_populations
    from mixtura.estimators.genotype_intake import genotypes_of

    genotypes = genotypes_of(file)
    for remark in genotypes.remarks:
        note(f"note: {remark}")
    try:
        labels = None if known is None else read_populations(known, genotypes.individuals)
    except ValueError as error:
        raise ValueError(f"--supervised {error}") from None
    if numbers[-1] > genotypes.individuals:
        raise ValueError(
            f"--populations {numbers[-1]} is more than the {genotypes.individuals} individuals of "
            f"{file}: take at most {genotypes.individuals}"
        )
    named = len({*(labels or ())} - {""})
    if named > numbers[0]:
        raise ValueError(f"--populations {numbers[0]} is fewer than the {named} named in {known}")
    if labels and all(labels) and numbers[-1] > named:
        raise ValueError(
            f"--populations {numbers[-1]} leaves nobody for {numbers[-1] - named} of them, as "
            f"{known} labels everybody, with {named} names: give --populations {named}, or - as "
            "the label of those whose ancestry is not known"
        )
    return genotypes, labels


def _search(numbers: list[int], starts: int, folds: int, seed: int) -> Any:
    from mixtura import AdmixtureSearch

    return AdmixtureSearch(numbers, n_init=starts, folds=folds, random_state=seed)


def _write(search: AdmixtureSearch, stem: Path, modes: bool) -> list[str]:
    """ADMIXTURE's files, two for each number, and the shares of its other ends if asked for."""
    from mixtura.data.ancestry_files import write_frequencies, write_shares

    written = []
    for K, one in search.admixtures_.items():
        files = [("Q", write_shares, one.Q_), ("P", write_frequencies, one.P_)]
        if modes:
            others = enumerate(one.modes_[1:], 2)
            files += [(f"mode{place}.Q", write_shares, Q) for place, Q in others]
        for suffix, write, array in files:
            path = Path(f"{stem}.{K}.{suffix}")
            write(path, array)
            written.append(str(path))
    return written


def _document(search: AdmixtureSearch) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "best_n_populations": search.best_n_populations_,
        "trials": [asdict(trial) for trial in search.trials_],
    }


def _report(search: AdmixtureSearch, shape: tuple[int, int], written: list[str]) -> None:
    from mixtura.report.ancestry_table import ancestry_table

    n, M = shape
    one = search.best_estimator_
    same = f", {one.monomorphic_:,} of them the same in all" if one.monomorphic_ else ""
    print_text(f"{n:,} individuals, {M:,} markers{same}")
    print_text(ancestry_table(search.trials_, n, search.best_n_populations_))
    validated = any(trial.cv is not None for trial in search.trials_)
    by = "the least CV error" if validated else "the least BIC"
    print_text(f"\n  * {by}\n\n  wrote {', '.join(written)}")
