"""The bytes of a text file: opened, its head looked at, and its lines made what PyArrow reads."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from mixtura.data.refusal import TableError

# Enough to see the header and some rows; a longer first line is read to its end, up to LINE bytes.
HEAD, LINE = 1 << 16, 1 << 24
_BLOCK = 1 << 20
_EDGES = re.compile(rb"^[ \t]+|[ \t]+(?=\r?$)", re.MULTILINE)


def opened(path: str | Path) -> pa.NativeFile:
    """The bytes of a file, unpacked if its name ends in .gz. Names need not be UTF-8."""
    file = pa.OSFile(os.fsencode(path))
    return pa.CompressedInputStream(file, "gzip") if str(path).lower().endswith(".gz") else file


def head(path: str | Path) -> tuple[list[bytes], int, bool]:
    """(whole lines with their ends, bytes before them, whether these are all lines) of a text file.

    TableError for what is not UTF-8 text, or has no end to its first line.
    """
    with opened(path) as stream:
        data = bytearray(stream.read(HEAD))
        _refuse_no_text(path, data)
        more: bytes = bytes(data)
        while not re.search(rb"[\r\n]", more) and (more := stream.read(16 * HEAD)):
            data += more
            if b"\0" in more or len(data) > LINE:
                raise TableError(
                    f"{path}: this is not a table (no line ends in its first {len(data):,} bytes)"
                )
        whole = not stream.read(1)
    mark = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    lines = bytes(data[mark:]).splitlines(keepends=True)
    if not whole and len(lines) > 1:
        # The last line may be cut within a character or a field.
        lines.pop()
    try:
        b"".join(lines).decode()
    except UnicodeDecodeError:
        raise not_utf8(path) from None
    return lines, mark, whole


def _refuse_no_text(path: str | Path, data: bytearray) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise TableError(f"{path}: this is UTF-16 text: save the file as UTF-8")
    if b"\0" in data:
        raise TableError(f"{path}: this is not a text file (it holds zero bytes)")
    if data.lstrip().startswith(b"{"):
        what = "a mixtura model" if b"mixtura-model" in data else "a JSON file"
        raise TableError(f"{path}: this is {what}, not a table")


def not_utf8(path: str | Path) -> TableError:
    """The refusal of text in another encoding."""
    return TableError(f"{path}: the text is not UTF-8: save the file as UTF-8")


class Lines(io.RawIOBase):
    """A stream of bytes from its current place on, with its lines `mended` if they are to be.

    Lines stay where they are: one that is left out becomes empty, which PyArrow passes over.
    """

    def __init__(self, stream: pa.NativeFile, comment: str | None, spaced: bool, lone: bool):
        self.stream = stream
        self.mends = (comment, spaced, lone)
        self._blocks = self._mended()
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """As any stream that is read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what comes next."""
        while not self._rest:
            block = next(self._blocks, None)
            if block is None:
                return 0
            self._rest = memoryview(block)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Close the stream that is read, too."""
        if not self.closed:
            self.stream.close()
        super().close()

    def _mended(self) -> Iterator[bytes]:
        if not any(self.mends):
            while block := self.stream.read(_BLOCK):
                yield block
            return
        rest: list[bytes] = []
        while block := self.stream.read(_BLOCK):
            cut = max(block.rfind(b"\n"), block.rfind(b"\r")) + 1
            if cut:
                yield mended(b"".join([*rest, block[:cut]]), *self.mends)
                rest = []
            rest.append(block[cut:])
            if len(rest) * _BLOCK > LINE:
                raise pa.ArrowInvalid(f"a line has more than {LINE:,} bytes")
        yield mended(b"".join(rest), *self.mends)


def mended(text: bytes, comment: str | None, spaced: bool, lone: bool) -> bytes:
    """Whole lines without comments; `spaced`: tabs for blanks; `lone`: no blank ones."""
    if comment is not None:
        text = re.sub(rb"(?m)^[ \t]*%b[^\r\n]*" % re.escape(comment.encode()), b"", text)
    if spaced:
        parts = text.split(b'"')
        parts[::2] = map(_tabbed, parts[::2])
        return b'"'.join(parts).strip(b"\t")
    blank = lone and (b" " in text or b"\t" in text)
    return _EDGES.sub(b"", text) if blank else text


def _tabbed(text: bytes) -> bytes:
    """Text outside quotes with one tab for each run of blanks, none at the ends of lines."""
    text = text.replace(b"\t", b" ")
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    for end in (b"\n", b"\r"):
        text = text.replace(b" " + end, end).replace(end + b" ", end)
    return text.replace(b" ", b"\t")
