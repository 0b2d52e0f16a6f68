"""Table files: what is read as what, and one clear message for everything that is refused."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mixtura.data.dialect import Dialect
from mixtura.data.parts import delimited_pieces
from mixtura.data.tables import (
    TableError,
    append_columns,
    numeric_columns,
    read_frame,
    read_table,
)
from mixtura.data.writing import write_table

IRIS = "length,width,class\n5.1,3.5,setosa\n7.0,3.2,versicolor\n"


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


READ: dict[str, tuple[str, str | bytes, list[str], list[list[float]]]] = {
    "comma": ("t.csv", "a,b\n1,2\n3,4\n", ["a", "b"], [[1, 2], [3, 4]]),
    "semicolon": ("t.csv", "a;b\n1;2\n", ["a", "b"], [[1, 2]]),
    "tab in txt": ("t.txt", "a\tb\n1\t2\n", ["a", "b"], [[1, 2]]),
    "tsv": ("t.tsv", "a\tb, c\n1\t2\n", ["a", "b, c"], [[1, 2]]),
    "one column": ("t.csv", "a\n1\n2\n", ["a"], [[1], [2]]),
    "no header": ("t.csv", "1,2\n3,4\n", ["x1", "x2"], [[1, 2], [3, 4]]),
    "no header, one row": ("t.csv", "1.5,-2e3\n", ["x1", "x2"], [[1.5, -2000]]),
    "quoted": ("t.csv", '"a, b","c ""q"""\n"1",2\n', ["a, b", 'c "q"'], [[1, 2]]),
    "byte order mark": ("t.csv", "\ufeffa,b\n1,2\n", ["a", "b"], [[1, 2]]),
    "windows lines": ("t.csv", "a,b\r\n1,2\r\n", ["a", "b"], [[1, 2]]),
    "blanks": ("t.csv", "a, b\n\n1, 2\n", ["a", "b"], [[1, 2]]),
    "booleans": ("t.csv", "a,b\ntrue,1\nfalse,2\n", ["a", "b"], [[1, 1], [0, 2]]),
    "gzip": ("t.csv.gz", gzip.compress(b"a,b\n1,2\n"), ["a", "b"], [[1, 2]]),
    "not ASCII": ("t.csv", "länge,幅\n1,2\n", ["länge", "幅"], [[1, 2]]),
    "long first line": (
        "t.csv",
        ",".join(f"c{j:09}" for j in range(30_000)) + "\n" + ",".join(["1"] * 30_000) + "\n",
        [f"c{j:09}" for j in range(30_000)],
        [[1] * 30_000],
    ),
}


@pytest.mark.parametrize("case", READ)
def test_read(tmp_path: Path, case: str) -> None:
    name, content, names, X = READ[case]
    table = read_table(put(tmp_path, name, content))
    assert table.names == tuple(names)
    assert table.X.tolist() == X
    assert table.X.dtype == np.float64
    assert table.X.flags.c_contiguous
    assert table.sample_weight is None


