"""What a method of one's own may not return: one sentence names it, in a fit and in a check."""

from __future__ import annotations

import pickle
import runpy
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura.errors import WrongReturn
from mixtura.fitting import checkpoint
from mixtura.models.base import Model
from mixtura.models.returned import read
from mixtura.returned import plain
from mixtura.testing import check_family, check_model

EXAMPLES = Path(__file__).parents[1] / "examples"
CENSORED, COUNTED = (
    runpy.run_path(str(EXAMPLES / f"{name}.py")) for name in ("censored", "poisson_family")
)
Rate, Rates, Sums = CENSORED["Rate"], COUNTED["Rates"], COUNTED["Sums"]
RNG = np.random.default_rng(0)
LIFE, END = RNG.exponential(2.0, size=60), RNG.uniform(0.0, 4.0, size=60)
LAMPS = np.column_stack([np.minimum(LIFE, END), LIFE <= END])
COUNTS = RNG.poisson([[2.0, 9.0]] * 40 + [[6.0, 4.0]] * 80).astype(float)


@dataclass(frozen=True)
class Theta(mixtura.Params):
    t: Any


class Bare(mixtura.Params):
    """`@dataclass` forgotten."""


class Scored(COUNTED["Counts"]):  # type: ignore[misc]
    def score(self, stats: Any, params: Any) -> Any:
        return {"rates": stats.sums / params.rates - stats.counts[:, None]}

    def information(self, params: Any, shares: Any) -> Any:
        return {"rates": shares[:, None] * params.rates}

    def means(self, params: Any) -> Any:
        return params.rates

    variances = means

    def sample(self, labels: Any, params: Any, rng: Any) -> Any:
        return rng.poisson(params.rates[labels]).astype(float)


def always(value: Any) -> Callable[[Any], Any]:
    return lambda _: value


def wrong(base: Any, method: str, change: Callable[[Any], Any]) -> Any:
    """An object of a class whose method returns something else."""
    right = getattr(base, method)
    own = {method: lambda self, *given: change(right(self, *given))}
    return type("Wrong", (base,), own)()


def times(factor: Any) -> Callable[[Any], Any]:
    return lambda record: replace(record, **{k: factor * v for k, v in vars(record).items()})


@pytest.mark.parametrize(
    ("method", "change", "sentence"),
    [
        ("e_step", always(None), r"None: it must return mixtura\.Summary"),
        ("e_step", lambda s: (s.loglik, s.weight), "tuple"),
        ("e_step", lambda s: replace(s, loglik="a"), "the log-likelihood str 'a'"),
        ("e_step", lambda s: replace(s, loglik=1j), "the log-likelihood complex 1j"),
        ("e_step", lambda s: replace(s, loglik=np.ones(2)), r"log-likelihood an array of shape"),
        ("e_step", lambda s: replace(s, weight=0), "a weight of 0 for all rows"),
        ("e_step", lambda s: replace(s, weight=-1.0), "the weight -1"),
        ("e_step", lambda s: replace(s, statistics={"a": 1}), "statistics dict {'a': 1}"),
        ("e_step", lambda s: replace(s, statistics=times(1j)(s.statistics)), r"Lives\.lamps = com"),
        ("m_step", times(1 + 0j), "'rate' = complex128"),
        ("m_step", always(0.5), r"float 0.5: it must return the mixtura\.Params"),
        ("m_step", always(Theta(0.6)), "Theta with 't': .* with 'rate'"),
        ("m_step", always(Bare()), r"a record without fields.*@dataclass\(frozen=True\)"),
        ("m_step", times(np.ones(2)), r"'rate' of shape \(2,\): .* of shape \(\)"),
        ("score", always([1.0]), r"list \[1.0\]: .*by parameter: 'rate'"),
        ("score", always(None), "None: it must return a dictionary"),
        ("score", always({"a": 1.0}), "a dictionary with 'a'"),
        ("score", always({"rate": np.nan}), "NaN for 'rate'"),
        ("information", always(None), "None: it must return a dictionary"),
        ("information", always({-1}), "set {-1}"),
        ("information", always({"rate": -1.0}), "for 'rate' -1: .* from 0 up"),
        ("log_prior", always("a"), "str 'a': it must return one real number"),
        ("log_prior", always(np.nan), "float nan"),
    ],
)
def test_a_models_wrong_return_is_named(
    method: str, change: Callable[[Any], Any], sentence: str, tmp_path: Path
) -> None:
    model, path = wrong(CENSORED["Censored"], method, change), tmp_path / "run.checkpoint"
    with pytest.raises(WrongReturn, match=f"^{method} of Wrong returned .*{sentence}"):
        mixtura.fit(model, LAMPS, checkpoint=path)
    assert not path.exists()
    with pytest.raises(AssertionError, match=sentence):
        check_model(model, LAMPS, Rate(np.array(1.0)))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [(0.5, "float 0.5"), (None, "None"), (Rate("a"), "'rate' = str 'a'")],
)
def test_wrong_first_parameters_are_named(answer: Any, sentence: str) -> None:
    model = wrong(CENSORED["Censored"], "start", always(answer))
    with pytest.raises(WrongReturn, match=f"start of Wrong returned {sentence}: it must"):
        mixtura.fit(model, LAMPS, n_init=3)
    with pytest.raises(AssertionError, match="start of Wrong returned"):
        check_model(model, LAMPS, Rate(np.array(1.0)))
    if answer is not None:
        with pytest.raises(TypeError, match=r"^start (must be|is)"):
            mixtura.fit(model, LAMPS, start=answer)


