"""Captions with what their spans add as red and blue, saved as a page or a picture."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from yoin.errors import UsageError
from yoin.explanations.unspaced import is_unspaced
from yoin.files import put

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_UP, _DOWN = (255, 0, 81), (0, 139, 251)  # shap's colours
_STRONGEST = 0.75  # the most of the colour that black text is still read on
_WIDTH, _MARGIN, _SIZE, _LINE, _MOST_HEIGHT = 960, 24, 18, 30, 30_000  # pixels
_FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts",
                 "/System/Library/Fonts", "/Library/Fonts", "C:/Windows/Fonts")  # fmt: skip
_NOTHING = "\U0010ffff"  # never a character, so drawn as what is missing
_PIECE = re.compile(r"\n|[^\S\n]+|[^\s]+")

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>What moves the prediction</title>
<style>
body { font: 1.1rem/1.7 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #000; background: #fff }
p { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
section { margin: 0 0 2rem }
small { color: #555 }
</style>
<p><small>Red raises the prediction, blue lowers it, the stronger the more.</small></p>
{% for row in rows %}
<section>
<p><small>{{ row.base }} without any words → {{ row.prediction }}</small></p>
<p dir="auto">{% for span in row.spans %}<span title="{{ span.value }}" style="background: rgb({{ span.colour | join(', ') }})">{{ span.text }}</span>{% endfor %}</p>
</section>
{% endfor %}
</html>
"""  # noqa: E501


@dataclass(frozen=True, slots=True)
class Drawn:
    """A caption in ``tokens``, which joined are the caption, with the value of each, and its base value."""

    tokens: tuple[str, ...]
    values: tuple[float, ...]
    base: float

    @property
    def told(self) -> tuple[str, str]:
        """The base value and the prediction."""
        return f"{self.base:.4g}", f"{self.base + sum(self.values):.4g}"


class Pictures:
    """Explanations that can be saved to look at."""

    __slots__ = ()

    def _drawn(self) -> list[Drawn]:
        raise NotImplementedError

    def save_html(self, path: str | Path) -> None:
        """Write the captions with red and blue spans as one HTML page, which holds no script and loads nothing.

        Raises:
            UsageError: the file cannot be written.
        """
        _save(Path(path), to_html(self._drawn()).encode())

    def save_png(self, path: str | Path, *, font: str | Path | None = None) -> None:
        """Write the captions with red and blue spans as a PNG picture.

        Args:
            path: where to.
            font: a TrueType or OpenType font. By default one that comes with Pillow, and where that lacks a letter,
                the first of those on this machine that has all.

        Raises:
            UsageError: no font has all letters, there is right-to-left text or too much text for one picture, or a file
                cannot be read or written.
        """
        _save(Path(path), to_png(self._drawn(), font))


@dataclass(frozen=True, slots=True)
class DrawnRows(Pictures):
    """Some captions to look at."""

    rows: tuple[Drawn, ...]

    def _drawn(self) -> list[Drawn]:
        return list(self.rows)


def to_html(rows: Sequence[Drawn]) -> str:
    """One HTML page."""
    from jinja2 import Environment

    most = _largest(rows)
    told = [
        {
            "base": row.told[0],
            "prediction": row.told[1],
            "spans": [
                {"text": text, "value": f"{value:+.3g}", "colour": _colour(value, most)}
                for text, value in zip(row.tokens, row.values, strict=True)
            ],
        }
        for row in rows
    ]
    return Environment(autoescape=True).from_string(_PAGE).render(rows=told)


