"""Text in an image: where it stands and how much there is. What it says is not kept."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import rapidocr
from numpy.typing import NDArray
from PIL import Image
from rapidocr.utils.output import RapidOCROutput

from yoin.captions.describe.measurements import Box, TextBox

_SIDE = 736  # working size: the longest side in pixels
_SHORTEST = 32  # the detector's stride
_SURE = 0.85  # recognition score below which a find is as often texture as text
_LETTERS = 2
_MODELS = Path(rapidocr.__file__).parent / "models"


class TextFinder:
    """Finds lines of text with the PP-OCR models inside the rapidocr package; they are loaded once."""

    def __init__(self) -> None:
        logging.getLogger("RapidOCR").setLevel(logging.CRITICAL)
        # Named paths keep rapidocr from downloading a model where the packaged one was altered.
        self._reader = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,
                "Det.model_path": str(_MODELS / "PP-OCRv6_det_small.onnx"),
                "Rec.model_path": str(_MODELS / "PP-OCRv6_rec_small.onnx"),
                "Det.limit_type": "max",
                "Det.limit_side_len": _SIDE,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def find(self, image: Image.Image) -> tuple[TextBox, ...]:
        """The lines of text in an RGB image that were read with confidence, top to bottom."""
        scale = _SIDE / max(image.size)
        width, height = (max(_SHORTEST, round(side * scale)) for side in image.size)
        rgb = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=2.0))
        read = self._reader(np.ascontiguousarray(rgb[..., ::-1]))  # rapidocr expects BGR
        if not isinstance(read, RapidOCROutput) or read.boxes is None or read.txts is None or read.scores is None:
            return ()
        lines = [
            TextBox(box=_upright(np.asarray(corners), width, height), characters=letters)
            for corners, text, score in zip(read.boxes, read.txts, read.scores, strict=True)
            if score >= _SURE and (letters := sum(character.isalnum() for character in text)) >= _LETTERS
        ]
        return tuple(sorted(lines, key=lambda line: (line.box.y, line.box.x)))


def _upright(corners: NDArray[np.float32], width: int, height: int) -> Box:
    left, top = np.clip(corners.min(axis=0) / (width, height), 0, 1).tolist()
    right, bottom = np.clip(corners.max(axis=0) / (width, height), 0, 1).tolist()
    return Box(x=(left + right) / 2, y=(top + bottom) / 2, width=right - left, height=bottom - top)
