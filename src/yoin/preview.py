"""A look at a table before anything is done with it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yoin.checks import require_table
from yoin.ledger import Ledger
from yoin.pipeline import resolve
from yoin.values import Table

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a table holds before anything is done: its columns, its first rows, and their images.

    ``images`` has an entry a preview row: a small RGB picture, or the reason why there is none ("" without
    an image column).
    """

    table: Table
    images: tuple[Image | str, ...]


def preview(table: str | Path, **given: Any) -> Preview:
    """Read and check a table as `run` would, and look at the images of its first rows; nothing is kept.

    Raises:
        UsageError: wrong input or options.
        NothingLeftError: fewer than 30 usable rows.
    """
    from yoin import media
    from yoin import table as tables
    from yoin.images import open_rgb

    options = resolve(table=Path(table).resolve(), **given)
    require_table(options.table)
    read = tables.read(options.for_table())
    if not options.image:
        return Preview(table=read, images=("",) * len(read.preview))
    chosen = options.for_media()
    cells = read.preview[options.image].replace("", None)
    images: list[Image | str] = []
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.db") as ledger:
        found = media.collect(cells, store=Path(folder), ledger=ledger, options=chosen)
        for media_id, reason in found.rows[["media_id", "reason"]].itertuples(index=False):
            if media_id not in found.items:
                images.append(str(reason))
                continue
            picture = open_rgb(found.items[media_id].picture, max_pixels=chosen.max_pixels)
            picture.thumbnail((64, 64))
            images.append(picture)
    return Preview(table=read, images=tuple(images))
