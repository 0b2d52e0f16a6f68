"""Models as files: one versioned JSON format, bit-exact, without pickle.

A document is a dictionary of JSON values, NumPy arrays and NumPy scalars. In the file

- an array is ``{"dtype": "float64", "shape": [2, 2], "data": [[3.6, 79.0], [1.8, 54.0]]}``
- inf and nan, which JSON lacks, are the strings "inf", "-inf", "nan" within an array and
  ``{"float": "inf"}`` elsewhere
- other floats are written as Python's `repr`, the shortest text that reads back as the same bits
"""

from __future__ import annotations

import json
import math
import mmap
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mixtura.data.atomic import atomic, why_not_writable
from mixtura.printable import printable
from mixtura.records import AnyArray
from mixtura.version import __version__

FORMAT = "mixtura-model"
VERSION = 1
DTYPES = ("float64", "float32", "int64", "int32", "bool", "str")
_NON_FINITE = ("inf", "-inf", "nan")
_ARRAY = {"dtype", "shape", "data"}
# Names are all the text there is: bytes of it that no model has.
MOST_TEXT = 1 << 25
# A text in a JSON file, or its first MOST_TEXT bytes: looked at no further than that.
_TEXT = re.compile(rb'"(?:[^"\\]{1,4096}+|\\.){0,8192}+"?', re.DOTALL)


class StoreError(ValueError):
    """A model file that cannot be read or written; the message says what was found."""


