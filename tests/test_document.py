"""Model files changed by hand: one StoreError that says which part, and never a traceback."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura.estimators.document import ARRAYS
from mixtura.store import StoreError

Change = Callable[[dict[str, Any]], Any]


def fitted(form: str, dtype: str = "float64", d: int = 3) -> mixtura.GaussianMixture:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, d)) @ rng.normal(size=(d, d))
    X[60:] += 4.0
    # Units far apart, as in real tables.
    X *= 10.0 ** np.arange(-d, d, 2)[:d]
    return mixtura.GaussianMixture(2, covariance_type=form, random_state=0).fit(X.astype(dtype))


def put(part: str, name: str, value: Any) -> Change:
    return lambda document: document[part].__setitem__(name, value)


def cell(name: str, place: tuple[int, ...], value: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        data = document["arrays"][name]["data"]
        for index in place[:-1]:
            data = data[index]
        data[place[-1]] = value

    return change


BAD: dict[str, tuple[Change, str]] = {
    "names": (lambda doc: doc.update(feature_names=["a"]), "feature_names has 1 entries, not 3"),
    "no names": (lambda doc: doc.pop("feature_names"), "part 'feature_names' is missing"),
    "sum": (cell("weights_", (0,), 0.9), "'weights' should be normalized"),
    "negative": (cell("weights_", (0,), -0.5), r"'weights' should be in the range \[0, 1\]"),
    "nan mean": (cell("means_", (0, 1), "nan"), "NaN"),
    "nan cov": (cell("covariances_", (0, 1, 1), "nan"), "covariances_ has NaN"),
    "form": (put("settings", "covariance_type", "diag"), "of covariance_type 'diag'"),
    "odd form": (put("settings", "covariance_type", "round"), "covariance_type must be one of"),
    "indefinite": (cell("covariances_", (0, 1, 1), -1.0), "positive-definite"),
    "factor": (cell("precisions_cholesky_", (0, 0, 0), 7.0), "not the factor of the inverse"),
    "lower": (cell("precisions_cholesky_", (0, 1, 0), 7.0), "upper triangles"),
    "precisions": (cell("precisions_", (0, 0, 0), 7.0), "precisions_ is not the product"),
    "d": (put("scalars", "n_features_in_", 2), "means"),
    "odd d": (put("scalars", "n_features_in_", "3"), "n_features_in_ is '3'"),
    "K": (put("settings", "n_components", 3), "weights"),
    "held": (put("fit", "held", [7]), "fit: held is .7., not indices below 3"),
    "weight": (put("fit", "weight", 0), "fit.weight is 0"),
    "scalar": (lambda doc: doc["scalars"].pop("n_iter_"), "scalars has no 'n_iter_'"),
    "odd array": (put("arrays", "__class__", 3), "arrays has an unknown '__class__'"),
    "odd setting": (put("settings", "__class__", 3), "settings has an unknown '__class__'"),
    "odd scalar": (put("scalars", "fit", 3), "scalars has an unknown 'fit'"),
    "reason": (put("fit", "reason", 0), "fit.reason is 0, not text"),
    "moves": (put("fit", "moves", "x"), "fit.moves is 'x', not a whole number from 0"),
    "engine": (put("settings", "engine", [[]]), "'engine' parameter of GaussianMixture must be"),
    "one name": (lambda doc: doc.update(feature_names=3), "feature_names is 3, not a list"),
    "number": (put("arrays", "means_", 3), "means_ is not an array"),
} | {name: (lambda doc, n=name: doc["arrays"].pop(n), f"has no '{name}'") for name in ARRAYS}


@pytest.mark.parametrize("case", BAD)
def test_damage_is_named(tmp_path: Path, case: str) -> None:
    change, message = BAD[case]
    path = tmp_path / "m.json"
    fitted("full").save(path)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with pytest.raises(
        StoreError, match=f"m.json: the model file is damaged: .*{message}"
    ) as caught:
        mixtura.load(path)
    assert "KeyError" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["full", "tied", "diag", "spherical"])
def test_what_was_fitted_loads_bit_for_bit(tmp_path: Path, form: str, dtype: str) -> None:
    mixture = fitted(form, dtype)
    mixture.save(tmp_path / "m.json")
    same = mixtura.load(tmp_path / "m.json")
    for name in ARRAYS:
        assert getattr(same, name).tobytes() == getattr(mixture, name).tobytes()
        assert getattr(same, name).dtype == dtype
    assert same.summary() == mixture.summary()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", ["full", "tied", "diag", "spherical"])
def test_hard_fits_load_too(tmp_path: Path, form: str, dtype: str) -> None:
    """Dependent columns, a collapsed component and units 1e20 apart are damage to nobody."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(80, 4))
    X[:20] = X[0]
    X[:, 1] = X[:, 0] + 1e-4 * X[:, 1]
    X[:, 3] = X[:, 0] + X[:, 2]
    X = (X * [1e-10, 1e10, 1.0, 1e-3]).astype(dtype)
    mixture = mixtura.GaussianMixture(3, covariance_type=form, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture.fit(X)
    mixture.save(tmp_path / "m.json")
    assert mixtura.load(tmp_path / "m.json").summary() == mixture.summary()
