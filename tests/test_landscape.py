"""The landscape of a search as a figure, in Python and from the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mixtura import GaussianMixture, HiddenMarkov
from mixtura.cli import app
from mixtura.cli.working import Working
from mixtura.data.tables import NamedRows
from mixtura.report import ends
from mixtura.report.landscape import PALE, draw_landscape
from mixtura.result import Fit, StartReport


@pytest.fixture(scope="module")
def unsure(faithful: np.ndarray) -> GaussianMixture:
    return GaussianMixture(7, n_init=9, init_params="k-means++", random_state=0).fit(faithful)


def test_a_bar_for_each_optimum_as_long_as_its_hits(unsure: GaussianMixture) -> None:
    figure = unsure.landscape_figure()
    met = unsure.fit_result_.landscape
    (ax,) = figure.axes
    assert len(met) > 1
    assert [bar.get_width() for bar in ax.patches] == [sum(one.hits.values()) for one in met]
    heights = [float(label.get_text()) for label in ax.get_yticklabels()]
    np.testing.assert_allclose(heights, [one.mean_loglik * 272 for one in met], atol=0.01)
    assert f"{len(met)} optima met by 9 climbs" in figure.get_suptitle()
    assert "One more climb ends higher with a chance of about" in figure.get_supxlabel()


def test_kinds_of_starts_and_collapsed_ends(unsure: GaussianMixture) -> None:
    reports = [
        StartReport("kmeans", 5, -4.0, "kept"),
        StartReport("random", 5, -4.0, "kept"),
        StartReport("random", 5, -3.5, "collapsed"),
        *(StartReport("random", 5, -5.0 - i, "kept") for i in range(12)),
    ]
    figure = draw_landscape(replace(unsure.fit_result_, starts=tuple(reports)))
    (ax,) = figure.axes
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["random", "kmeans"]
    assert [text.get_text().strip() for text in ax.texts] == ["collapsed", "this fit", *[""] * 10]
    assert "2 lower are not shown" in figure.get_supxlabel()


def test_the_fits_own_end_is_listed_wherever_it_is(unsure: GaussianMixture) -> None:
    fit = unsure.fit_result_
    above = [StartReport("random", 5, fit.mean_loglik + 1 + i, "collapsed") for i in range(14)]
    below = StartReport("random", 5, fit.mean_loglik - 1, "kept")
    own = StartReport("kmeans", 5, fit.mean_loglik, "kept")
    fit = replace(fit, starts=(*above, own, below))
    said = ends.optima(fit)
    assert said.count("collapsed") == 4
    assert f"{fit.loglik:.2f} (1, this fit) and 11 others: " in said
    figure = draw_landscape(fit)
    assert figure.axes[0].texts[-1].get_text().strip() == "this fit"
    assert "4 others are not shown" in figure.get_supxlabel()


def test_every_end_says_how_sound_it_is() -> None:
    rng = np.random.default_rng(15)
    X = rng.normal(size=(60, 2)) + 2 * rng.normal(size=(3, 2))[rng.integers(0, 3, 60)]
    found = GaussianMixture(3, n_init=3, random_state=15).fit(X)
    met = found.fit_result_.landscape
    assert met[0].verdict == "spurious"
    assert found.fit_result_.met in met
    assert found.fit_result_.met.verdict == "regular"
    hits = sum(met[0].hits.values())
    assert f"{met[0].mean_loglik * 60:.2f} ({hits}, spurious)" in found.summary()
    kept = Fit.from_dict(json.loads(json.dumps(found.fit_result_.to_dict())))
    assert kept.landscape == met
    assert "Spurious: a component of few rows" in found.landscape_figure().get_supxlabel()
    assert StartReport("kmeans", 5, -4.0, "kept").spurious is False


def test_where_there_is_none() -> None:
    given = GaussianMixture.from_parameters([1.0], [[0.0]], [[[1.0]]])
    with pytest.raises(ValueError, match="given, not fitted"):
        given.landscape_figure()
    begun = GaussianMixture(2, solver="moments", covariance_type="spherical")
    begun.fit(np.random.default_rng(0).normal(size=(50, 2)) * [1, 3])
    with pytest.raises(ValueError, match="no finished climbs"):
        begun.landscape_figure()


def test_the_command_draws_it(unsure: GaussianMixture, tmp_path: Path) -> None:
    unsure.save(tmp_path / "m.json")
    figure = tmp_path / "l.png"
    run = CliRunner().invoke
    done = run(app, ["show", str(tmp_path / "m.json"), "--landscape", str(figure)])
    assert done.exit_code == 0
    assert figure.stat().st_size > 5000
    bad = run(app, ["show", str(tmp_path / "m.json"), "--landscape", str(tmp_path / "l.txt")])
    assert bad.exit_code == 2


def test_with_a_prior_the_fit_is_the_highest_bar() -> None:
    rows = np.random.default_rng(1).normal(size=(60, 2))
    settings = {"prior": "fraley-raftery", "init_params": "random_from_data", "n_init": 12}
    found = GaussianMixture(3, random_state=0, **settings).fit(rows)
    fit = found.fit_result_
    met = fit.landscape
    assert fit.met == met[0]
    # The log-density of the normal inverse Wishart law of each component, up to its constant.
    d, nu, kappa, scale = 2, 4, 0.01, np.cov(rows.T) / 3
    prior = 0.0
    for mean, cov in zip(found.means_, found.covariances_, strict=True):
        off, inverse = mean - rows.mean(axis=0), np.linalg.inv(cov)
        prior -= (nu + d + 2) / 2 * np.log(np.linalg.det(cov))
        prior -= 0.5 * np.trace(scale @ inverse) + 0.5 * kappa * off @ inverse @ off
    objective = found.score_samples(rows).sum() + prior
    assert met[0].mean_objective * 60 == pytest.approx(objective, rel=1e-9)
    assert max(one.mean_loglik for one in met) > met[0].mean_loglik
    (ax,) = found.landscape_figure().axes
    assert ax.get_ylabel() == "log-likelihood\n+ log prior"
    assert ax.texts[0].get_text().strip() == "this fit"
    assert ", this fit)" in found.summary()


def test_ends_that_have_not_converged_are_apart(faithful: np.ndarray) -> None:
    settings = {"init_params": "random_from_data", "n_init": 9, "max_iter": 60}
    found = GaussianMixture(3, random_state=0, **settings).fit(faithful)
    fit = found.fit_result_
    unfinished = [one for one in fit.landscape if one.unfinished]
    assert len(unfinished) > 0
    assert sum(s.unfinished for s in fit.starts) == sum(sum(o.hits.values()) for o in unfinished)
    figure = found.landscape_figure()
    assert f"{len(fit.landscape) - len(unfinished)} optima met by" in figure.get_suptitle()
    assert "not converged" in figure.axes[0].texts[fit.landscape.index(unfinished[0])].get_text()
    pale = {
        bar.get_alpha()
        for bar, one in zip(figure.axes[0].patches, fit.landscape, strict=True)
        if one.unfinished
    }
    assert pale == {PALE}
    assert "not converged" in found.summary()
    again = Fit.from_dict(json.loads(json.dumps(fit.to_dict())))
    assert again.landscape == fit.landscape
    # Nothing is written of a start that has nothing of the kind.
    plain = GaussianMixture(2, random_state=0).fit(faithful).fit_result_.to_dict()
    assert set(plain["starts"][0]) == {"name", "iterations", "loglik", "outcome", "detail"}


def test_what_ends_are_ranked_by_is_no_taller_than_the_axes() -> None:
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.normal(size=(50, 2)), rng.normal(8, 1, size=(50, 2))])
    found = GaussianMixture(2, prior="fraley-raftery", random_state=0).fit(X)
    figure = found.landscape_figure()
    figure.canvas.draw()
    (ax,) = figure.axes
    assert ax.get_ylabel() == "log-likelihood\n+ log prior"
    assert ax.yaxis.label.get_window_extent().height < ax.get_window_extent().height


class Told(Working):
    """A progress line, and how things stood before each start."""

    def __init__(self) -> None:
        super().__init__("", None)
        self.met: list[tuple[float, float | None]] = []

    def stands(self, best: float, chance: float | None) -> None:
        super().stands(best, chance)
        self.met.append((best, chance))


def test_progress_tells_what_a_search_that_ended_there_would() -> None:
    rng = np.random.default_rng(3)
    X = np.concatenate([rng.normal(at, 1, size=(40, 2)) for at in (0, 2, 3)])
    mixture = GaussianMixture(3, covariance_type="diag", n_init=10, random_state=0)
    chain = HiddenMarkov("diag", 3, n_init=4, random_state=0)
    told = Told(), Told()
    mixture.fit_table(NamedRows(X, ("a", "b"), None), told[0])
    chain.fit(X, listener=told[1])
    for each, progress in zip((mixture, chain), told, strict=True):
        assert progress.index == len(progress.met) == each.n_init - 1
        assert progress.met[0][1] is None
        fit = each.set_params(n_init=each.n_init - 1).fit(X).fit_result_
        # What is done once, after the last start, is not told of before.
        best, chance = progress.met[-1]
        assert best == pytest.approx(fit.mean_loglik, abs=1e-6)
        assert chance == pytest.approx(fit.chance_of_higher, abs=1e-9)
    shown = Working("reading", 12)
    shown.started(0)
    assert shown.doing == "start 1 of 12, short runs"
    shown.stands(-4.25, 0.066)
    shown.started(8)
    standing = "; best -4.2500 per row, chance of better 6.6 %"
    assert shown.doing == f"start 9 of 12, short runs{standing}"
