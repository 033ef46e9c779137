"""Bytes to text without silent mojibake.

UTF-8 and UTF-16 announce themselves. Of the older encodings, Japanese cp932 and Western cp1252 are told apart by what
the text then looks like; a file that looks like neither is refused, for a wrong guess would go unseen.
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from yoin.errors import TableError

_REMEDY = "save it as UTF-8"
_BINARY = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a compressed file",
    b"%PDF": "a PDF",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"SQLite format 3": "a database",
}
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_HALF_WIDTH = re.compile(r"[\uff61-\uff9f]+")
# Letters and signs of Western text; the rest of cp1252 rarely stands in a table.
_WESTERN = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝßàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿŒœŠšŽžŸ€£¥©®™°·«»‘’“”–—…•¿¡\u00a0")


def decode(path: Path) -> str:
    """The text of the file.

    Raises:
        TableError: the file is binary, or its encoding cannot be told.
        OSError: it cannot be read.
    """
    data = path.read_bytes()
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return _strict(path, data, "utf-16")
    for signature, what in _BINARY.items():
        if data.startswith(signature):
            raise TableError(
                f"{path.name} is {what}, not text", stage="table", remedy="give it the suffix of its format"
            )
    if b"\0" in data:
        raise TableError(f"{path.name} is a binary file, not text", stage="table", remedy="save the table as CSV")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if _nearly_utf8(data):
            line = data.count(b"\n", 0, error.start) + 1
            raise TableError(
                f"{path.name} is UTF-8 but for a damaged character in line {line}", stage="table", remedy=_REMEDY
            ) from error
    for encoding, fits in (("cp932", _looks_japanese), ("cp1252", _looks_western)):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if fits(text):
            return text
    raise TableError(f"the encoding of {path.name} cannot be told", stage="table", remedy=_REMEDY)


def _strict(path: Path, data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TableError(f"{path.name} is damaged {encoding.upper()} text", stage="table", remedy=_REMEDY) from error


def _nearly_utf8(data: bytes) -> bool:
    """Whether sound UTF-8 characters outnumber the damaged ones: older encodings hardly ever make any by chance."""
    text = data.decode("utf-8", "replace")
    damaged = text.count("\ufffd")
    foreign = sum(len(run) for run in _FOREIGN.findall(text))
    return foreign - damaged > damaged


def _looks_japanese(text: str) -> bool:
    """Whether foreign characters stand in runs or by themselves, not inside Latin words as misread accents do."""
    likely = total = 0
    for match in _FOREIGN.finditer(text):
        run = match.group()
        around = text[max(match.start() - 1, 0) : match.start()] + text[match.end() : match.end() + 1]
        alone = not _HALF_WIDTH.fullmatch(run) and not any(sign.isalpha() for sign in around)
        total += len(run)
        likely += len(run) * (len(run) > 1 or alone)
    return likely >= 0.8 * total


def _looks_western(text: str) -> bool:
    """Whether foreign characters are accented letters and typographic signs, mostly one at a time."""
    runs = _FOREIGN.findall(text)
    total = sum(map(len, runs))
    return sum(sign in _WESTERN for run in runs for sign in run) >= 0.98 * total and total <= 1.25 * len(runs)
