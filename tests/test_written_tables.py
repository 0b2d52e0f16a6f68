"""Tables as people write them: read where one reading is left, and what was understood is said."""

from __future__ import annotations

import gzip
import os
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pytest

import mixtura
from mixtura.data.dialect import Dialect
from mixtura.data.files import read_frame
from mixtura.data.refusal import TableError
from mixtura.data.tables import read_table
from mixtura.data.writing import write_table


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


AB = ["a", "b"]
# name, content, what is said of it, names, rows, a part of each remark
READ: dict[str, tuple[str, str, dict[str, str], list[str], list[list[float]], list[str]]] = {
    "decimal commas": (
        "t.csv", "a;b\n1,5;2,0\n-3;4,25e1\n", {}, AB, [[1.5, 2], [-3, 42.5]], ["are decimal"],
    ),
    "decimal commas without header": (
        "t.csv", "1,5;2,0\n3;4\n", {}, ["x1", "x2"], [[1.5, 2], [3, 4]], ["no header", "decimal"],
    ),
    "decimal commas between tabs": ("t.tsv", "a\tb\n1,5\t2\n", {}, AB, [[1.5, 2]], ["decimal"]),
    "decimal commas between blanks": (
        "t.txt", "a b\n1,5 2,7\n3,1 4,2\n", {}, AB, [[1.5, 2.7], [3.1, 4.2]], ["blanks", "decimal"],
    ),
    "decimal commas in quotes": ("t.csv", 'a,b\n"1,5",2\n', {}, AB, [[1.5, 2]], ["decimal"]),
    "decimal commas beside text": (
        "t.csv", "a;b;c\n1,5;2;x,y\n2,25;3;1,234\n", {"exclude": "c"}, AB, [[1.5, 2], [2.25, 3]],
        ["decimal"],
    ),
    "one column of decimal commas": (
        "t.csv", "a\n1,5\n2,75\n", {"decimal": ","}, ["a"], [[1.5], [2.75]], [],
    ),
    "thousands": (
        "t.csv", 'a,b\n"1,234.5",2\n"12,345,678",3.5\n', {}, AB, [[1234.5, 2], [12345678, 3.5]],
        ["',' separates thousands"],
    ),
    "thousands of a column, a point in another": (
        "t.csv", 'a,b\n"1,234",2.5\n-12,3\n', {}, AB, [[1234, 2.5], [-12, 3]], ["thousands"],
    ),
    "thousands by points": (
        "t.csv", "a;b\n1.234,5;2\n12.345.678;3,5\n", {}, AB, [[1234.5, 2], [12345678, 3.5]],
        ["commas are decimal marks and '.' separates thousands"],
    ),
    "thousands by blanks": (
        "t.csv", "a;b\n1 234,5;2\n12\u202f345\u00a0678;3\n", {}, AB, [[1234.5, 2], [12345678, 3]],
        ["' ' separates thousands"],
    ),
    "thousands by apostrophes": (
        "t.csv", "a,b\n1'234.5,2\n12’345,3\n", {}, AB, [[1234.5, 2], [12345, 3]], ["thousands"],
    ),
    "thousands, said": (
        "t.csv", "a;b\n1,234;2\n5;3\n", {"thousands": ","}, AB, [[1234, 2], [5, 3]], [],
    ),
    "decimals, said": (
        "t.csv", "a;b\n1,234;2\n5;3\n", {"decimal": ","}, AB, [[1.234, 2], [5, 3]], [],
    ),
    "points for thousands, said": (
        "t.csv", "a;b\n1.234;2,5\n5;3\n", {"decimal": ",", "thousands": "."}, AB,
        [[1234, 2.5], [5, 3]], [],
    ),
    "missing among thousands": (
        "t.csv", 'a,b,w\n"1,234.5",2,\n"1,000",NA,\n', {"columns": "a"}, ["a"], [[1234.5], [1000]],
        ["thousands"],
    ),
    "typeset minus": (
        "t.csv", "a,b\n−1.5,2\n–3,4\n", {}, AB, [[-1.5, 2], [-3, 4]], ["typeset minus"],
    ),
    "sep line": ("t.csv", "sep=;\na;b\n1,5;2\n", {}, AB, [[1.5, 2]], ["';' separates", "decimal"]),
    "sep line, a rare mark": ("t.csv", '\ufeff"sep=|"\na|b\n1|2\n', {}, AB, [[1, 2]], ["'|'"]),
    "sep, said": ("t.csv", "a|b\n1|2\n", {"sep": "|"}, AB, [[1, 2]], []),
    "tab, said": ("t.csv", "a\tb,c\n1\t2\n", {"sep": "tab"}, ["a", "b,c"], [[1, 2]], []),
    "comments above": (
        "t.csv", "# from the lab\n#\n# 2, 3\na,b\n1,2\n", {}, AB, [[1, 2]], ["3 comment lines"],
    ),
    "comments and no header": (
        "t.csv", "# by hand\n1,2\n3,4\n", {}, ["x1", "x2"], [[1, 2], [3, 4]],
        ["1 comment line", "no header"],
    ),
    "names in a comment": (
        "t.txt", "# by NumPy\n# a b\n1.0e+00 2.0e+00\n3.0e+00 4.0e+00\n", {}, AB,
        [[1, 2], [3, 4]], ["2 comment lines", "blanks", "names"],
    ),
    "names behind a hash, beside text": (
        "t.csv", "#a,name\n1,u\n2,v\n", {"columns": "a"}, ["a"], [[1], [2]], ["comment", "names"],
    ),
    "comments anywhere, said": (
        "t.csv", "% x\na,b\n1,2\n% 3,4\n  % 5\n6,7\n", {"comment": "%"}, AB, [[1, 2], [6, 7]], [],
    ),
    "hashes that are data": (
        "t.csv", "#a,b\n#1,2\n#3,4\n", {"columns": "b"}, ["b"], [[2], [4]], [],
    ),
    "R's write.table": (
        "t.txt", '"a" "b" "c d"\n"1" 5.1 3 "u v"\n"row 2" 4.9 NA "w"\n', {"columns": "a"}, ["a"],
        [[5.1], [4.9]], ["blanks"],
    ),
    "R's row numbers": (
        "t.dat", '"a" "b"\n"1" 5.1 3\n"2" 4.9 7\n', {}, AB, [[5.1, 3], [4.9, 7]],
        ["blanks", "without a name"],
    ),
    "R's row names by commas": (
        "t.csv", '"a","b"\n"Mazda",5,3\n"Fiat",4,7\n', {}, AB, [[5, 3], [4, 7]], ["without a name"],
    ),
    "aligned": (
        "t.dat", "   a     b  \n  1.0  22.5\n 10.0  -3.5 \n", {}, AB, [[1, 22.5], [10, -3.5]],
        ["blanks"],
    ),
    "blanks, said": ("t.tsv", "a  b\n1 2\n", {"sep": " "}, AB, [[1, 2]], []),
    "lines of blanks": (
        "t.csv", "  \na,b\n   \n1,2\n\t\n \n3,4\n   ", {}, AB, [[1, 2], [3, 4]], [],
    ),
    "lines of blanks in one column": ("t.csv", "a\n1\n  \n 2\n\t\n", {}, ["a"], [[1], [2]], []),
    "row numbers": (
        "t.csv", ",a,b\n0,5,6\n1,7,8\n", {}, AB, [[5, 6], [7, 8]], ["without a name in .*left out"],
    ),
    "row numbers, read again": (
        "t.csv", "Unnamed: 0,a\n1,6\n2,8\n", {}, ["a"], [[6], [8]], ["'Unnamed: 0' in"],
    ),
    "row names": ("t.csv", '"","a"\n"x",6\n"y",8\n', {}, ["a"], [[6], [8]], ["without a name"]),
    "old line ends": ("t.csv", "a;b\r1,5;2\r3;4\r", {}, AB, [[1.5, 2], [3, 4]], ["decimal"]),
    "header only": ("t.csv", "a;b", {"empty": "1"}, AB, [], []),
}  # fmt: skip


