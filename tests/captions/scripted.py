"""Captioners of the tests that do as they are told, and media for them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pandas as pd
from PIL import Image

from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Media, Medium

Act = Callable[[Medium], Awaitable[Caption]]


def medium(name: str) -> Medium:
    return Medium(
        media_id=hashlib.sha256(name.encode()).hexdigest(),
        path=Path(name),
        mime="image/png",
        width=1,
        height=1,
        bytes=1,
    )


def media_of(*names: str | None) -> Media:
    """Rows with the media of these names; None is a row whose file was missing."""
    items = {one.media_id: one for one in map(medium, filter(None, names))}
    rows = pd.DataFrame(
        {
            "media_id": [medium(name).media_id if name else pd.NA for name in names],
            "reason": ["" if name else "no_file" for name in names],
            "detail": "",
        },
        index=pd.RangeIndex(10, 10 + len(names), name="row_id"),
        dtype="string",
    )
    return Media(rows=rows, items=items)


def squares(folder: Path, count: int) -> Media:
    """Rows with an image each, small squares that are files of ``folder``."""
    items = {}
    for number in range(count):
        path = folder / f"{number}.png"
        Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
        items[f"{number:064x}"] = Medium(
            media_id=f"{number:064x}", path=path, mime="image/png", width=4, height=4, bytes=path.stat().st_size
        )
    rows = pd.DataFrame({"media_id": list(items), "reason": "", "detail": ""}, dtype="string").rename_axis("row_id")
    return Media(rows=rows, items=items)


class Scripted:
    """Says what ``act`` says; remembers what it was asked."""

    name = "scripted"
    model_version = "scripted-1"
    prompt_id = "p"
    concurrency = 2
    provider = ""
    endpoint = ""

    def __init__(
        self, spec: Spec | None = None, options: CaptionOptions | None = None, *, act: Act | None = None
    ) -> None:
        self.settings: Mapping[str, str | int | float | bool] = {}
        self.act = act or self.describe
        self.asked: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0
        self.closed = 0

    async def describe(self, medium: Medium) -> Caption:
        await asyncio.sleep(0)
        return Caption(text=f"A {medium.path}.", status="ok", tokens_in=10, tokens_out=2, cost_usd=0.5)

    async def caption(self, medium: Medium) -> Caption:
        self.asked[str(medium.path)] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.act(medium)
        finally:
            self.at_once -= 1

    async def aclose(self) -> None:
        self.closed += 1
