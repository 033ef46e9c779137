"""One worker's eyes: the models loaded once, then an image in and measurements out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image

from yoin.captions.describe.faces import FaceFinder
from yoin.captions.describe.measure import measure_look
from yoin.captions.describe.measurements import Measurements
from yoin.captions.describe.scene import ThingFinder
from yoin.captions.describe.sentences import describe
from yoin.captions.describe.text import TextFinder
from yoin.images import open_rgb


class Observer:
    """Measures images; holds the models of faces, things and text."""

    def __init__(self) -> None:
        self._faces, self._things, self._text = FaceFinder(), ThingFinder(), TextFinder()

    def measure(self, image: Image.Image) -> Measurements:
        """Everything the describer can say about an RGB image."""
        return Measurements(
            look=measure_look(image),
            faces=self._faces.find(image),
            text=self._text.find(image),
            things=self._things.find(image),
        )


def answer() -> Callable[[Mapping[str, object]], dict[str, object]]:
    """Load the models; the function returned takes ``path`` and ``max_pixels`` and gives ``caption``."""
    observer = Observer()

    def caption_of(request: Mapping[str, object]) -> dict[str, object]:
        image = open_rgb(Path(str(request["path"])), max_pixels=int(str(request["max_pixels"])))
        return {"caption": describe(observer.measure(image))}

    return caption_of
