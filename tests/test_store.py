"""Model files: bit-exact round trips, and one clear message for every file that is not one."""

from __future__ import annotations

import json
import math
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mixtura.store import (
    MOST_TEXT,
    StoreError,
    decode_array,
    encode_array,
    read_document,
    write_document,
)

HEAD = b'{"format": "mixtura-model", "version": 1, "mixtura": "0", "kind": "'
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
ARRAYS = st.one_of(
    hnp.arrays(np.float64, SHAPES, elements=st.floats(width=64, allow_subnormal=True)),
    hnp.arrays(np.float32, SHAPES, elements=st.floats(width=32, allow_subnormal=True)),
    hnp.arrays(np.int64, SHAPES),
    hnp.arrays(np.int32, SHAPES),
    hnp.arrays(np.bool_, SHAPES),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(exclude_categories=["Cs"])),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=12,
)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def same(left: object, right: object) -> bool:
    """Equal in value, type and, for floats, every bit."""
    if isinstance(left, float) and isinstance(right, float):
        return math.isnan(left) == math.isnan(right) and (
            math.isnan(left) or struct.pack("d", left) == struct.pack("d", right)
        )
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and left == right


def same_bits(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal dtype, shape and bits, but for the payload of a NaN."""
    if (left.dtype, left.shape) != (right.dtype, right.shape):
        return False
    if left.dtype.kind != "f":
        return bool((left == right).all())
    nan = np.isnan(left)
    left, right = np.where(nan, 0, left), np.where(np.isnan(right), 0, right)
    return bool((nan == np.isnan(right) | nan).all()) and left.tobytes() == right.tobytes()


@given(array=ARRAYS)
def test_arrays_survive_bit_for_bit(array: np.ndarray) -> None:
    record = json.loads(json.dumps(encode_array(array), allow_nan=False))
    assert same_bits(array, decode_array(record))


@in_one_folder
@given(tree=TREES, array=ARRAYS)
def test_documents_survive_bit_for_bit(tmp_path: Path, tree: object, array: np.ndarray) -> None:
    path = tmp_path / "m.json"
    write_document({"kind": "test", "tree": tree, "deep": [{"array": array}]}, path)
    document = read_document(path)
    assert same(document["tree"], tree)
    assert same_bits(array, document["deep"][0]["array"])


@pytest.mark.parametrize(
    "value",
    [
        -0.0,
        5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        math.inf,
        -math.inf,
        math.nan,
        0.1 + 0.2,
    ],
)
def test_awkward_floats(tmp_path: Path, value: float) -> None:
    path = tmp_path / "m.json"
    write_document({"kind": "test", "scalar": value, "array": np.array([value])}, path)
    document = read_document(path)
    assert same(document["scalar"], value)
    assert same(float(document["array"][0]), value)


def test_the_text_nan_is_not_the_number(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_document({"kind": "test", "names": np.array(["nan", "inf"]), "name": "nan"}, path)
    document = read_document(path)
    assert document["name"] == "nan"
    assert document["names"].tolist() == ["nan", "inf"]


def test_the_file_is_strict_json_with_a_head_and_rows_on_lines(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    write_document({"kind": "test", "m": np.array([[1.5, np.nan], [2.0, 3.0]])}, path)
    text = path.read_text()
    document = json.loads(text, parse_constant=lambda name: pytest.fail(name))
    assert [document[k] for k in ("format", "version", "kind")] == ["mixtura-model", 1, "test"]
    assert '[1.5, "nan"],\n' in text


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.json"
    path.write_text("old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_document({"kind": "test"}, path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.json"]
    assert path.read_text() == "old"


def valid(**changes: object) -> bytes:
    head = {"format": "mixtura-model", "version": 1, "mixtura": "0.1.0", "kind": "test"}
    return json.dumps({k: v for k, v in {**head, **changes}.items() if v is not None}).encode()


def with_array(**changes: object) -> bytes:
    return valid(part={"m": {"dtype": "float64", "shape": [2], "data": [1.0, 2.0]} | changes})


BAD = {
    "empty": (b"", "the file is empty"),
    "not JSON": (b"a,b\n1,2\n", "this is not a mixtura model"),
    "binary": (b"\x93NUMPY\x00\xff", "this is not a mixtura model"),
    "truncated": (valid(x=[1, 2, 3])[:-3], "a mixtura model that is cut off or damaged"),
    "foreign": (b'{"a": 1}', "this is JSON, but not a mixtura model"),
    "a list": (b"[1, 2]", "this is JSON, but not a mixtura model"),
    "too deep": (b"[" * 100_000, "this is not a mixtura model"),
    "NaN literal": (valid()[:-1] + b', "x": NaN}', "this is not a mixtura model"),
    "newer": (
        valid(version=2, mixtura="9.0"),
        "written by mixtura 9.0 in format version 2;.*upgrade",
    ),
    "no version": (valid(version=None), "its key 'version' is missing"),
    "odd version": (valid(version="one"), "its key 'version' is 'one'"),
    "no kind": (valid(kind=None), "its key 'kind' is missing"),
    "no library": (valid(mixtura=None), "its key 'mixtura' is missing"),
    "short data": (with_array(data=[1.0]), r"part.m: the data are not of the shape \[2\]"),
    "deep data": (with_array(data=[[1.0], [2.0]]), r"part.m: the data are not of the shape \[2\]"),
    "text in data": (with_array(data=[1.0, "x"]), "part.m: the data hold something"),
    "bool in data": (with_array(data=[1.0, True]), "part.m: the data hold something"),
    "float as int": (with_array(dtype="int64"), "part.m: the data hold something"),
    "too large": (with_array(dtype="float32", data=[1.0, 1e300]), "part.m: the data hold"),
    "odd dtype": (with_array(dtype="complex128"), "part.m: the dtype 'complex128' is none of"),
    "odd shape": (with_array(shape=[-2]), r"part.m: the shape \[-2\] is not a list of sizes"),
    "odd float": (valid(x={"float": "1.5"}), "x: '1.5' is none of inf, -inf, nan"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_not_a_model_is_named(tmp_path: Path, case: str) -> None:
    data, message = BAD[case]
    path = tmp_path / "m.json"
    path.write_bytes(data)
    with pytest.raises(StoreError, match=f"m.json: .*{message}") as caught:
        read_document(path)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file"):
        read_document(tmp_path / "m.json")
    with pytest.raises(StoreError, match="this is a directory"):
        read_document(tmp_path)
    with pytest.raises(StoreError, match="cannot be written: there is no folder"):
        write_document({"kind": "test"}, tmp_path / "none" / "m.json")


@pytest.mark.parametrize(
    "value", [object(), {1: 2}, {"float": 1}, np.array([1j]), np.array([None])]
)
def test_what_cannot_be_stored_is_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(StoreError):
        write_document({"kind": "test", "value": value}, tmp_path / "m.json")
    assert not list(tmp_path.iterdir())


def test_a_document_needs_a_kind(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="kind"):
        write_document({}, tmp_path / "m.json")


@pytest.mark.parametrize("text", [b"x"])
def test_half_a_gigabyte_of_text_is_refused_before_it_is_parsed(
    tmp_path: Path, text: bytes
) -> None:
    path = tmp_path / "m.json"
    with path.open("wb") as file:
        file.write(HEAD + text * (MOST_TEXT // len(text)))
        # A hole in the file: as long as half a gigabyte, without its bytes.
        file.truncate(500_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match=r"not a mixtura model \(it holds 32 MB of text"):
            read_document(path)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_many_numbers_are_no_text(tmp_path: Path) -> None:
    path, many = tmp_path / "m.json", MOST_TEXT // 24 + 1
    path.write_bytes(HEAD + b'k", "a": [' + b"0," + b" " * 24 * many + b"1]}")
    assert read_document(path)["a"] == [0, 1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.json")
    with pytest.raises(StoreError, match="this is not a regular file"):
        read_document(tmp_path / "m.json")