def to_png(rows: Sequence[Drawn], font: str | Path | None = None) -> bytes:
    """A PNG picture; see `Pictures.save_png`."""
    import io

    from PIL import Image, ImageDraw

    text = "".join(itertools.chain.from_iterable(row.tokens for row in rows))
    if any(unicodedata.bidirectional(char) in {"R", "AL"} for char in text):
        raise UsageError("right-to-left text is not drawn", stage="explain", remedy="save HTML instead")
    face = _font(text, font)
    placed, height = _placed(rows, face)
    if height > _MOST_HEIGHT:
        raise UsageError(
            "this is too much text for a picture", stage="explain", remedy="take fewer or save HTML instead"
        )
    image = Image.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(image)
    for piece in placed:
        draw.rectangle((piece.x, piece.y, piece.x + piece.width, piece.y + _LINE - 3), fill=piece.colour)
        draw.text((piece.x, piece.y + _LINE // 2 - 1), piece.text, font=face, fill=piece.ink, anchor="lm")
    held = io.BytesIO()
    image.save(held, "PNG")
    return held.getvalue()


@dataclass(frozen=True, slots=True)
class _Placed:
    x: float
    y: int
    width: float
    text: str
    colour: tuple[int, int, int]
    ink: str = "black"


def _placed(rows: Sequence[Drawn], face: FreeTypeFont) -> tuple[list[_Placed], int]:
    """Every piece of text in its place, and the height of all."""
    most, found, y = _largest(rows), [], _MARGIN
    for row in rows:
        above = "{} without any words, {} with all".format(*row.told)
        found.append(_Placed(_MARGIN, y, 0, above, (255, 255, 255), "#555555"))
        x, y = float(_MARGIN), y + _LINE
        for token, value in zip(row.tokens, row.values, strict=True):
            for text in _breakable(token):
                width = face.getlength(text) if text != "\n" else 0.0
                if text == "\n" or (x + width > _WIDTH - _MARGIN and x > _MARGIN):
                    x, y = float(_MARGIN), y + _LINE
                    if text.isspace():
                        continue
                found.append(_Placed(x, y, width, text, _colour(value, most)))
                x += width
        y += 2 * _LINE
    return found, y + _MARGIN


def _breakable(token: str) -> Iterator[str]:
    """Pieces of ``token`` between which a line may end: words, blanks, single characters of unspaced scripts."""
    shown = "".join("\n" if char in "\r\u2028\u2029" else char for char in token.replace("\r\n", "\n"))
    for piece in _PIECE.findall(shown):
        clean = "".join(char for char in piece if char == "\n" or unicodedata.category(char)[0] != "C")
        if len(clean) > 40 or any(map(is_unspaced, clean)):
            yield from re.findall(r".[\u0300-\u036f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]*", clean)
        elif clean:
            yield clean


def _font(text: str, given: str | Path | None) -> FreeTypeFont:
    """A font that has all letters of ``text``."""
    from PIL import ImageFont

    letters = sorted({char for char in text if unicodedata.category(char)[0] == "L"})
    if given is not None:
        try:
            face = ImageFont.truetype(str(given), _SIZE)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"the font {str(given)!r} cannot be read", stage="explain", remedy="give a TrueType or OpenType font"
            ) from error
        faces: Iterator[FreeTypeFont] = iter([face])
    else:
        faces = _faces()
    missing = letters
    for face in faces:
        lacks = _lacking(face, letters)
        if not lacks:
            return face
        missing = min(missing, lacks, key=len)
    raise UsageError(
        f"no font {'given' if given else 'here'} draws {missing[0]!r}",
        stage="explain",
        remedy="give one with font=PATH, or save HTML instead",
    )


def _faces() -> Iterator[FreeTypeFont]:
    """Pillow's own font and those of this machine, sans-serif ones and those with many characters first."""
    from PIL import ImageFont

    own = ImageFont.load_default(_SIZE)
    if isinstance(own, ImageFont.FreeTypeFont):
        yield own
    folders = [Path(folder).expanduser() for folder in _FONT_FOLDERS]
    files = [file for folder in folders if folder.is_dir() for file in sorted(folder.rglob("*.[ot]t[fc]"))]
    for file in sorted(files, key=lambda file: ("CJK" not in file.name, "Sans-Regular" not in file.name, file.name)):
        try:
            yield ImageFont.truetype(str(file), _SIZE)
        except (OSError, ValueError):  # a damaged font is passed over
            continue


def _lacking(face: FreeTypeFont, letters: Sequence[str]) -> list[str]:
    """The ``letters`` that ``face`` draws like a character that does not exist."""
    nothing = bytes(face.getmask(_NOTHING))
    return [letter for letter in letters if bytes(face.getmask(letter)) == nothing]


def _largest(rows: Sequence[Drawn]) -> float:
    return max((abs(value) for row in rows for value in row.values), default=0.0) or 1.0


def _colour(value: float, most: float) -> tuple[int, int, int]:
    """White to the full colour of the value's sign, on white."""
    share = _STRONGEST * min(abs(value) / most, 1.0)
    full: tuple[int, int, int] = _UP if value > 0 else _DOWN
    red, green, blue = (round(255 + share * (part - 255)) for part in full)
    return red, green, blue


def _save(path: Path, content: bytes) -> None:
    try:
        put(path, lambda place: place.write_bytes(content))
    except OSError as error:
        raise UsageError(
            f"{str(path)!r} cannot be written ({error.strerror})", stage="explain", remedy="choose another place"
        ) from error