def test_hours_of_work_outlive_a_wrong_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "INTERVAL", 0.0)
    right, path, steps = CENSORED["Censored"], tmp_path / "run.checkpoint", []

    def m_step(self: Any, summary: Any, params: Any) -> Any:
        steps.append(right.m_step(self, summary, params))
        return None if len(steps) == 4 else steps[-1]

    Late = type("Censored", (right,), {"m_step": m_step})
    settings: dict[str, Any] = {"solver": "em", "checkpoint": path, "start": Rate(1.0)}
    with pytest.raises(WrongReturn, match="m_step of Censored returned None"):
        mixtura.fit(Late(), LAMPS, **settings)
    assert path.exists()
    found = mixtura.fit(Late(), LAMPS, **settings)
    assert not path.exists()
    assert found.params == mixtura.fit(right(), LAMPS, solver="em", start=Rate(1.0)).params


def test_names_are_listed_once() -> None:
    assert len(dir(mixtura)) == len(set(dir(mixtura)))


def test_a_number_will_do_for_an_array() -> None:
    model = wrong(CENSORED["Censored"], "m_step", lambda p: Rate(float(p.rate)))
    found = mixtura.fit(model, LAMPS, start=Rate(1.0), tol=1e-12)
    assert found.params.rate == pytest.approx(LAMPS[:, 1].sum() / LAMPS[:, 0].sum(), rel=1e-3)
    assert found.verdict == "interior maximum"


def test_no_number_says_more_than_to_rescale() -> None:
    model = wrong(CENSORED["Censored"], "e_step", lambda s: replace(s, loglik=np.nan))
    with pytest.raises(mixtura.FitError, match="became nan: what e_step and log_prior of Wrong"):
        mixtura.fit(model, LAMPS)
    assert "np." not in str(mixtura.LikelihoodFell(np.float64(1.0), np.float64(0.5)))


def test_a_reading_model_is_the_users_own_elsewhere_too() -> None:
    house = mixtura.Mixture("poisson", 2, random_state=0).fit(COUNTS)
    assert plain(house) is house
    own = Local()
    own.calls = 0
    reading = read(own)
    assert type(plain(reading)) is Local
    assert type(reading).__name__ == "Local"
    assert isinstance(pickle.loads(pickle.dumps(reading)), Local)
    mixtura.fit(own, LAMPS, start=Rate(np.array(1.0)), solver="em")
    assert own.calls > 1
    assert read(reading) is reading


class Local(Model):
    """Counts its own calls."""

    calls: int

    def e_step(self, chunk: Any, params: Any) -> Any:
        self.calls += 1
        return CENSORED["Censored"]().e_step(chunk, params)

    def m_step(self, summary: Any, params: Any) -> Any:
        return CENSORED["Censored"]().m_step(summary, params)


def test_classes_of_ones_own_may_be_anything() -> None:
    told = []

    class Told(Local):
        def __init_subclass__(cls, *, tag: str) -> None:
            told.append(tag)

        def _plain(self) -> None:
            raise AssertionError

    class Mine(Told, tag="mine"):
        def n_parameters(self, params: Any) -> Any:
            return "many"

        def asked(self) -> int:
            return self.n_parameters(params=None)

    mine = read(Mine())
    with pytest.raises(WrongReturn, match="n_parameters of Mine returned str 'many'"):
        mine.asked()
    assert told == ["mine"]
    assert type(plain(mine)) is Mine