def write_document(document: Mapping[str, Any], path: str | Path) -> None:
    """Write a document; the file appears whole or not at all.

    The document needs a "kind"; "format", "version" and "mixtura" are added.
    """
    if not isinstance(document.get("kind"), str):
        raise StoreError('a document needs a "kind": the name of what it describes')
    head = {"format": FORMAT, "version": VERSION, "mixtura": __version__}
    text = _layout(encode({**head, **document})) + "\n"
    reason = why_not_writable(path)
    if reason is not None:
        raise StoreError(f"{path}: cannot be written: {reason}")
    try:
        with atomic(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from None


def read_document(path: str | Path) -> dict[str, Any]:
    """The document in a file, arrays and all; StoreError if it is not one that we can read."""
    document = _parsed(path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StoreError(f"{path}: this is JSON, but not a mixtura model")
    for key, kind in (("version", int), ("mixtura", str), ("kind", str)):
        if type(document.get(key)) is not kind:
            found = f"is {document[key]!r}" if key in document else "is missing"
            raise StoreError(f"{path}: the model file is damaged: its key {key!r} {found}")
    if document["version"] > VERSION:
        raise StoreError(
            f"{path}: written by mixtura {document['mixtura']} in format version "
            f"{document['version']}; this mixtura reads up to version {VERSION}: upgrade mixtura"
        )
    try:
        decoded = decode(document, "")
    except StoreError as error:
        # Keys come into it as they are.
        raise StoreError(f"{path}: {printable(str(error))}") from None
    except RecursionError:
        raise StoreError(f"{path}: this is not a mixtura model (nested too deeply)") from None
    assert isinstance(decoded, dict)
    return decoded


def encode_array(array: Any) -> dict[str, Any]:
    """An array as JSON values: dtype, shape and nested lists."""
    array = np.asarray(array)
    dtype = "str" if array.dtype.kind in "UO" else array.dtype.name
    if dtype not in DTYPES:
        raise StoreError(f"arrays of type {array.dtype} cannot be stored, only {', '.join(DTYPES)}")
    data = array.tolist()
    if dtype == "str" and not all(isinstance(item, str) for item in array.ravel()):
        raise StoreError("an array of objects that are not all text cannot be stored")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        data = _non_finite_as_text(data)
    return {"dtype": dtype, "shape": list(array.shape), "data": data}


def decode_array(record: Any, name: str = "array") -> AnyArray:
    """The inverse of `encode_array`; StoreError, naming `name`, if it is no array.

    An array that is one already is returned as it is.
    """
    if isinstance(record, np.ndarray):
        return record
    if not isinstance(record, dict) or set(record) != _ARRAY:
        raise StoreError(f"{name} is not an array with dtype, shape and data")
    dtype, shape, data = record["dtype"], record["shape"], record["data"]
    if dtype not in DTYPES:
        raise StoreError(f"{name}: the dtype {dtype!r} is none of {', '.join(DTYPES)}")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise StoreError(f"{name}: the shape {shape!r} is not a list of sizes")
    flat: list[Any] = []
    if not _fits(data, shape, flat):
        raise StoreError(f"{name}: the data are not of the shape {shape}")
    try:
        values = [_value(item, dtype) for item in flat]
        with np.errstate(over="raise"):
            return np.array(values, dtype=dtype).reshape(shape)
    except (TypeError, ValueError, ArithmeticError):
        raise StoreError(f"{name}: the data hold something that is not {dtype}") from None


def _fits(data: Any, shape: list[int], flat: list[Any]) -> bool:
    """Whether nested lists have that shape; their items are put into `flat`."""
    if not shape:
        flat.append(data)
        return not isinstance(data, list)
    if not isinstance(data, list):
        return False
    # tolist() of shape (0, 3) is [], of (3, 0) is [[], [], []].
    return len(data) == shape[0] and all(_fits(part, shape[1:], flat) for part in data)


def _value(item: Any, dtype: str) -> Any:
    """One item of an array's data; TypeError if the dtype does not have it."""
    if dtype.startswith("float") and isinstance(item, str) and item in _NON_FINITE:
        return float(item)
    allowed = {"b": (bool,), "s": (str,), "i": (int,), "f": (int, float)}[dtype[0]]
    if not isinstance(item, allowed) or (isinstance(item, bool) and dtype != "bool"):
        raise TypeError
    return item


def _non_finite_as_text(data: Any) -> Any:
    if isinstance(data, list):
        return [_non_finite_as_text(part) for part in data]
    return data if math.isfinite(data) else str(data)


def encode(value: Any) -> Any:
    """Any part of a document as JSON values."""
    if isinstance(value, np.ndarray):
        return encode_array(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise StoreError("the keys of a document are text")
        if set(value) == {"float"}:
            raise StoreError('a dictionary with the one key "float" cannot be stored')
        return {key: encode(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [encode(part) for part in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StoreError(f"a value of type {type(value).__name__} cannot be stored")


def decode(value: Any, place: str) -> Any:
    """What `encode` was given; StoreError, naming the place, where it cannot be that."""
    if isinstance(value, list):
        return [decode(part, f"{place}[{index}]") for index, part in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if set(value) == _ARRAY:
        return decode_array(value, place)
    if set(value) == {"float"}:
        if value["float"] not in _NON_FINITE:
            raise StoreError(f"{place}: {value['float']!r} is none of {', '.join(_NON_FINITE)}")
        return float(value["float"])
    return {key: decode(part, f"{place}.{key}".lstrip(".")) for key, part in value.items()}


def _parsed(path: str | Path) -> Any:
    """The JSON value in a file."""
    if not isinstance(path, str | os.PathLike):
        raise StoreError(f"a model is read from a file: give its name, not {path!r}")
    if os.path.isdir(path):
        raise StoreError(f"{path}: this is a directory; a model is one file")
    try:
        _refuse_long_text(path)
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise StoreError(f"{path}: there is no such file") from None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not data.strip():
        raise StoreError(f"{path}: the file is empty")
    try:
        return json.loads(data.decode(), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        cut = FORMAT.encode() in data[:200]
        what = "a mixtura model that is cut off or damaged" if cut else "not a mixtura model"
        where = f"line {error.lineno}: {error.msg}"
        raise StoreError(f"{path}: this is {what} ({where})") from None
    except (UnicodeDecodeError, RecursionError, ValueError):
        raise StoreError(f"{path}: this is not a mixtura model (not JSON text)") from None


def _refuse_long_text(path: str | Path) -> None:
    """StoreError for text that would take many times its bytes to parse; not read for that."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise StoreError(f"{path}: this is not a regular file; a model is one")
    if os.path.getsize(path) <= MOST_TEXT:
        return
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        total = 0
        for text in _TEXT.finditer(data):
            total += text.end() - text.start()
            if total >= MOST_TEXT:
                raise StoreError(
                    f"{path}: this is not a mixtura model (it holds "
                    f"{MOST_TEXT >> 20} MB of text or more)"
                )


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _layout(value: Any, indent: str = "") -> str:
    """JSON with a line for each key and each row of a matrix, so that people can read it."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        inside = [f"{deeper}{json.dumps(k)}: {_layout(v, deeper)}" for k, v in value.items()]
        return "{\n" + ",\n".join(inside) + "\n" + indent + "}"
    if isinstance(value, list) and any(isinstance(part, list | dict) for part in value):
        inside = [deeper + _layout(part, deeper) for part in value]
        return "[\n" + ",\n".join(inside) + "\n" + indent + "]"
    return json.dumps(value, allow_nan=False, ensure_ascii=False)