def spoken(options: dict[str, str]) -> dict[str, Any]:
    return {k: [v] if k in ("columns", "exclude") else v for k, v in options.items()}


def dialect_of(options: dict[str, str]) -> Dialect:
    marks = ("sep", "decimal", "thousands", "comment")
    return Dialect(**{name: options[name] for name in marks if name in options})


@pytest.mark.parametrize("case", [case for case in READ if case != "header only"])
def test_what_is_written_is_read(tmp_path: Path, case: str) -> None:
    name, content, options, names, X, remarks = READ[case]
    path = put(tmp_path, name, content)
    chosen = {k: [v] for k, v in options.items() if k in ("columns", "exclude")}
    table = read_table(path, **chosen, dialect=dialect_of(options))
    assert (list(table.names), table.X.tolist()) == (names, X)
    assert len(table.remarks) == len(remarks), table.remarks
    for remark, part in zip(table.remarks, remarks, strict=True):
        assert pa.compute.match_substring_regex(pa.array([remark]), part)[0].as_py(), remark
        assert str(path) in remark
    stream = mixtura.stream(path, **spoken(options))
    np.testing.assert_array_equal(stream.loaded().X, X)
    assert stream.remarks == table.remarks


REFUSED: dict[str, tuple[str, str | bytes, str]] = {
    "decimal or thousands": (
        "t.csv", "a;b\n1,234;5\n", "column 'a' holds commas that are decimal or separate thousands "
        r"\('1,234'; say --decimal , or --thousands ,\)",
    ),
    "points beside decimal commas": (
        "t.csv", "a;b\n1.234;5,5\n", "'b' holds decimal commas .*--decimal , reads them",
    ),
    "a minus far down": (
        "t.csv", "a\n" + "1\n" * 200_000 + "−5\n",
        r"'a' holds a minus sign that is not '-' \('−5'\)",
    ),
    "commas far down": (
        "t.csv", "a;b\n" + "1;2\n" * 100_000 + "1,5;2\n",
        r"'a' holds decimal commas \('1,5'; --decimal , reads them\): ",
    ),
    "a comment below": (
        "t.csv", "a,b\n1,2\n# so, it, is\n3,4\n", "line 3 has 3 fields .* --comment '#'",
    ),
    "one column, commas": (
        "t.csv", "a\n1,5\n2,7\n", "line 2 has 2 fields .*commas are decimal .*--decimal ,",
    ),
    "commas twice": ("t.csv", "a,b\n1,5,2,7\n", "line 2 has 4 fields .*values by semicolons"),
    "trailing commas": ("t.csv", "a,b\n1,2,\n3,4,\n", "line 2 has 3 fields"),
    "no line end": ("t.csv", b"1," * (9 << 20), r"no line ends in its first 1[67],\d+,\d+ bytes"),
    "no line end, packed": ("t.csv.gz", gzip.compress(b"x" * (40 << 20)), "no line ends in"),
    "zeros": ("t.csv", b"a,b\n1,2" + bytes(100), "this is not a text file"),
    "zeros later": ("t.csv", b"1" * (1 << 17) + bytes(100), "no line ends"),
    "a long field": ("t.csv", b"x" * 140_000 + b",b\n1,2\n", "more than 131,072 characters"),
    "a long second line": (
        "t.csv", b"a,b\n1,2\n3," + b"4" * (3 << 20), "line 3 has more than 1,048,576 characters",
    ),
    "not a workbook": ("t.xlsx", "a,b\n1,2\n", "this is not an .xlsx or .ods file"),
    "an empty archive": ("t.ods", b"PK\x05\x06" + bytes(18), "this workbook cannot be read"),
    "not an Arrow file": ("t.feather", "a,b\n1,2\n" * 99, "not an Arrow file"),
}  # fmt: skip


