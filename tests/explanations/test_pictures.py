"""Explanations saved as a page and as a picture."""

from __future__ import annotations

import io
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from tests.explanations.models import additive
from yoin.errors import UsageError
from yoin.explanations import explain, pictures

HOSTILE = '<script>alert(1)</script> "red" dog & <img src=x onerror=alert(2)>\n</p></html>{{ 7 * 7 }}'


class Page(HTMLParser):
    """The elements of a page, the text of its spans, and their colours."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.spans: list[str] = []
        self.colours: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self._inside = tag == "span"
        if tag == "span":
            assert [name for name, _ in attrs] == ["title", "style"]
            self.spans.append("")
            self.colours.append(str(dict(attrs)["style"]))

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "span"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.spans[-1] += data


def test_a_page_holds_every_caption_whole_and_escaped(tmp_path: Path) -> None:
    texts = [HOSTILE, "a red dog, no text", "", "大きな犬", "שלום עולם"]
    found = explain(additive, texts, budget=64)
    found.save_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    read = Page(page)
    assert "".join(read.spans) == "".join(texts)
    assert read.elements == {"html", "meta", "title", "style", "p", "small", "section", "span"}
    assert page.count("<section>") == len(texts)
    by_text = dict(zip([text.strip() for text in read.spans], read.colours, strict=True))
    assert by_text["red"].startswith("background: rgb(1")  # lowers: blue
    assert by_text["dog,"].startswith("background: rgb(255, ")  # raises: red


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # shap, with matplotlib 3.11
def test_shap_s_form_saves_the_same(tmp_path: Path) -> None:
    found = explain(additive, ["a red dog", "big text"], budget=64)
    found.save_html(tmp_path / "one.html")
    found.to_shap().save_html(tmp_path / "two.html")
    found.to_shap()[[1]].save_html(tmp_path / "three.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    assert Page((tmp_path / "three.html").read_text("utf-8")).spans == ["big ", "text"]
    found.to_shap().save_png(tmp_path / "two.png")
    assert Image.open(io.BytesIO((tmp_path / "two.png").read_bytes())).format == "PNG"


def test_a_picture_has_the_colours_of_its_spans(tmp_path: Path) -> None:
    def model(texts: list[str]) -> np.ndarray:
        return np.array([3.0 * ("dog" in text) - 3.0 * ("cat" in text) for text in texts])

    explain(model, [f"dog cat {HOSTILE}", "dog " * 60], budget=64).save_png(tmp_path / "picture.png")
    image = Image.open(io.BytesIO((tmp_path / "picture.png").read_bytes()))
    colours = {colour for _, colour in image.getcolors(2**20) or []}
    assert any(red == 255 and green < 160 for red, green, _ in colours)
    assert any(blue > 250 and red < 160 for red, _, blue in colours)
    assert (0, 0, 0) in colours
    assert image.width == 960
    assert image.height > 8 * 30


def test_long_words_and_unspaced_text_are_broken() -> None:
    face = ImageFont.load_default(18)
    assert isinstance(face, ImageFont.FreeTypeFont)
    for text in ("犬" * 300, "x" * 300, "a\tb\r\nc"):
        placed, _ = pictures._placed([pictures.Drawn((text,), (1.0,), 0.0)], face)
        assert all(piece.x + piece.width <= 960 for piece in placed)
        assert "".join("".join(piece.text for piece in placed[1:]).split()) == "".join(text.split())


def test_letters_that_no_font_draws_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "_FONT_FOLDERS", (str(tmp_path),))
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    found = explain(additive, ["a 犬"], budget=16)
    with pytest.raises(
        UsageError, match=r"explain: no font here draws '犬'; give one with font=PATH, or save HTML instead"
    ):
        found.save_png(tmp_path / "picture.png")
    with pytest.raises(UsageError, match=r"explain: the font '.*broken.ttf' cannot be read"):
        found.save_png(tmp_path / "picture.png", font=tmp_path / "broken.ttf")
    assert not (tmp_path / "picture.png").exists()


def test_what_cannot_be_drawn_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"explain: right-to-left text is not drawn; save HTML instead"):
        explain(additive, ["שלום"], budget=16).save_png(tmp_path / "picture.png")
    with pytest.raises(
        UsageError, match=r"explain: this is too much text for a picture; take fewer or save HTML instead"
    ):
        explain(additive, ["a\n" * 2000], budget=16).save_png(tmp_path / "picture.png")
    with pytest.raises(UsageError, match=r"explain: '.*' cannot be written \(No such file or directory\)"):
        explain(additive, ["a"], budget=16).save_html(tmp_path / "nowhere" / "page.html")


def test_nothing_explained_is_an_empty_page_and_picture(tmp_path: Path) -> None:
    found = explain(additive, [])
    found.save_html(tmp_path / "page.html")
    assert Page((tmp_path / "page.html").read_text("utf-8")).spans == []
    assert Image.open(io.BytesIO(pictures.to_png([]))).size == (960, 48)
