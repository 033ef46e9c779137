"""The media stage as the tests of downloads run it: short timeouts, few retries, loopback allowed."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.media.makers import encoded, pixels
from yoin.ledger import Ledger
from yoin.media import collect
from yoin.options import MediaOptions
from yoin.values import Media

JPEG = encoded(pixels(320, 240), "JPEG")
LIMIT = 200_000  # bytes of an image
RETRIES = 1


def gather(folder: Path, cells: list[str], progress: list[str] | None = None, **options: object) -> Media:
    """One run of the stage on these cells, with short timeouts."""
    folder.mkdir(exist_ok=True)
    chosen: dict[str, object] = {
        "base": folder, "allow_private": True, "connect_timeout": 2.0, "read_timeout": 10.0, "timeout": 10.0,
        "max_bytes": LIMIT, "retries": RETRIES, "backoff": 0.02,
    }  # fmt: skip
    with Ledger(folder / "ledger.db") as ledger:
        return collect(
            pd.Series(cells, dtype="string"),
            store=folder / "media",
            ledger=ledger,
            options=MediaOptions.model_validate(chosen | options),
            progress=lambda done, total, note: (progress if progress is not None else []).append(note),
        )


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "media").rglob("*") if path.is_file())


def reason(folder: Path, *cells: str, **options: object) -> list[str]:
    return gather(folder, list(cells), **options).rows["reason"].tolist()
