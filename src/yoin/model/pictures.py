"""What a vision encoder sees of the images themselves, for a rung that shows what the captions lose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from yoin import encoder
from yoin.errors import UsageError
from yoin.files import digest_model
from yoin.hub import best_device, faults, fetch_model
from yoin.images import ImageError, open_rgb
from yoin.options import Spec
from yoin.registry import missing_extra
from yoin.values import Progress, silent

if TYPE_CHECKING:
    from PIL.Image import Image
    from transformers import BaseImageProcessor, PreTrainedModel

BATCH = 16
_TASK = "a vision encoder"


class PictureEncoder:
    """A vision encoder of Hugging Face's format, such as DINOv2, ViT, ConvNeXt, CLIP or SigLIP.

    Its vector of an image is what a model of images and texts itself gives, else the mean of the last states over all
    places. Weights are read from safetensors only, and code that comes with a model is never run.

    Args:
        spec: ``hf:FOLDER`` or ``hf:REPO``.

    Attributes:
        id: a digest of the weights and settings, to know its vectors by.

    Raises:
        UsageError: there is no such model, or it is none of images.
        MissingExtraError: torch or transformers is not installed.
    """

    def __init__(self, spec: str) -> None:
        asked = Spec.parse(spec)
        if asked.name != "hf" or not asked.model:
            raise UsageError(f"--image-rung cannot be {spec!r}", stage="model", remedy="write hf:FOLDER or hf:REPO")
        self._folder, self._asked = fetch_model(asked.model), asked.model
        self.id = digest_model(str(self._folder))
        with faults(self._asked, stage="model", task=_TASK):
            self._processor, self._model = _read(self._folder)

    def vectors(
        self, pictures: Mapping[str, Path], max_pixels: int, progress: Progress = silent
    ) -> dict[str, np.ndarray]:
        """The vector (width,) of each picture, float32; one that cannot be opened is left out."""
        found: dict[str, np.ndarray] = {}
        names = list(pictures)
        for start in range(0, len(names), BATCH):
            images = {}
            for name in names[start : start + BATCH]:
                try:
                    images[name] = open_rgb(pictures[name], max_pixels=max_pixels)
                except (ImageError, OSError):
                    continue
            if images:
                with faults(self._asked, stage="model", task=_TASK):
                    found |= zip(images, self._look(list(images.values())), strict=True)
            progress(min(start + BATCH, len(names)), len(names), "looking at the images")
        return found

    def _look(self, images: list[Image]) -> np.ndarray:
        import torch

        pixels = self._processor(images=images, return_tensors="pt")["pixel_values"].to(self._model.device)
        with torch.inference_mode():
            features = getattr(self._model, "get_image_features", None)
            if features is not None:
                seen = features(pixel_values=pixels)
                states = seen if isinstance(seen, torch.Tensor) else seen.pooler_output
            else:
                states = self._model(pixel_values=pixels).last_hidden_state
                states = states.mean(dim=(2, 3)) if states.ndim == 4 else states.mean(dim=1)
        return np.asarray(states.float().cpu().numpy())


def _read(folder: Path) -> tuple[BaseImageProcessor, PreTrainedModel]:
    try:
        import torch
        from transformers import AutoImageProcessor, AutoModel
    except ModuleNotFoundError as error:
        raise missing_extra(error, stage="model") from error
    with encoder.quiet():
        processor = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder, local_files_only=True, trust_remote_code=False
        )
        model = AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32
        )
    return processor, model.to(best_device()).eval()