# What is seen of a file when no column is known as a whole.
IN_PIECES = {
    "a minus far down": r"'a' holds a minus sign that is not '-' \('−5'\) in row [0-9]+ among its",
    "commas far down": r"'a' holds decimal commas \('1,5'; .*\) in row [0-9]+ among its numbers",
    "a long second line": "line 3 has more than [0-9,]+ characters",
    "not an Arrow file": "cannot be read",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    name, content, message = REFUSED[case]
    path = put(tmp_path, name, content)
    with pytest.raises(TableError, match=message) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    with pytest.raises(TableError, match=IN_PIECES.get(case, message)) as caught:
        mixtura.stream(path)
    assert "\n" not in str(caught.value)


def test_thousands_that_come_late_are_read_in_every_piece(tmp_path: Path) -> None:
    rows = ['"1,234.5",-1'] + [f"{i % 900},{i}" for i in range(60_000)] + ['"7,654,321",5']
    path = put(tmp_path, "t.csv", "a,b\n" + "\n".join(rows))
    X = read_table(path).X
    np.testing.assert_array_equal(X[[0, -1]], [[1234.5, -1], [7654321, 5]])
    np.testing.assert_array_equal(X[1:-1, 1], np.arange(60_000))
    np.testing.assert_array_equal(mixtura.stream(path).loaded().X, X)
    path = put(tmp_path, "t.csv", "a,b\n" + "\n".join([*rows, "?,5"]))
    with pytest.raises(TableError, match=r"'a' holds text \('\?'\) in row 60003 among its numbers"):
        mixtura.stream(path)


def test_a_file_with_a_header_alone(tmp_path: Path) -> None:
    for content in ("a;b", "a;b\n", "sep=;\na;b\n \n"):
        path = put(tmp_path, "t.csv", content)
        with pytest.raises(TableError, match=r"no rows below the header \(a, b\)"):
            read_table(path)
        with pytest.raises(TableError, match=r"no rows below the header \(a, b\)"):
            mixtura.stream(path)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        ({"decimal": ";"}, "no decimal mark"),
        ({"thousands": "x"}, "give a comma, a point"),
        ({"decimal": ",", "thousands": ","}, "both ','"),
        ({"sep": "ab"}, "separates nothing"),
        ({"sep": "1"}, "separates nothing"),
        ({"comment": ""}, "begins no comment"),
        ({"sep": "#", "comment": "#"}, "both .#."),
    ],
)
def test_marks_that_cannot_be(tmp_path: Path, marks: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mixtura.stream(put(tmp_path, "t.csv", "a\n1\n"), **marks)
    with pytest.raises(ValueError, match="cannot be given for a callable"):
        mixtura.stream(lambda: iter([np.ones((2, 1))]), decimal=",")


FRAME = pa.table({"a": [1.5, 2.5, 4.0], "b": [3, 4, 7], "c": ["u", "v,w", None]})


@pytest.mark.parametrize("name", ["t.arrow", "t.feather", "t.ipc", "t.parquet"])
def test_columns_survive_an_arrow_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_table(FRAME, path)
    assert read_frame(path) == FRAME
    np.testing.assert_array_equal(
        mixtura.stream(path, columns=["b", "a"]).loaded().X[:, 0], [3, 4, 7]
    )


def test_arrow_files_of_others(tmp_path: Path) -> None:
    X = [[1.5, 3], [2.5, 4], [4, 7]]
    pyarrow.feather.write_feather(FRAME, tmp_path / "t.feather", compression="zstd")
    with pa.ipc.new_stream(tmp_path / "s.arrow", FRAME.schema) as stream:
        stream.write_table(FRAME, max_chunksize=2)
    pl.DataFrame(FRAME).write_ipc(tmp_path / "p.arrow")
    for name in ("t.feather", "s.arrow", "p.arrow"):
        assert read_table(tmp_path / name, exclude=["c"]).X.tolist() == X
        assert mixtura.stream(tmp_path / name, exclude=["c"]).loaded().X.tolist() == X
        with pytest.raises(TableError, match=r"column 'c' holds text \('u', ...\)"):
            read_table(tmp_path / name)
        write_table(read_frame(tmp_path / name), tmp_path / "t.csv")
        assert (tmp_path / "t.csv").read_text() == 'a,b,c\n1.5,3,u\n2.5,4,"v,w"\n4,7,\n'


def workbook(path: Path, *sheets: list[list[Any]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"s{number}")
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_a_spreadsheet(tmp_path: Path) -> None:
    rows = [
        ["a", 2019, "c", "d"],
        [1.5, 3, "u", date(2020, 1, 1)],
        [2, None, "v", None],
        [4, 7, 5, None],
    ]
    path = workbook(tmp_path / "t.xlsx", rows)
    assert read_table(path, columns=["a"]).X.tolist() == [[1.5], [2], [4]]
    for named, message in (
        ("2019", "no value in column '2019', row 2"),
        ("c", r"'c' holds text \('u'\) in row 1 among"),
        ("d", "'d' holds dates or times"),
    ):
        with pytest.raises(TableError, match=message):
            read_table(path, columns=[named])
    assert mixtura.stream(path, columns=["a"]).loaded().X.tolist() == [[1.5], [2], [4]]
    table = read_table(workbook(path, [[1, 2], [3, 4.5]], [["x"]]))
    assert (table.names, table.X.tolist()) == (("x1", "x2"), [[1, 2], [3, 4.5]])
    assert [("first of 2 sheets" in r, "no header" in r) for r in table.remarks] == [
        (True, False), (False, True),
    ]  # fmt: skip
    assert "'s0', 's1'; --sheet (sheet=) chooses another" in table.remarks[0]
    with pytest.raises(TableError, match="the sheet 's0' is empty"):
        read_table(workbook(path, []))


def test_the_sheet_of_a_spreadsheet_is_chosen(tmp_path: Path) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a"], [1], [2]], [["b"], [3], [4]])
    for sheet in ("s1", "2", 2):
        table = mixtura.stream(path, sheet=sheet)
        assert (table.loaded().X.tolist(), table.remarks) == ([[3], [4]], ())
    for sheet in ("s2", 0, 3):
        with pytest.raises(TableError, match=r"no sheet .*choose among 's0', 's1', by name or by"):
            mixtura.stream(path, sheet=sheet)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a|b\n1.5|2\n3|4\n", ("a", "b")),
        ("a|b,c\n1,2\n3,4\n", ("a|b", "c")),  # commas cut it too
    ],
)
def test_bars_separate_where_nothing_else_does(tmp_path: Path, text: str, names: tuple) -> None:
    path = tmp_path / "t.txt"
    path.write_text(text)
    table = read_table(path)
    assert table.names == names
    assert table.X.shape == (2, 2)


