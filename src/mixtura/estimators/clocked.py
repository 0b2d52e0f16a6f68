"""Fits that end by the clock or by Ctrl-C: what is asked, and what is said of their ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from mixtura.fitting.hidden_markov_task import ChainTask
from mixtura.fitting.mixture_fit import Task
from mixtura.records import StrPath
from mixtura.result import Fit
from mixtura.solvers.clock import INTERRUPTED, NEVER, TIMED_OUT, Clock
from mixtura.solvers.settings import refuse_timed

Asked = TypeVar("Asked")


def timed(task: Asked, max_seconds: float | None, checkpoint: StrPath | None = None) -> Asked:
    """The task with its time; ValueError where no clock can end it."""
    if max_seconds is None:
        return task
    refuse_timed(max_seconds, checkpoint)
    if not isinstance(task, Task | ChainTask):
        raise ValueError("max_seconds ends searches at maximum likelihood only: use max_iter here")
    return replace(task, max_seconds=float(max_seconds))


def clock_of(max_seconds: float | None, checkpoint: StrPath | None) -> Clock:
    """The time of a search, which begins now; ValueError where no clock can end it."""
    if max_seconds is None:
        return NEVER
    refuse_timed(max_seconds, checkpoint)
    return Clock(float(max_seconds))


def cut_short(fit: Fit) -> str:
    """What a warning says of a fit that was ended; empty where it ended by itself."""
    if fit.reason == TIMED_OUT:
        return f"{fit.reason}, and the best climb had not converged: give more"
    if fit.reason.startswith(INTERRUPTED):
        steps = f"{fit.iterations} step{'' if fit.iterations == 1 else 's'}"
        return f"{fit.reason}, after {steps} of its climb. Ctrl-C twice ends the program"
    return ""
