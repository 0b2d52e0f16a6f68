"""The E-step with other responsibilities: the plain one is its special case."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from contract.cases import CASES, Case

from mixtura.models.base import Model
from mixtura.models.responsibilities import normalise
from mixtura.records import Array, Chunk, Params, Summary

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
@pytest.mark.parametrize("weighted", [False, True])
def test_with_bayes_rule_it_is_the_e_step(case: Case, weighted: bool) -> None:
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=len(case.X)) if weighted else None
    plain = case.model.e_step(Chunk(case.X, w), case.params)
    same = case.model.e_step_with(Chunk(case.X, w), case.params, normalise)
    assert same.loglik == plain.loglik
    np.testing.assert_array_equal(same.statistics.second, plain.statistics.second)  # type: ignore[attr-defined]


@every_case
def test_what_is_answered_is_what_is_summed(case: Case) -> None:
    """Rows without weight are not asked about; the weights come after the answer."""
    w = np.random.default_rng(0).uniform(0.5, 2.0, size=len(case.X))
    w[::3] = 0.0
    K = len(case.params.weights)
    asked: list[Array] = []

    def respond(joint: Array) -> tuple[Array, Array]:
        asked.append(joint.copy())
        return np.full(len(joint), 2.0), np.tile(np.arange(1.0, K + 1), (len(joint), 1))

    got = case.model.e_step_with(Chunk(case.X, w), case.params, respond)
    kept = case.model.log_joint(case.X[w > 0], case.params)
    np.testing.assert_array_equal(np.concatenate(asked), kept)
    assert got.loglik == pytest.approx(2.0 * w.sum(), rel=1e-12)
    assert got.weight == pytest.approx(w.sum(), rel=1e-12)
    counts = case.model.family.counts(got.statistics)
    np.testing.assert_allclose(counts, w.sum() * np.arange(1.0, K + 1), rtol=1e-12)


class Labelless(Model):
    """A user's model with nothing but what is required."""

    def e_step(self, chunk: Chunk, params: Any) -> Summary:
        raise AssertionError

    def m_step(self, summary: Summary, params: Any) -> Params:
        raise AssertionError


def test_a_model_without_responsibilities_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Labelless has no responsibilities to replace"):
        Labelless().e_step_with(Chunk(np.zeros((1, 1))), None, normalise)