def test_an_open_document(tmp_path: Path) -> None:
    space = "urn:oasis:names:tc:opendocument:xmlns"

    def cell(value: object) -> str:
        if isinstance(value, str):
            return (
                '<table:table-cell office:value-type="string">'
                f"<text:p>{value}</text:p></table:table-cell>"
            )
        return f'<table:table-cell office:value-type="float" office:value="{value}"/>'

    rows = "".join(
        f"<table:table-row>{''.join(map(cell, row))}</table:table-row>"
        for row in (["a", "b"], [1.5, 2], [3, -4])
    )
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(tmp_path / "t.ods", "w") as packed:
        packed.writestr("mimetype", kind)
        packed.writestr(
            "META-INF/manifest.xml",
            f'<m:manifest xmlns:m="{space}:manifest:1.0"><m:file-entry m:full-path="/" '
            f'm:media-type="{kind}"/></m:manifest>',
        )
        packed.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{space}:office:1.0" '
            f'xmlns:table="{space}:table:1.0" xmlns:text="{space}:text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="s">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    table = read_table(tmp_path / "t.ods")
    assert (table.names, table.X.tolist()) == (("a", "b"), [[1.5, 2], [3, -4]])


def test_spreadsheets_need_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = workbook(tmp_path / "t.xlsx", [["a"], [1]])
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(TableError, match=r"install mixtura\[excel\]"):
        read_table(path)


