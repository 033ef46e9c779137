"""Frontal faces, by Haar cascades (Viola and Jones, CVPR 2001) that come with OpenCV 4."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from yoin.captions.describe.measurements import Box

_SIDE = 400  # working size: the longest side in pixels
_SHORTEST = 24  # the cascade's own window
_SMALLEST = 0.07  # of the longest side: below it most finds are texture
_AGREE = 5  # overlapping finds that make a face


class FaceFinder:
    """Finds frontal faces; the cascade is loaded once."""

    def __init__(self) -> None:
        cv2.setNumThreads(1)
        self._cascade = cv2.CascadeClassifier(
            str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml")
        )

    def find(self, image: Image.Image) -> tuple[Box, ...]:
        """The frontal faces of an RGB image, largest first."""
        scale = _SIDE / max(image.size)
        width, height = (max(_SHORTEST, round(side * scale)) for side in image.size)
        gray = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0).convert("L"))
        smallest = max(_SHORTEST, round(_SMALLEST * _SIDE))
        found = self._cascade.detectMultiScale(
            cv2.equalizeHist(gray), scaleFactor=1.1, minNeighbors=_AGREE, minSize=(smallest, smallest)
        )
        boxes = [
            Box(x=(x + w / 2) / width, y=(y + h / 2) / height, width=w / width, height=h / height)
            for x, y, w, h in np.asarray(found, dtype=float).reshape(-1, 4).tolist()
        ]
        return tuple(sorted(boxes, key=lambda box: (-box.width * box.height, box.y, box.x)))
