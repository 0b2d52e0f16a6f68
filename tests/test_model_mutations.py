"""Model files with any one part changed: refused in one sentence, or they are what they say."""

from __future__ import annotations

import copy
import json
import unicodedata
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixtura
from mixtura.cli.show import as_document
from mixtura.estimators.document import to_document
from mixtura.store import encode

# What is put in the place of every part; DROPPED takes it away.
DROPPED = object()
VALUES: tuple[Any, ...] = (
    DROPPED, None, True, 0, -1, 3, 2**70, 0.5, -2.5, 1e308, {"float": "nan"}, {"float": "inf"}, "x",
    "\x1b]0;title\x07", "\u202e\udc80", [], [[]], ["x"], [-1], [7], {"x": 1},
    {"\x1b[2J": {"dtype": "\x1b[2J", "shape": [], "data": 0}},
)  # fmt: skip
# So many of all mutations of a file are tried, drawn with a fixed seed; all of them took a minute.
BUDGET = 200
# A list's later items are of the kind of its first.
ITEMS = 1


def fitted(case: str) -> mixtura.GaussianMixture:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(60, 3)) + 5.0 * (np.arange(60) % 2)[:, None]
    X[:12] = X[0] + [0.0, 0.0, 20.0]
    settings: dict[str, Any] = {
        "full": {"means_init": np.eye(3)},
        "diag": {"solver": mixtura.NoiseContrastive(mixtura.GaussianMixture(1).fit(X))},
        "UUC:1": {"weights_init": np.full(3, 1 / 3)},
    }[case]
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixture = mixtura.GaussianMixture(3, covariance_type=case, random_state=0, **settings)
        return mixture.fit(pd.DataFrame(X, columns=["a", "b", "c"]))


def places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every part of a document is."""
    if above:
        yield above
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*above, key))
    if isinstance(value, list):
        for index, part in enumerate(value[:ITEMS]):
            yield from places(part, (*above, index))


def mutated(document: Any, place: tuple[Any, ...], value: Any) -> Any:
    changed = copy.deepcopy(document)
    part = changed
    for key in place[:-1]:
        part = part[key]
    if value is DROPPED:
        part.pop(place[-1])
    else:
        part[place[-1]] = value
    return changed


def controls(text: str) -> list[str]:
    return [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cs")]


def used(path: Path) -> mixtura.GaussianMixture:
    """The mixture of a file after all that the commands do with it."""
    mixture = mixtura.load(path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        warnings.simplefilter("ignore", RuntimeWarning)
        json.dumps(as_document(mixture), default=lambda array: array.tolist())
        assert not controls(mixture.summary())
        assert np.isfinite(mixture.predict_proba(mixture.means_ + 0.1)).all()
        mixture.sample(3, random_state=0)
    return mixture


@pytest.mark.parametrize("case", ["full", "diag", "UUC:1"])
def test_every_mutation_is_refused_or_true(tmp_path: Path, case: str) -> None:
    path = tmp_path / "m.json"
    fitted(case).save(path)
    document = json.loads(path.read_text())
    refused, faults = 0, []
    every = [(place, value) for place in places(document) for value in VALUES]
    drawn = np.random.default_rng(0).permutation(len(every))[:BUDGET]
    for place, value in (every[index] for index in drawn):
        changed = mutated(document, place, value)
        path.write_text(json.dumps(changed))
        try:
            kept = encode(to_document(used(path)))
        except mixtura.StoreError as error:
            refused += 1
            if "\n" in str(error) or controls(str(error)) or len(str(error)) > 1000:
                faults.append((place, value, str(error)))
            continue
        except Exception as error:
            faults.append((place, value, repr(error)))
            continue
        # What was not refused is all there: nothing is dropped or read as something else.
        if value is DROPPED and isinstance(place[-1], str):
            # A setting, or what earlier versions did not write, has its default.
            kept = mutated(kept, place, DROPPED)
        faults += [(place, value, part) for part in kept if kept[part] != changed.get(part)]
    assert not faults, faults[:20]
    assert BUDGET // 2 < refused < BUDGET
