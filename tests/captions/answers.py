"""What a Gemini server says of pictures, depending on the picture and on the prompt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from tests.captions.gemini_server import Answer, Asked, Exchange, caption

WALLS = ("A stone wall", "A garden", "An empty street", "A wooden door")


def by_prompt(captions: Mapping[str, Callable[[bytes], str]]) -> Answer:
    """The caption, of the picture with these bytes, that belongs to the first of these words in the prompt's text."""

    async def send(exchange: Exchange) -> None:
        text = prompt_of(exchange.asked)
        word = next(word for word in captions if word in text)
        await caption(captions[word](exchange.asked.media[0][1]))(exchange)

    return send


def prompt_of(asked: Asked) -> str:
    return " ".join(part["text"] for part in asked.parts if "text" in part)


def planted(
    folder: Path, rows: int, *, effect: float = 2.0, seed: int = 0
) -> tuple[Path, dict[bytes, str], dict[bytes, str]]:
    """A table of pictures; what is seen of each by one who looks for the barn that raises the score, and by one who
    looks at something else."""
    random = np.random.default_rng(seed)
    table, telling, idle = [], {}, {}
    for number in range(rows):
        barn = random.random() < 0.5
        Image.new("RGB", (16, 16), (number % 256, number // 256, 60)).save(folder / f"{number}.png")
        content = (folder / f"{number}.png").read_bytes()
        wall = WALLS[random.integers(len(WALLS))]
        telling[content] = f"{'A red barn' if barn else wall} near the sea."
        idle[content] = f"{wall} {'with a cat' if random.random() < 0.5 else 'without a cat'}."
        table.append({"image": f"{number}.png", "score": round(5 + effect * barn + random.normal(0, 1), 3),
                      "era": "new" if random.random() < 0.5 else "old"})  # fmt: skip
    path = folder / "pictures.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    return path, telling, idle