@pytest.mark.parametrize(
    ("method", "change", "sentence"),
    [
        ("log_density", lambda a: a + 0j, "type complex128: it must return an array of real"),
        ("log_density", lambda a: a.tolist(), "list"),
        ("log_density", lambda a: a[:, 0], r"shape \("),
        ("statistics", always({}), "statistics dict {}"),
        ("statistics", lambda s: Sums(s.counts[:, None], s.sums), r"`counts` of shape \(2, 1\)"),
        ("statistics", times(1j), r"Sums\.counts = an array .* complex128"),
        ("maximize", times(1 + 0j), "'rates' = an array .* complex128"),
        ("maximize", always(None), "None: it must return a Rates"),
        ("maximize", always(Theta(1.0)), r"Theta .*: it must return a Rates"),
        ("maximize", lambda p: Rates(p.rates.tolist()), "its fields arrays"),
        ("maximize", times(np.nan), "NaN for 'rates'"),
        ("score", always({"a": 1.0}), "a dictionary with 'a'"),
        ("score", lambda d: {"rates": d["rates"].sum(axis=0)}, r"for 'rates' an array of shape"),
        ("information", always(None), "None: it must return a dictionary"),
        ("information", lambda d: {"rates": -d["rates"]}, "for 'rates' -"),
        ("means", lambda a: a.tolist(), "list"),
        ("variances", lambda a: a[0], r"of shape \(2,\)"),
        ("sample", lambda a: a[:, 0], "it must return a row for each of"),
        ("settled", always(3), r"int 3: it must return what `super\(\)\.settled"),
        ("settled", lambda s: replace(s, prior=None), "prior = None"),
        ("settled", lambda s: replace(s, frames=()), "frames = tuple"),
        ("refuse", always("rows are wrong"), "str 'rows are wrong'.* raise ValueError"),
        ("frame", lambda a: a[:, 0], "a line for each row"),
        ("start", always(0.5), "float 0.5: it must return a Rates"),
    ],
)
def test_a_familys_wrong_return_is_named(
    method: str, change: Callable[[Any], Any], sentence: str
) -> None:
    family = wrong(Scored, method, change)
    mixture = mixtura.Mixture(family, 2, random_state=0)
    with pytest.raises(WrongReturn, match=f"^{method} of Wrong returned .*{sentence}"):
        mixture.fit(COUNTS)
    assert not [name for name in vars(mixture) if name.endswith("_")]
    with pytest.raises(AssertionError, match=sentence):
        check_family(family, COUNTS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda p: Rates(p.rates[:, :1]),
            r"returned 'rates' of shape \(2, 1\): .*as `shapes` says",
        ),
        (lambda p: Rates(-p.rates), "outside their supports .*'rates' should be positive"),
        (times(0.0), "outside their supports"),
    ],
)
def test_first_parameters_are_blamed_on_the_method_that_makes_them(
    change: Callable[[Any], Any], sentence: str
) -> None:
    class Told(Scored):
        def information(self, params: Any, shares: Any) -> Any:
            return {"rates": np.ones((len(shares), 2))}

    with pytest.raises(WrongReturn, match=f"^maximize of Wrong .*{sentence}"):
        mixtura.Mixture(wrong(Told, "maximize", change), 2).fit(COUNTS)
    later = type("Later", (Told,), {"maximize": lambda self, s, p, q: _negative(self, s, p, q)})
    with pytest.raises(mixtura.FitError, match="maximize of family 'later' left what is admiss"):
        mixtura.Mixture(later(), 2, random_state=0).fit(COUNTS)


def _negative(self: Any, stats: Any, params: Any, prior: Any) -> Any:
    rates = Scored.maximize(self, stats, params, prior).rates
    return Rates(rates if params is None else -rates)


def test_a_method_may_call_another_with_fewer_arguments() -> None:
    class Short(COUNTED["Counts"]):  # type: ignore[misc]
        def maximize(self, stats: Any, params: Any = None, prior: Any = None) -> Any:
            return Rates(stats.sums / stats.counts[:, None])

        def statistics(self, X: Any, resp: Any, params: Any) -> Any:
            found = super().statistics(X, resp, params)
            assert self.maximize(found).rates.shape == (2, 2)
            return found

    assert mixtura.Mixture(Short(), 2, random_state=0).fit(COUNTS).converged_


