"""A report as an HTML parser sees it."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Every element with its attributes, the text of script and style elements, and the text readers see."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[dict[str, str | None], str, str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self._raw: list[str] | None = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self._raw = []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes nothing"
        if self._raw is not None:
            self.raw.append((self.elements_named(tag)[-1], tag, "".join(self._raw)))
            self._raw = None

    def handle_data(self, data: str) -> None:
        (self.texts if self._raw is None else self._raw).append(data)

    def elements_named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))

    @property
    def data(self) -> Any:
        return json.loads(next(text for attributes, _, text in self.raw if attributes.get("id") == "data"))

    @property
    def policy(self) -> str:
        metas = self.elements_named("meta")
        return next(str(each["content"]) for each in metas if each.get("http-equiv") == "Content-Security-Policy")