def test_a_workbook_that_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mixtura.data.workbook.UNPACKED", 1000)
    with pytest.raises(TableError, match=r"the workbook unpacks to [\d,]+ bytes"):
        read_table(workbook(tmp_path / "t.xlsx", [["a"], [1]]))


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "feather", "npy", "xlsx"])
def test_names_that_are_not_utf8(tmp_path: Path, ending: str) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9." + ending.encode()))
    X = [[1.5, 2], [3, -4], [5, 1]]
    if ending == "npy":
        np.save(path, X)
    elif ending == "xlsx":
        workbook(path, [["a", "b"], *X])
    else:
        write_table(pa.table({"a": [1.5, 3, 5], "b": [2, -4, 1]}), path)
        assert read_table(path).X.tolist() == X
    assert mixtura.stream(path).loaded().X.tolist() == X


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device here")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "p.csv")
    for name in ("t.csv", "p.csv"):
        for read in (read_table, mixtura.stream):
            with pytest.raises(TableError, match=r"not a regular file.* standard input"):
                read(tmp_path / name)


SEEDS = range(60)


def written(rng: np.random.Generator) -> tuple[str, np.ndarray, dict[str, str]]:
    """A table in some spelling, its numbers, and the marks that say how it is written."""
    d, n = int(rng.integers(2, 5)), int(rng.integers(2, 8))
    digits = rng.integers(0, 4, size=d)
    decimal = str(rng.choice([".", ","]))
    thousands = str(rng.choice(["", "", ",", ".", " ", "\u202f", "'"]))
    thousands = "" if thousands == decimal else thousands
    if thousands == ".":
        # 1.234 alone is read as Python reads it.
        digits[0] = 1
    X = np.column_stack(
        [np.round(rng.normal(size=n) * 10.0 ** rng.integers(0, 6), k) for k in digits]
    )
    sep = str(rng.choice([";", "\t", ",", " ", "|"]))
    minus = str(rng.choice(["-", "−"]))

    def number(x: float, k: int) -> str:
        plain = f"{x:,.{k}f}".replace(",", "T").replace(".", decimal).replace("-", minus)
        text = plain.replace("T", thousands)
        return f'"{text}"' if sep in text else text

    lines = [sep.join(number(x, k) for x, k in zip(row, digits, strict=True)) for row in X]
    if rng.random() < 0.4:
        lines = [f'"r{i}"{sep}{line}' for i, line in enumerate(lines)]
        lines.insert(0, sep.join(['""', *(f"c{j}" for j in range(d))]))
    elif rng.random() < 0.8:
        lines.insert(0, sep.join(f"c{j}" for j in range(d)))
    if rng.random() < 0.3:
        lines = ["# from the lab, in May", *lines]
    lines.insert(int(rng.integers(len(lines) + 1)), "  ")
    marks = {"sep": sep, "decimal": decimal} | ({"thousands": thousands} if thousands else {})
    return str(rng.choice(["\n", "\r\n"])).join(lines), X, marks


def test_a_spelling_is_read_right_or_refused(tmp_path: Path) -> None:
    read = said = 0
    for seed in SEEDS:
        text, X, marks = written(np.random.default_rng(seed))
        path = put(tmp_path, "t.csv", text)
        try:
            found = read_table(path).X
        except TableError:
            found = None
        if found is not None:
            assert found.tolist() == X.tolist(), (seed, text)
            read += 1
        # What is said is read in any case.
        assert read_table(path, dialect=Dialect(**marks)).X.tolist() == X.tolist(), (seed, text)
        assert mixtura.stream(path, **marks).loaded().X.tolist() == X.tolist(), (seed, text)
        said += 1
    assert said == len(SEEDS)
    assert read > 0.7 * said