@pytest.mark.parametrize(
    ("record", "sentence"),
    [
        (None, "is None: it must be the class"),
        (Theta, "is Theta, and 't' says not where it may live"),
        (Bare, "is Bare, and it has no fields"),
    ],
)
def test_a_familys_record_says_where_parameters_live(record: Any, sentence: str) -> None:
    family = type("Nameless", (COUNTED["Counts"],), {"record": record})()
    with pytest.raises(WrongReturn, match=f"record of Nameless {sentence}"):
        mixtura.Mixture(family, 2).fit(COUNTS)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("least", "0", "str '0': it must be a number"),
        ("column_kind", "count", "str 'count': it must be one of 'density', 'counts'"),
        ("least_rows", 0.5, "float 0.5: it must be a whole number"),
        ("generalised", 1, "int 1: it must be True or False"),
        ("generalised", lambda self: True, "a method: it must be True or False"),
    ],
)
def test_what_a_class_says_of_itself_is_read(name: str, value: Any, sentence: str) -> None:
    family = type("Said", (COUNTED["Counts"],), {name: value})()
    with pytest.raises(WrongReturn, match=f"^{name} of Said is {sentence}"):
        mixtura.Mixture(family, 2).fit(COUNTS)
    with pytest.raises(AssertionError, match=f"^{name} of Said is {sentence}"):
        check_family(family, COUNTS)
    if name in ("least_rows", "generalised"):
        model = type("Said", (CENSORED["Censored"],), {name: value})()
        with pytest.raises(WrongReturn, match=f"^{name} of Said is {sentence}"):
            mixtura.fit(model, LAMPS)


def test_cells_are_above_what_a_family_says() -> None:
    family = type("Above", (COUNTED["Counts"],), {"least": 2.0})()
    with pytest.raises(ValueError, match="'above' is for numbers above 2, and column 'x1' holds"):
        mixtura.Mixture(family, 2).fit(COUNTS)
    assert mixtura.Mixture(family, 2, random_state=0).fit(COUNTS + 3).converged_


def test_an_m_step_that_blends_has_something_to_blend_with() -> None:
    class Blended(COUNTED["Counts"]):  # type: ignore[misc]
        generalised = True

        def maximize(self, stats: Any, params: Any, prior: Any) -> Any:
            return Rates(0.5 * params.rates + 0.5 * stats.sums / stats.counts[:, None])

    check_family(Blended(), COUNTS)
    for scale in (1.0, 1000.0):
        settings: dict[str, Any] = {"random_state": 0, "tol": 1e-9}
        found = mixtura.Mixture(Blended(), 2, **settings).fit(scale * COUNTS)
        right = mixtura.Mixture(COUNTED["Counts"](), 2, **settings).fit(scale * COUNTS)
        assert found.lower_bound_ == pytest.approx(right.lower_bound_, abs=1e-7 * scale)
    lost = type("Lost", (Blended,), {"maximize": lambda self, s, p, prior: Rates(s.nothing)})
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        mixtura.Mixture(lost(), 2).fit(COUNTS)


def test_first_parameters_of_another_shape_name_method_and_shape() -> None:
    right, start = CENSORED["Censored"](), Rate(np.ones(2))
    with pytest.raises(ValueError, match=r"^start: e_step of Censored fails .* of shape \(2,"):
        mixtura.fit(right, LAMPS, start=start)
    with pytest.raises(ValueError, match=r"^start: e_step of Wrong fails"):
        mixtura.fit(wrong(CENSORED["Censored"], "start", always(start)), LAMPS)
    with pytest.raises(ValueError, match=r"^params: e_step of Censored fails"):
        check_model(right, LAMPS, start)


def test_sums_that_are_lines_and_classes_for_objects_are_told() -> None:
    def lines(summary: Any) -> Any:
        rows = np.ones(round(summary.weight))
        return replace(summary, statistics=replace(summary.statistics, lamps=rows))

    with pytest.raises(WrongReturn, match=r"Lives\.lamps of two chunks does not add up: shapes"):
        mixtura.fit(wrong(CENSORED["Censored"], "e_step", lines), np.tile(LAMPS, (200, 1)))
    with pytest.raises(TypeError, match="model is the class Censored: give an object of it"):
        mixtura.fit(CENSORED["Censored"], LAMPS)


@pytest.mark.filterwarnings("ignore:component . is empty")
def test_components_without_rows_keep_what_they_had() -> None:
    rows = np.repeat([[1.0, 2.0], [4.0, 1.0]], 30, axis=0)
    found = mixtura.Mixture(COUNTED["Counts"](), 3, random_state=0).fit(rows)
    house = mixtura.Mixture("poisson", 3, random_state=0).fit(rows)
    assert found.lower_bound_ == pytest.approx(house.lower_bound_, abs=1e-4)
    assert np.isfinite(found.rates_).all()
