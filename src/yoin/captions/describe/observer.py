"""One worker's eyes: the models loaded once, then an image or a video's frames in and a description out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

from PIL import Image

from yoin.captions.describe.faces import FaceFinder
from yoin.captions.describe.measure import measure_look
from yoin.captions.describe.measurements import Measurements
from yoin.captions.describe.moments import describe_video
from yoin.captions.describe.scene import ThingFinder
from yoin.captions.describe.sentences import describe
from yoin.captions.describe.text import TextFinder
from yoin.images import open_rgb
from yoin.videos import is_other_scene
from yoin.workers.serve import Answer, Tell


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


def answer() -> Answer:
    """Load the models; the function returned takes a request and gives ``caption``.

    A request has ``paths`` (an image, or a video's frames in the order of time), ``max_pixels`` of each, and
    ``seconds``, a video's length or 0.
    """
    observer = Observer()

    def caption_of(request: Mapping[str, object], tell: Tell) -> dict[str, object]:
        paths = [Path(str(path)) for path in cast(list[str], request["paths"])]
        max_pixels, seconds = int(str(request["max_pixels"])), float(str(request["seconds"]))
        if not seconds:
            return {"caption": describe(observer.measure(open_rgb(paths[0], max_pixels=max_pixels)))}
        frames: list[Measurements] = []
        before: Image.Image | None = None
        several_scenes = False
        for path in paths:
            image = open_rgb(path, max_pixels=max_pixels)
            frames.append(observer.measure(image))
            several_scenes |= before is not None and is_other_scene(before, image)
            before = image
        return {"caption": describe_video(frames, seconds=seconds, several_scenes=several_scenes)}

    return caption_of