REFUSED: dict[str, tuple[str, str | bytes, dict[str, Any], str]] = {
    "empty": ("t.csv", "", {}, "the file is empty"),
    "blank": ("t.csv", "\n \n", {}, "nothing but blank lines"),
    "header only": ("t.csv", "a,b\n", {}, r"there are no rows below the header \(a, b\)"),
    "short line": ("t.csv", "a,b\n1,2\n3\n", {}, "line 3 has 1 field where the first line has 2"),
    "long line": ("t.csv", "a,b\n1,2,3\n", {}, "line 2 has 3 fields where the first line has 2"),
    "text": ("t.csv", IRIS, {}, r"column 'class' holds text \('setosa', ...\): leave it out with "
             "--exclude class, or choose columns with --columns"),
    "chosen text": ("t.csv", IRIS, {"columns": ["class"]}, "'class' holds text .*needs numbers"),
    "two texts": ("t.csv", "a,b c,d\n1,u,v\n", {}, "leave them out with --exclude 'b c,d'"),
    "stray text": ("t.csv", "a\n1\n?\n", {}, r"holds text \('\?'\) in row 2 among its numbers: "
                   "mend such cells, or empty those of missing values, or leave the column out "),
    "text below gaps": ("t.csv", "a,b\n1,2\n,3\nNA,4\nbad,5\n", {},
                        r"holds text \('bad'\) in row 4 among its numbers"),
    "text alone below gaps": ("t.csv", "a,b\n,2\nu,3\nv,4\n", {}, r"holds text \('u', ...\):"),
    "decimal commas below gaps": ("t.csv", "a;b\n;1.5\n2,5;2.5\n", {}, r"commas \('2,5'; --dec"),
    "decimal commas beside points": ("t.csv", "a;b\n1,5;1.5\n", {}, r"'a' holds decimal commas "
                                     r"\('1,5'; --decimal , reads them\)"),
    "dates": ("t.csv", "a,b\n2020-01-01,1\n", {}, "'a' holds dates or times"),
    "all missing": ("t.csv", "a,b\n1,\n2,\n", {}, "column 'b' is empty"),
    "missing": ("t.csv", "a,b\n1,2\n,3\nNA,4\n", {}, "no value in column 'a', row 2 and 1 more"),
    "nan": ("t.csv", "a,b\n1.5,nan\n1,2.5\n", {}, "no value in column 'b', row 1:"),
    "infinite": ("t.csv", "a,b\n1,-inf\n", {}, "an infinite value in column 'b', row 1:"),
    "overflow": ("t.csv", "a\n1e400\n", {}, "an infinite value in column 'a', row 1:"),
    "big integer": ("t.csv", "a\n9007199254740993\n", {}, r"beyond 2\*\*53 \(9007199254740993\)"),
    "no name": ("t.csv", '"","a"\n5,2\n', {}, "a column without a name: .*--exclude ''"),
    "unknown": ("t.csv", IRIS, {"columns": ["lenght"]}, "there is no column 'lenght' "
                r"\(did you mean 'length'\?\); the table has columns 'length', 'width', 'class'"),
    "unknown exclude": ("t.csv", IRIS, {"exclude": ["xyz"]}, "no column 'xyz'; the table has"),
    "unknown weights": ("t.csv", IRIS, {"weights": "w"}, "no column 'w'"),
    "twice": ("t.csv", IRIS, {"columns": ["width", "width"]}, "'width' is chosen twice"),
    "both": ("t.csv", IRIS, {"columns": ["width"], "exclude": ["width"]}, "chosen and excluded"),
    "none left": ("t.csv", "a\n1\n", {"exclude": ["a"]}, "no column is left"),
    "duplicates": ("t.csv", "a,a\n1,2\n", {}, "more than one column is called 'a'"),
    "not UTF-8": ("t.csv", b"a,b\n\xe9,2\n", {}, "the text is not UTF-8"),
    "not UTF-8, late": ("t.csv", b"a,b\n" + b"x,2\n" * 30_000 + b"\xe9,2\n", {}, "not UTF-8"),
    "UTF-16": ("t.csv", "a,b\n1,2\n".encode("utf-16"), {}, "this is UTF-16 text"),
    "binary": ("t.csv", bytes(range(256)), {}, "this is not a text file"),
    "binary parquet": ("t.parquet", bytes(range(256)), {}, "this is not a Parquet file"),
    "cut gzip": ("t.csv.gz", gzip.compress(IRIS.encode() * 99)[:40], {}, "cannot be read"),
    "model": ("m.json", "{}", {}, "a table is needed here, and .json files hold models"),
    "model as csv": ("m.csv", '{"format": "mixtura-model"}', {}, "this is a mixtura model, not"),
    "no suffix": ("table", "a\n1\n", {}, "the name has no suffix; a table's name ends in .csv"),
    "odd suffix": ("t.xls", "a\n1\n", {}, "the name ends in '.xls'"),
    "text weights": ("t.csv", IRIS, {"weights": "class"}, "the weights column 'class' holds text"),
    "negative weight": ("t.csv", "a,w\n1,1\n2,-1\n", {"weights": "w"}, "a negative value in row 2"),
    "missing weight": ("t.csv", "a,w\n1,\n2,1\n", {"weights": "w"}, "'w' has no value in row 1"),
    "zero weights": ("t.csv", "a,w\n1,0\n", {"weights": "w"}, "'w' is zero in every row"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(tmp_path: Path, case: str) -> None:
    name, content, options, message = REFUSED[case]
    path = put(tmp_path, name, content)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_missing_file_and_directory(tmp_path: Path) -> None:
    put(tmp_path, "faithful.csv", IRIS)
    with pytest.raises(TableError, match=r"no such file \(did you mean .*faithful.csv\?\)"):
        read_table(tmp_path / "faithfull.csv")
    with pytest.raises(TableError, match=r"there is no such file$"):
        read_table(tmp_path / "none" / "other.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match="this is a directory"):
        read_table(tmp_path / "folder.csv")


def test_columns_exclude_and_weights(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", "a,b,w,c\n1,2,0.5,u\n3,4,0,v\n")
    table = read_table(path, exclude=["c"], weights="w")
    assert (table.names, table.X.tolist()) == (("a", "b"), [[1, 2], [3, 4]])
    assert table.sample_weight is not None
    assert table.sample_weight.tolist() == [0.5, 0.0]
    assert table.frame.column_names == ["a", "b", "w", "c"]
    assert read_table(path, columns=["b", "a"]).X.tolist() == [[2, 1], [4, 3]]
    assert numeric_columns(table.frame) == ["a", "b", "w"]


def test_line_breaks_in_quotes_far_down(tmp_path: Path) -> None:
    rows = "1,u\n" * 300_000 + '2,"u\nv"\n'
    table = read_table(put(tmp_path, "t.csv", "a,b\n" + rows), columns=["a"])
    assert len(table.X) == 300_001


@pytest.mark.parametrize("at", [50_000, 99_990])
def test_a_quote_left_open_far_down_is_told_and_drops_no_rows(tmp_path: Path, at: int) -> None:
    lines = ["1.2345,6.7891"] * 100_000
    lines[at] = '"1.2345,6.7891'
    path = put(tmp_path, "t.csv", "a,b\n" + "\n".join(lines) + "\n")
    place = f"the row of lines? {at + 2} "
    with pytest.raises(TableError, match=rf"t.csv: {place}.*close"):
        read_table(path)
    with pytest.raises(TableError, match=rf"t.csv: {place}.*close"):
        list(delimited_pieces(path, lambda schema: {}, Dialect()))


def test_line_breaks_in_quotes_across_blocks_far_down(tmp_path: Path) -> None:
    long = "u\n" * 1000
    rows = "1,u\n" * 100_000 + f'2,"{long}"\n' * 1000 + "3,u\n"
    table = read_table(put(tmp_path, "t.csv", "a,b\n" + rows), columns=["a"])
    assert (len(table.X), table.X.sum()) == (101_001, 102_003)


def test_parquet_types(tmp_path: Path) -> None:
    path = tmp_path / "a=1" / "t.parquet"
    path.parent.mkdir()
    frame = pa.table(
        {
            "f16": pa.array(np.array([1, 2], np.float16)),
            "f32": pa.array([1.5, 2.5], pa.float32()),
            "dec": pa.array([1, 2]).cast(pa.decimal128(30, 2)),
            "dict": pa.array([3, 4]).dictionary_encode(),
            "bool": pa.array([True, False]),
            "name": pa.array(["u", "v"]).dictionary_encode(),
            "list": pa.array([[1], [2]]),
        }
    )
    pq.write_table(frame, path)
    table = read_table(path, exclude=["name", "list"])
    assert table.X.tolist() == [[1, 1.5, 1, 3, 1], [2, 2.5, 2, 4, 0]]
    with pytest.raises(TableError, match="column 'list' holds values of type list"):
        read_table(path, exclude=["name"])
    with pytest.raises(TableError, match="a column does not fit into a text file"):
        write_table(table.frame, tmp_path / "t.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["a=1"]


def test_pandas_index_is_not_data(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1.0, 2.0], "__index_level_0__": [0, 1]}), path)
    table = read_table(path)
    assert table.names == ("a",)
    assert "'__index_level_0__' in" in table.remarks[0]
    assert "is left out" in table.remarks[0]


FLOATS = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 3)),
    # Text without a point comes back as integers, which are refused beyond 2**53.
    elements=st.floats(-(2.0**53), 2.0**53, allow_subnormal=True),
)


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.parquet"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(X=FLOATS)
def test_floats_survive_a_file(tmp_path: Path, name: str, X: np.ndarray) -> None:
    path = tmp_path / name
    write_table(pa.table({f"c{j}": X[:, j] for j in range(X.shape[1])}), path)
    assert (read_table(path).X == X).all()


