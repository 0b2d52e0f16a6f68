"""The bootstrap test on faithful: ours, mclust as it comes, run to its end, and from our maximum.

mclust's test (`mclustBootstrapLRT`) is run with its own tolerance and with one that lets it reach
its maxima. Handed the maximum met here with three components of their own covariances, it is asked
once more whether two are enough: its loop over the resamples, with another start.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.mclust import DATA
from mixtura import GaussianMixture, bootstrap_lrt
from mixtura.records import Array

STRUCTURES = ("VVI", "EEE", "VVV")
R = """
suppressMessages(library(mclust))
given <- commandArgs(TRUE)
X <- as.matrix(read.csv(given[1])[, 1:2]); resamples <- 499
tell <- function(what, from, gains, p)
  cat(sprintf("%s %d against %d: gains %.2f (p %.3f)\\n", what, from, from + 1L, gains, p))
for (model in given[-(1:2)]) for (tol in c(1e-5, 1e-9)) {
  set.seed(1)
  test <- mclustBootstrapLRT(X, model, nboot = resamples, verbose = FALSE,
                             control = emControl(tol = tol))
  for (K in seq_along(test$obs))
    tell(sprintf("mclust, tol %g, %s", tol, model), K, test$obs[K], test$p.value[K])
}
set.seed(1)
end <- emControl(tol = 1e-9)
two <- Mclust(X, G = 2, modelNames = "VVV", verbose = FALSE, control = end)
three <- me(X, "VVV", as.matrix(read.csv(given[2], header = FALSE)), control = end)
observed <- 2 * (three$loglik - two$loglik)
gains <- c()
while (length(gains) < resamples) {
  drawn <- sim("VVV", two$parameters, n = nrow(X))[, -1]
  gain <- 2 * (em(drawn, "VVV", three$parameters, control = end, warn = FALSE)$loglik -
               em(drawn, "VVV", two$parameters, control = end, warn = FALSE)$loglik)
  if (!is.na(gain)) gains <- c(gains, gain)
}
tell("mclust, from our maximum, VVV", 2L, observed, (1 + sum(gains >= observed)) / (resamples + 1))
"""


def run(console: Console) -> None:
    """Print each test: what one more component gains, and its p-value."""
    X = np.loadtxt(DATA / "faithful.csv", delimiter=",", skiprows=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for structure in STRUCTURES:
            began = time.perf_counter()
            found = bootstrap_lrt(X, covariance_type=structure, random_state=0)
            seconds = time.perf_counter() - began
            console.print(f"\nours, {structure}, {seconds:.0f} s: {found.headline}")
            for trial in found.trials:
                console.print(
                    f"  {trial.n_components} against {trial.n_components + 1}: gains "
                    f"{trial.statistic:.2f} (p {trial.p_value:.3f}, {trial.ended})"
                )
        by_mclust(console, X)


def by_mclust(console: Console, X: Array) -> None:
    """mclust's own words, where R has it."""
    if shutil.which("Rscript") is None:
        console.print("R is not installed: mclust is left out")
        return
    ends = [GaussianMixture(3, random_state=seed).fit(X) for seed in range(4)]
    best = max(ends, key=lambda end: end.fit_result_.loglik)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder, "start.csv")
        np.savetxt(start, best.predict_proba(X), delimiter=",")
        command = ["Rscript", "-e", R, str(DATA / "faithful.csv"), str(start), *STRUCTURES]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    console.print(done.stdout if done.returncode == 0 else "R has no mclust: it is left out")
