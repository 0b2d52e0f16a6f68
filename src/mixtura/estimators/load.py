"""Reading saved estimators: the one place that knows every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mixtura.estimators.admixture import Admixture
from mixtura.estimators.bayesian import BayesianGaussianMixture
from mixtura.estimators.block_document import restored_blocks
from mixtura.estimators.block_model import BlockModel
from mixtura.estimators.document import restore
from mixtura.estimators.gaussian_mixture import GaussianMixture
from mixtura.estimators.hidden_markov import HiddenMarkov
from mixtura.estimators.hmm_faces import (
    GMMHMM,
    CategoricalHMM,
    GaussianHMM,
    MultinomialHMM,
    PoissonHMM,
)
from mixtura.estimators.mixture import Mixture
from mixtura.estimators.shortcuts import (
    BernoulliMixture,
    LatentClass,
    PoissonMixture,
    StudentMixture,
)
from mixtura.store import StoreError, read_document

KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Admixture,
        CategoricalHMM,
        GMMHMM,
        GaussianHMM,
        MultinomialHMM,
        PoissonHMM,
        BayesianGaussianMixture,
        BlockModel,
        BernoulliMixture,
        GaussianMixture,
        HiddenMarkov,
        LatentClass,
        Mixture,
        PoissonMixture,
        StudentMixture,
    )
}


def load(path: str | Path) -> Any:
    """The estimator that was written to `path` by `save`.

    Raises StoreError for a file that is missing, truncated, foreign or of a newer version.
    """
    document = read_document(path)
    kind = KINDS.get(document["kind"])
    if kind is None:
        raise StoreError(
            f"{path}: holds a {document['kind']!r}, and this version of mixtura knows only "
            f"{sorted(KINDS)}: upgrade mixtura"
        )
    try:
        if kind is BlockModel:
            return restored_blocks(document, kind)
        return kind.restored(document) if kind is Admixture else restore(document, kind)
    except StoreError as error:
        raise StoreError(f"{path}: {error}") from None