def test_text_survives_a_file(tmp_path: Path) -> None:
    text = ["plain", 'quo"te', "com,ma", "line\nbreak", None]
    write_table(pa.table({'a, "b"': text, "c": range(5)}), tmp_path / "t.csv")
    assert read_frame(tmp_path / "t.csv").column(0).to_pylist() == [
        "plain", 'quo"te', "com,ma", "line\nbreak", "",
    ]  # fmt: skip
    write_table(pa.table({"a": ["x", "y"], "b": [1, 2]}), tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "a,b\nx,1\ny,2\n"


def test_append_columns_keeps_the_rest_and_refuses_a_taken_name(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", IRIS)
    frame = read_frame(path)
    longer = append_columns(frame, {"label": np.array([0, 1])}, path)
    assert longer.column_names == ["length", "width", "class", "label"]
    with pytest.raises(TableError, match=r"already has column 'label': .*--prefix"):
        append_columns(longer, {"label": np.array([0, 1])}, path)


def test_writing_is_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, "t.csv", "old")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_table(pa.table({"a": [1]}), path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("t.csv", "old")]


def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    path = put(tmp_path, "t.csv", "old")
    link = tmp_path / "link.csv"
    link.symlink_to(path)
    write_table(pa.table({"a": [1]}), link)
    assert link.is_symlink()
    assert path.read_text() == "a\n1\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none/t.csv", "cannot be written: there is no folder"),
        ("folder.csv", "cannot be written: it is a directory"),
        ("t.xls", "the name ends in '.xls'"),
        ("t.xlsx", ".xlsx files are only read: write .csv or .parquet"),
    ],
)
def test_refused_outputs(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match=message):
        write_table(pa.table({"a": [1]}), tmp_path / name)
