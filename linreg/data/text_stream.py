"""A text file in any of the usual encodings as a stream of UTF-8."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import Any

from linreg.data.errors import TableError

BLOCK = 1 << 20  # bytes that are read at a time
SAVE_AS_UTF_8 = "save it as UTF-8, in Excel as “CSV UTF-8”"


def read_bytes(file: Any, size: int, name: str) -> bytes:
    """Bytes of a file that may be a `gzip.GzipFile`. Raises `TableError` if that is damaged."""
    try:
        return bytes(file.read(size))
    except (gzip.BadGzipFile, zlib.error, EOFError):
        raise TableError(
            f"{name} is compressed with gzip, but damaged or cut off; save or load it once more"
        ) from None


def utf_16(sample: bytes) -> str | None:
    """The codec of UTF-16 text, by its byte order mark or its many zeros; None for other text."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > len(sample) / 4 and min(even, odd) < len(sample) / 20:
        return "utf-16-be" if even > odd else "utf-16-le"
    return None


class TextStream(io.RawIOBase):
    """A text file as UTF-8, without a byte order mark and without blank lines at its end.

    UTF-16 is recognised at the file's beginning. Any other file is UTF-8 if the first block that is
    not plain ASCII is, and Windows-1252 otherwise. `encoding` is None as long as all was ASCII.

    `file` is what is read, and `on_disk` the file whose position tells how far that is: the same,
    unless the first unpacks the second. Raises `TableError` for bytes that are not text, and if
    there are more than `max_bytes` of them."""

    def __init__(
        self, file: Any, name: str, on_disk: Any | None = None, max_bytes: int | None = None
    ) -> None:
        self.name, self.file, self.on_disk, self.max_bytes = name, file, on_disk or file, max_bytes
        self.rewind()

    def rewind(self) -> None:
        """Start again at the file's beginning."""
        self.file.seek(0)
        self.encoding: str | None = None
        self.position = 0  # on disk
        self.ended = False
        self._read = self._lines = 0  # bytes and lines so far
        self._pending = b""  # UTF-8 that was not handed out yet

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; fewer do not mean the end, none do."""
        while len(self._pending) < size and not self.ended:
            self._pending += self._next_block()
        ready = self._pending[:size]
        found = ready.rstrip(b"\r\n")  # the line breaks are blank lines if nothing follows
        if not found and not (self.ended and len(self._pending) <= size):
            found = ready
        self._pending = self._pending[len(found) :]
        return found

    def _next_block(self) -> bytes:
        block = read_bytes(self.file, BLOCK, self.name)
        if not self._read:
            self.encoding = utf_16(block[: 1 << 16])
            if block.startswith(codecs.BOM_UTF8):
                self.encoding, block = "utf-8", block.removeprefix(codecs.BOM_UTF8)
            self._set_decoder()
        self._read += len(block)
        self.position = self.on_disk.tell()
        self.ended = not block
        if self.max_bytes is not None and self._read > self.max_bytes:
            raise TableError(
                f"{self.name} unpacks to more than the {self.max_bytes / 1e6:,.1f} MB that are read"
                " into memory; use fewer rows or columns, or stream it from disk"
            )
        if self.encoding is None and not block.isascii():
            self.encoding = "utf-8" if _is_utf_8(block) else "cp1252"
            self._set_decoder()
        try:
            text = self._decoder.decode(block, self.ended).encode() if self.encoding else block
        except UnicodeDecodeError as error:
            raise self._not_decoded(error) from None
        if b"\0" in text:
            line = self._lines + text[: text.index(b"\0")].count(b"\n") + 1
            raise TableError(
                f"line {line:,} of {self.name} holds a NUL byte, which no text does; save it as"
                " UTF-8 CSV"
            )
        self._lines += text.count(b"\n")
        return text

    def _set_decoder(self) -> None:
        self._decoder = codecs.getincrementaldecoder(self.encoding or "ascii")()

    def _not_decoded(self, error: UnicodeDecodeError) -> TableError:
        line = self._lines + error.object[: error.start].count(b"\n") + 1
        what = {
            "utf-8": "is not UTF-8, unlike what comes before it",
            "cp1252": "is neither UTF-8 nor Windows-1252",
        }.get(self.encoding or "", "is not UTF-16, unlike the beginning of the file")
        byte = f"byte 0x{error.object[error.start]:02x}"
        return TableError(f"line {line:,} of {self.name} {what} ({byte}); {SAVE_AS_UTF_8}")


def _is_utf_8(block: bytes) -> bool:
    """Whether a block is UTF-8; its last character may be cut off where the file goes on."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(block, final=len(block) < BLOCK)
    except UnicodeDecodeError:
        return False
    return True
