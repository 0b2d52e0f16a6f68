"""Peers that are no Python modules: Armadillo's `gmm_full` (C++) and R's mclust.

Each gets a small program that reads the rows and the start from files, times its own fit, and
writes where it ended. Rows of a C-ordered table are the columns of Armadillo's matrix as they lie.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.engines.threads import workers
from mixtura.records import Array

End = tuple[Array, Array, Array]
HEADERS = ("/usr/include/armadillo", "/usr/local/include/armadillo")
PROGRAM = r"""
#include <armadillo>
#include <chrono>
#include <cstdio>
using namespace arma;
static void read(const char *name, double *to, size_t n)
{
    FILE *f = fopen(name, "rb");
    if (!f || fread(to, 8, n, f) != n) exit(2);
    fclose(f);
}
int main(int, char **a)
{
    const uword n = atol(a[1]), d = atol(a[2]), K = atol(a[3]), steps = atol(a[4]);
    mat X(d, n), means(d, K);
    cube covariances(d, d, K);
    rowvec weights(K);
    read("rows", X.memptr(), n * d);
    read("weights", weights.memptr(), K);
    read("means", means.memptr(), K * d);
    read("covariances", covariances.memptr(), K * d * d);
    gmm_full model;
    model.set_params(means, covariances, weights);
    auto began = std::chrono::steady_clock::now();
    bool good = model.learn(X, K, maha_dist, keep_existing, 0, steps, 0.0, false);
    std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    if (!good) return 3;
    FILE *f = fopen("end", "wb");
    double seconds = took.count();
    fwrite(&seconds, 8, 1, f);
    fwrite(model.hefts.memptr(), 8, K, f);
    fwrite(model.means.memptr(), 8, K * d, f);
    fwrite(model.fcovs.memptr(), 8, K * d * d, f);
    fclose(f);
    return 0;
}
"""
SCRIPT = r"""
suppressMessages(library(mclust))
a <- as.integer(commandArgs(TRUE)); n <- a[1]; d <- a[2]; K <- a[3]
read <- function(name, size) readBin(name, "double", size)
X <- matrix(read("rows", n * d), n, d, byrow = TRUE)
sigma <- array(read("covariances", K * d * d), c(d, d, K))
root <- array(apply(sigma, 3, chol), c(d, d, K))
variance <- list(modelName = "VVV", d = d, G = K, sigma = sigma, cholsigma = root)
given <- list(pro = read("weights", K), mean = matrix(read("means", K * d), d, K),
              variance = variance)
control <- emControl(itmax = c(a[4], a[4]), tol = c(0, 0), eps = 0)
took <- system.time(fit <- em(X, modelName = "VVV", parameters = given, control = control))
out <- file("end", "wb")
p <- fit$parameters
writeBin(c(took[["elapsed"]], p$pro, as.double(p$mean), as.double(p$variance$sigma)), out)
close(out)
"""


def armadillo_missing() -> str:
    if not any(Path(header).exists() for header in HEADERS):
        return "not installed (apt install libarmadillo-dev)"
    return "" if shutil.which("g++") else "no g++ to compile a program for it"


@cache
def _rscript() -> str:
    command = ["Rscript", "-e", "library(mclust)"]
    if shutil.which("Rscript") is None:
        return "no Rscript (apt install r-base-core r-cran-mclust)"
    done = subprocess.run(command, capture_output=True)
    return "" if done.returncode == 0 else "R has no mclust (apt install r-cran-mclust)"


def mclust_missing() -> str:
    return _rscript()


@cache
def _workshop() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    path = Path(folder.name)
    (path / "fit.R").write_text(SCRIPT)
    return folder, path


@cache
def _armadillo_program() -> Path:
    _, path = _workshop()
    source, program = path / "fit.cpp", path / "fit"
    source.write_text(PROGRAM)
    # Its own advice: optimised, with OpenMP, and without checks of bounds.
    flags = ["-O3", "-march=native", "-fopenmp", "-DARMA_NO_DEBUG", "-DARMA_DONT_USE_WRAPPER"]
    libraries = ["-llapack", "-lblas"]
    command = ["g++", *flags, str(source), "-o", str(program), *libraries]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        command = ["g++", *flags[:-1], str(source), "-o", str(program), "-larmadillo"]
        subprocess.run(command, check=True)
    return program


def _outside(command: list[str], X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    _, path = _workshop()
    (n, d), K = X.shape, len(start["weights_init"])
    X.tofile(path / "rows")
    start["weights_init"].tofile(path / "weights")
    start["means_init"].tofile(path / "means")
    np.linalg.inv(start["precisions_init"]).tofile(path / "covariances")
    (path / "end").unlink(missing_ok=True)
    counts = [str(count) for count in (n, d, K, steps)]
    environment = {"OMP_NUM_THREADS": str(workers()), "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([*command, *counts], cwd=path, check=True, env={**os.environ, **environment})
    end = np.fromfile(path / "end")
    seconds, weights, means, covariances = np.split(end, np.cumsum([1, K, K * d]))
    return float(seconds[0]), (weights, means.reshape(K, d), covariances.reshape(K, d, d))


def armadillo(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    """`gmm_full::learn` from the given parameters."""
    return _outside([str(_armadillo_program())], X, start, steps)


def mclust(X: Array, start: dict[str, Any], steps: int) -> tuple[float, End]:
    """`em` of the model VVV from the given parameters."""
    return _outside(["Rscript", "fit.R"], X, start, steps)
