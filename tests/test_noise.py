"""Noise beside a mixture: the same numbers as a plain EM, everywhere that a mixture goes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from mixtura import GaussianMixture, GaussianMixtureSearch, Mixture, load, stream
from mixtura.data.rows import Rows
from mixtura.estimators.complaints import DegenerateWarning
from mixtura.families.normal import Normal
from mixtura.fitting.noise import in_crowds, uniform_of
from mixtura.models.noise import NOISE, Uniform

GROUPS = ((0.0, 0.0), (7.0, 7.0))


def noisy_table(seed: int = 0, noise: int = 40) -> np.ndarray:
    rng = np.random.default_rng(seed)
    clouds = [rng.normal(centre, 1.0, (n, 2)) for centre, n in zip(GROUPS, (200, 150), strict=True)]
    return np.vstack([*clouds, rng.uniform(-20, 25, (noise, 2))])


X = noisy_table()
# Row by row what is noise here.
PLANTED = np.arange(len(X)) >= 350


@pytest.fixture(scope="module")
def fitted() -> GaussianMixture:
    return GaussianMixture(2, noise=True, random_state=0).fit(X)


def plain_em(X: np.ndarray, log_volume: float, steps: int = 300) -> tuple[float, np.ndarray]:
    """Textbook EM of two full Gaussians and a constant, in NumPy and SciPy."""
    n, means, cov = len(X), np.array(GROUPS), [np.eye(2)] * 2
    weights = np.array([0.5, 0.4, 0.1])
    for _ in range(steps):
        parts = [multivariate_normal(m, c).logpdf(X) for m, c in zip(means, cov, strict=True)]
        joint = np.column_stack([*parts, np.full(n, -log_volume)]) + np.log(weights)
        log_p = logsumexp(joint, axis=1)
        resp = np.exp(joint - log_p[:, None])
        counts = resp.sum(axis=0)
        weights = counts / n
        means = np.array([resp[:, k] @ X / counts[k] for k in range(2)])
        cov = [(resp[:, k, None] * (X - means[k])).T @ (X - means[k]) / counts[k] for k in range(2)]
    return float(log_p.sum()), weights


@pytest.mark.parametrize("noise", [True, 5000.0])
def test_a_fit_is_that_of_a_textbook_em(noise):
    mixture = GaussianMixture(2, noise=noise, random_state=0, tol=1e-10).fit(X)
    volume = 5000.0 if noise == 5000.0 else np.ptp(X, axis=0).prod()
    loglik, weights = plain_em(X, np.log(volume))
    assert mixture.fit_result_.loglik == pytest.approx(loglik, abs=1e-6)
    order = [*np.argsort(mixture.means_[:, 0]), 2]
    assert mixture.weights_[order] == pytest.approx(weights, abs=1e-6)
    assert mixture.fit_result_.verdict == "interior maximum"


def test_the_likelihood_is_at_the_top_that_scipy_finds():
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(3.0, 0.5, 150), rng.uniform(-10, 10, 30)])
    log_volume = np.log(np.ptp(x))

    def minus(free):
        share = 1 / (1 + np.exp(-free[2]))
        density = (1 - share) * norm(free[0], np.exp(free[1])).pdf(x)
        return -np.log(density + share * np.exp(-log_volume)).sum()

    best = minimize(minus, [3.0, -0.5, -2.0], method="BFGS")
    mixture = GaussianMixture(1, noise=True, random_state=0).fit(x[:, None])
    assert mixture.fit_result_.loglik == pytest.approx(-best.fun, abs=1e-6)
    assert mixture.weights_[-1] == pytest.approx(1 / (1 + np.exp(-best.x[2])), abs=1e-4)


def test_responsibilities_have_a_column_more_and_labels_a_name_for_it(fitted):
    p = fitted.predict_proba(X)
    assert p.shape == (len(X), 3)
    assert p.sum(axis=1) == pytest.approx(1.0)
    labels = fitted.predict(X)
    assert set(labels.tolist()) == {NOISE, 0, 1}
    assert np.array_equal(labels == NOISE, p.argmax(axis=1) == 2)
    assert (labels[PLANTED] == NOISE).mean() > 0.9
    assert (labels[~PLANTED] == NOISE).mean() < 0.01
    assert fitted.component_log_density(X)[:, 2] == pytest.approx(
        -np.log(np.ptp(X, axis=0)).sum(), abs=1e-12
    )
    again = GaussianMixture(2, noise=True, random_state=0).fit_predict(X)
    assert np.array_equal(again, labels)


STRUCTURES = ["tied", "diag", "spherical", "EII", "VEI", "EVI", "VEE", "EVE", "VVE", "EEV", "VEV"]


@pytest.mark.parametrize("name", [*STRUCTURES, "EVV", "UUU:1", "student", "normal"])
def test_every_structure_rises_to_an_end_that_every_engine_reaches(name):
    ends = [
        Mixture(name, 2, noise=True, random_state=0, engine=engine).fit(X)
        for engine in ("auto", "local")
    ]
    first, second = (each.fit_result_.loglik for each in ends)
    assert first == pytest.approx(second, abs=1e-7)
    assert ends[0].weights_[-1] == pytest.approx(0.11, abs=0.01)
    assert np.array_equal(ends[0].predict(X), ends[1].predict(X))


SOLVERS = ["em", "squarem", "anderson", "lbfgs", "newton", "annealed", "online"]


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_that_looks_for_the_top_ends_there(fitted, solver):
    found = GaussianMixture(2, noise=True, random_state=0, solver=solver).fit(X)
    assert found.fit_result_.loglik == pytest.approx(fitted.fit_result_.loglik, abs=1e-3)


@pytest.mark.parametrize("solver", ["hard", "stochastic", "truncated"])
def test_others_know_the_noise_too(solver):
    found = GaussianMixture(2, noise=True, random_state=0, solver=solver).fit(X)
    assert found.weights_[-1] == pytest.approx(0.11, abs=0.01)


@pytest.mark.filterwarnings("ignore:Best performing")
def test_the_gradient_is_the_finite_difference():
    mixture = GaussianMixture(2, noise=True, random_state=0, max_iter=2, tol=0).fit(X)
    model, params = mixture._fitted()
    from mixtura.records import Chunk

    def summary(at):
        return model.e_step(Chunk(X), at)

    chart = model.chart(params)
    slope = chart.gradient(summary(params), params)
    for i in range(chart.size):
        step = np.zeros(chart.size)
        step[i] = 1e-5
        ends = [summary(chart.params(sign * step)).loglik for sign in (1.0, -1.0)]
        assert slope[i] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=2e-4)


def test_no_unit_changes_who_is_noise(fitted):
    scale, shift = np.array([1e-4, 3e3]), np.array([5.0, -1e3])
    other = GaussianMixture(2, noise=True, random_state=0).fit(X * scale + shift)
    assert np.array_equal(other.predict(X * scale + shift), fitted.predict(X))
    assert other.weights_ == pytest.approx(fitted.weights_, abs=1e-9)


def test_a_weight_is_copies_of_the_row(fitted):
    w = np.ones(len(X))
    w[::5] = 2.0
    w[3::7] = 0.0
    weighted = GaussianMixture(2, noise=True, random_state=0).fit(X, sample_weight=w)
    copies = GaussianMixture(2, noise=True, random_state=0).fit(np.repeat(X, w.astype(int), axis=0))
    assert weighted.fit_result_.loglik == pytest.approx(copies.fit_result_.loglik, abs=1e-6)
    assert weighted.weights_ == pytest.approx(copies.weights_, abs=1e-6)


def test_a_table_in_pieces_gives_the_same(fitted, monkeypatch):
    monkeypatch.setattr("mixtura.data.streamed.SMALL_BYTES", 0)
    pieces = GaussianMixture(2, noise=True, random_state=0).fit_table(
        stream(lambda: iter(np.array_split(X, 7)))
    )
    assert pieces.fit_result_.loglik == pytest.approx(fitted.fit_result_.loglik, abs=1e-8)


@pytest.mark.parametrize("noise", [True, "mclust", 1234.5])
@pytest.mark.parametrize("kind", [GaussianMixture, Mixture])
def test_a_file_keeps_the_noise(tmp_path, noise, kind):
    named = {"covariance_type": "VEV"} if kind is GaussianMixture else {"family": "VEV"}
    mixture = kind(n_components=2, noise=noise, random_state=0, **named).fit(X)
    mixture.save(tmp_path / "m.json")
    again = load(tmp_path / "m.json")
    assert again.noise == noise
    assert again.uniform_noise_ == mixture.uniform_noise_
    assert np.array_equal(again.predict_proba(X), mixture.predict_proba(X))
    assert again.summary() == mixture.summary()


def test_a_file_whose_box_is_none_is_refused(tmp_path, fitted):
    fitted.save(tmp_path / "m.json")
    document = json.loads((tmp_path / "m.json").read_text())
    document["noise"]["lower"][0] = 1e9
    (tmp_path / "m.json").write_text(json.dumps(document))
    with pytest.raises(ValueError, match="noise is not a box"):
        load(tmp_path / "m.json")


def test_parameters_are_counted_as_mclust_counts_them(fitted):
    plain = GaussianMixture(2, random_state=0).fit(X)
    # The weight of noise and, where it is the table's, its volume.
    assert fitted.fit_result_.n_parameters == plain.fit_result_.n_parameters + 2
    given = GaussianMixture(2, noise=900.0, random_state=0).fit(X)
    assert given.fit_result_.n_parameters == plain.fit_result_.n_parameters + 1
    assert fitted.bic(X) == pytest.approx(
        -2 * fitted.fit_result_.loglik + 13 * np.log(len(X)), abs=1e-8
    )


def test_draws_come_from_the_components_and_the_box(fitted):
    rows, labels = fitted.sample(40_000, random_state=3)
    shares = np.bincount(labels + 1) / len(labels)
    assert shares == pytest.approx(np.roll(fitted.weights_, 1), abs=0.01)
    noise = rows[labels == NOISE]
    assert noise.min(axis=0) == pytest.approx(X.min(axis=0), abs=0.1)
    assert noise.mean(axis=0) == pytest.approx((X.min(axis=0) + X.max(axis=0)) / 2, abs=1.0)


def test_the_smaller_box_is_that_of_the_principal_axes_where_columns_correlate():
    rng = np.random.default_rng(1)
    z = rng.uniform(-1, 1, (500, 2)) * [10.0, 0.1]
    turn = np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    table = z @ turn.T
    found = uniform_of("mclust", Rows(table), Normal())
    centred = table - table.mean(axis=0)
    scores = centred @ np.linalg.svd(centred, full_matrices=False)[2].T
    assert found.log_volume == pytest.approx(np.log(np.ptp(scores, axis=0)).sum(), abs=1e-9)
    assert uniform_of(True, Rows(table), Normal()).log_volume > found.log_volume + 1
    drawn = found.draw(4000, np.random.default_rng(0))
    assert np.cov(drawn.T) == pytest.approx(np.cov(table.T), rel=0.2)


def test_noise_among_angles_fills_the_circle_wherever_the_angles_begin():
    rng = np.random.default_rng(0)
    groups = [rng.vonmises(centre, 20, 300) for centre in (3.0, 0.0)]
    angles = np.concatenate([*groups, rng.uniform(-np.pi, np.pi, 60)])[:, None]
    one, turned = (
        Mixture("vonmises", 2, noise=True, random_state=0).fit(rows)
        for rows in (angles, angles + 2.0)
    )
    noise = one.uniform_noise_
    assert noise.log_volume == pytest.approx(np.log(2 * np.pi))
    assert not noise.estimated
    assert turned.bic(angles + 2.0) == pytest.approx(one.bic(angles), abs=1e-4)
    assert one.score_samples([[np.pi]]) == pytest.approx(one.score_samples([[-np.pi]]))


def test_crowds_are_told_from_clutter():
    crowded = in_crowds(X)
    assert crowded[~PLANTED].mean() > 0.9
    assert crowded[PLANTED].mean() < 0.25
    with np.errstate(all="raise", under="ignore"):
        assert in_crowds(np.repeat([[0.0, 1.0], [2.0, 5.0]], 25, axis=0)).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_table_has_hardly_any_noise(seed):
    table = noisy_table(seed, noise=0)
    labels = GaussianMixture(2, noise=True, random_state=0).fit_predict(table)
    assert (labels == NOISE).mean() <= 0.01


@pytest.mark.filterwarnings("ignore:component")
@pytest.mark.parametrize("seed", [0, 1, 4])
def test_repeated_rows_leave_no_end_below_that_without_noise(seed):
    rows = np.repeat(np.random.default_rng(seed).normal(size=(5, 2)), 20, axis=0)
    plain, noisy = (
        GaussianMixture(2, noise=noise, random_state=0).fit(rows).fit_result_
        for noise in (None, True)
    )
    assert noisy.loglik >= plain.loglik - 1e-3


def test_a_search_goes_over_mixtures_beside_noise():
    search = GaussianMixtureSearch(
        [1, 2, 3], covariance_type=["EEE", "VVV"], noise=True, random_state=0
    ).fit(X)
    assert search.best_params_["n_components"] == 2
    assert search.effort_ == "thorough"
    assert (search.predict(X)[PLANTED] == NOISE).mean() > 0.9


def test_questions_after_the_fit_are_asked_of_the_components(fitted):
    part = fitted.marginal([0])
    assert part.weights_ == pytest.approx(fitted.weights_[:2] / fitted.weights_[:2].sum())
    assert fitted.means_[:, 0] == pytest.approx(part.means_[:, 0])


def test_a_warm_start_goes_on(fitted):
    mixture = GaussianMixture(2, noise=True, random_state=0, warm_start=True).fit(X).fit(X)
    assert mixture.fit_result_.loglik == pytest.approx(fitted.fit_result_.loglik, abs=1e-6)
    with pytest.raises(ValueError, match="the last fit has noise"):
        mixture.set_params(noise=None).fit(X)


def test_the_report_tells_of_the_noise(fitted):
    text = fitted.summary()
    assert "noise" in text
    assert "of the rows, about 43 rows, in no group" in " ".join(text.split())


def with_gaps(n=400, seed=3):
    """(rows of two groups and some around them, a fifth of the cells missing; which are noise)"""
    rng = np.random.default_rng(seed)
    rows = 0.7 * rng.normal(size=(n, 3)) + rng.normal(size=(n, 1))
    rows += np.array([[0, 0, 0], [7, 7, 0]])[rng.integers(0, 2, n)]
    beside = rng.random(n) < 0.1
    rows[beside] = rng.uniform(-15, 20, size=(beside.sum(), 3))
    holes = np.where(rng.random(rows.shape) < 0.2, np.nan, rows)
    there = ~np.isnan(holes).all(axis=1)
    return holes[there], beside[there]


@pytest.mark.parametrize("kind", ["full", "diag", "UUU:1", "normal"])
def test_noise_of_rows_with_gaps_is_spread_over_the_cells_that_are_there(kind):
    """1 over the product of the widths of their columns; EM refuses a fall."""
    rows, beside = with_gaps()
    if kind == "normal":
        found = Mixture("normal", 2, noise=True, random_state=0).fit(rows)
        plain = GaussianMixture(2, covariance_type="diag", noise=True, random_state=0).fit(rows)
        assert found.fit_result_.loglik == pytest.approx(plain.fit_result_.loglik, abs=1e-3)
    else:
        found = GaussianMixture(2, covariance_type=kind, noise=True, random_state=0).fit(rows)
    log_density = found.component_log_density(rows)
    widths = np.nanmax(rows, axis=0) - np.nanmin(rows, axis=0)
    for row, told in zip(rows, log_density, strict=True):
        assert told[-1] == pytest.approx(-np.log(widths[~np.isnan(row)]).sum())
    joint = log_density + np.log(found.weights_)
    total = np.logaddexp.reduce(joint, axis=1)
    assert found.fit_result_.loglik == pytest.approx(total.sum(), rel=1e-9)
    named = found.predict(rows)
    assert (named == -1)[beside].mean() > 0.6
    assert (named == -1)[~beside].mean() < 0.03
    far = np.array([[np.nan, -14.0, 19.0]])
    middle = 0.5 * (np.nanmax(rows, axis=0) + np.nanmin(rows, axis=0))
    assert found.impute(far)[0, 0] == pytest.approx(middle[0], abs=0.2)
    drawn = found.impute(np.repeat(far, 2000, axis=0), draws=1, random_state=0)[0, :, 0]
    assert drawn.std() == pytest.approx(widths[0] / np.sqrt(12), rel=0.1)


REFUSED = [
    (lambda: GaussianMixture(1, noise=True).fit(np.c_[X, np.ones(len(X))]), "column 2 .* volume"),
    (lambda: Mixture("poisson", 1, noise=True).fit([[1], [2], [3]]), "columns of numbers"),
    (lambda: GaussianMixture(1, noise="mclust").fit([*X.tolist(), [1.0, np.nan]]), "noise=True"),
    (lambda: GaussianMixture(1, noise=9.0).fit([*X.tolist(), [1.0, np.nan]]), "missing cells"),
    (lambda: GaussianMixture(1, noise=True).partial_fit(X), "partial_fit knows no noise"),
    (lambda: GaussianMixture(1, noise=0.0).fit(X), "'noise' parameter"),
    (lambda: Mixture("normal", 2, noise=True, concomitants=[0]).fit(X), "concomitants"),
    (lambda: GaussianMixture(1, noise=True, solver="nce").fit(X), "integrates to 1"),
    (lambda: GaussianMixture(1, noise=True, engine="mixed").fit(X), "'full' beside noise"),
    (lambda: GaussianMixture(1, noise=9.0).fit(X).sample(50), "noise=True"),
    (lambda: GaussianMixtureSearch(noise=True, effort="quick").fit(X), "knows no noise"),
    (lambda: Uniform(0.0).draw(1, np.random.default_rng(0)), "noise=True"),
]


@pytest.mark.parametrize(("ask", "said"), REFUSED)
@pytest.mark.filterwarnings("ignore::mixtura.DegenerateWarning")
def test_what_cannot_be_is_refused_in_a_sentence(ask, said):
    with pytest.raises(ValueError, match=said):
        ask()


@pytest.mark.filterwarnings("ignore:component 0 is empty")
def test_noise_that_takes_all_rows_is_told() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 2)) * 50
    with pytest.warns(DegenerateWarning, match="of the rows are noise"):
        GaussianMixture(2, noise=1, random_state=0).fit(rows)


def test_volumes_out_of_range_and_flat_boxes_are_refused() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 2))
    with pytest.raises(ValueError, match="finite number above 0"):
        GaussianMixture(2, noise=10**400).fit(rows)
    with pytest.raises(ValueError, match="no width along"):
        GaussianMixture(2, noise="mclust").fit(np.c_[rows, rows.sum(axis=1)])
