"""Which frames of a video to take: those that show new scenes, and others at even distances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

THUMBNAIL: Final = 32  # pixels a side

# Read off 1,500 pairs of film posters, and as many posters under a moving camera (a fifth to the side and down), with
# and without black bars: of the pairs 99 in 100 differ by 0.08 or more and 86 in 100 have other colors, of the moved
# ones half differ by 0.12 or more and one in 250 has other colors.
_CUT: Final = 0.08  # mean difference of two thumbnails, 0 to 1: below it no two scenes
_OTHER_COLORS: Final = 0.45  # share of what has changed that has got a color which was not there: motion does not do it
_SAME_PIXEL: Final = 16.0  # mean difference of the channels, 0 to 255: below it a pixel has not changed
_STANDS_OUT: Final = 3.0  # times the differences around it: motion is even, a cut is not
_AROUND: Final = 8  # differences on either side
_SHORTEST_SCENE: Final = 0.25  # seconds; shorter is a flash
_SETTLED: Final = 0.5  # seconds after a cut at which the new scene is seen
_JITTER: Final = 0.25  # of a stretch, on either side of its middle
_POSTER_SIDE: Final = 256  # pixels: working size

Thumbnails = NDArray[np.uint8]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scene:
    """Frames ``first`` to ``stop`` (exclusive), of which ``shown`` is the one to look at; ``seconds`` long."""

    first: int
    shown: int
    stop: int
    seconds: float


def choose(seconds: Floats, thumbnails: Thumbnails, *, count: int, seed: int) -> list[int]:
    """The indices of at most ``count`` frames, ascending.

    Args:
        seconds: when each frame is shown, ascending, (n,).
        thumbnails: the frames, (n, `THUMBNAIL`, `THUMBNAIL`, 3).
        count: half of them, rounded up, are seen shortly after a cut, those into the longest scenes first; the rest,
            and what is left for want of cuts, come one from each of as many equal stretches, from a scene that has
            not been shown where the stretch touches one.
        seed: decides where in its stretch.
    """
    if len(seconds) <= count:
        return list(range(len(seconds)))
    scenes = find_scenes(seconds, thumbnails)
    by_length = sorted(scenes[1:], key=lambda scene: (-scene.seconds, scene.first))
    chosen = [scene.shown for scene in by_length[: (count + 1) // 2]]
    scene_of = np.searchsorted([scene.first for scene in scenes], np.arange(len(seconds)), side="right") - 1
    is_shown = np.bincount(scene_of[chosen], minlength=len(scenes)) > 0
    stretches = count - len(chosen)
    edges = np.linspace(seconds[0], seconds[-1], stretches + 1)
    chance = np.random.default_rng(seed).uniform(0.5 - _JITTER, 0.5 + _JITTER, stretches)
    for start, end, place in zip(edges[:-1], edges[1:], chance, strict=True):
        outside = np.maximum(np.maximum(start - seconds, seconds - end), 0)
        outside[chosen] = np.inf
        off = np.abs(seconds - (start + place * (end - start)))
        best = int(np.lexsort((off, is_shown[scene_of], outside))[0])
        chosen.append(best)
        is_shown[scene_of[best]] = True
    return sorted(chosen)


def find_scenes(seconds: Floats, thumbnails: Thumbnails) -> list[Scene]:
    """The scenes between clear cuts, in the order of time, at least one.

    A change is a cut where it stands out from those around it or where the colors are others, and where the new scene
    lasts and is not the one before (a flash).
    """
    change = _changed(thumbnails)
    stands_out = change >= _STANDS_OUT * _usual(change)
    cuts = [
        index + 1
        for index in np.flatnonzero(change >= _CUT).tolist()
        if stands_out[index] or _recolored(thumbnails[index], thumbnails[index + 1]) >= _OTHER_COLORS
    ]
    step = float(np.median(np.diff(seconds))) if len(seconds) > 1 else 0.0
    ends = np.append(seconds, seconds[-1] + step)  # when the frame before ends
    scenes: list[Scene] = []
    for first, stop in pairwise([0, *cuts, len(seconds)]):
        length = float(ends[stop] - seconds[first])
        if scenes and length < _SHORTEST_SCENE:
            continue
        moment = seconds[first] + min(_SETTLED, length / 2)
        shown = first + int(np.argmin(np.abs(seconds[first:stop] - moment)))
        last = scenes[-1] if scenes else None
        if last and _changed(thumbnails[[last.stop - 1, shown]])[0] < _CUT:
            scenes[-1] = replace(last, stop=stop, seconds=float(ends[stop] - seconds[last.first]))
        else:
            scenes.append(Scene(first, shown, stop, length))
    return scenes


def _usual(change: Floats) -> Floats:
    """The median of the changes around each, without its own."""
    if len(change) == 0:
        return change
    around = sliding_window_view(np.pad(change, _AROUND, mode="symmetric"), 2 * _AROUND + 1)
    return np.asarray(np.median(np.delete(around, _AROUND, axis=1), axis=1), dtype=np.float64)


def is_other_scene(before: Image.Image, after: Image.Image) -> bool:
    """Whether two RGB images that may be seconds apart show different scenes; a camera that moves is no reason."""
    small = [image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX) for image in (before, after)]
    pair = np.stack([np.asarray(image) for image in small])
    return bool(_changed(pair)[0] >= _CUT) and _recolored(*pair) >= _OTHER_COLORS


def telling(image: Image.Image) -> float:
    """How much an RGB image shows, from 0 for one even color: entropy of its grays in bits, and of its detail."""
    gray = image.convert("L")
    gray.thumbnail((_POSTER_SIDE, _POSTER_SIDE), Image.Resampling.BOX)
    levels = np.asarray(gray, dtype=np.float64)
    shares = np.bincount((levels // 4).astype(np.int64).ravel(), minlength=64) / levels.size
    entropy = -float(np.sum(shares[shares > 0] * np.log2(shares[shares > 0])))
    detail = sum(float(np.abs(np.diff(levels, axis=axis)).mean()) for axis in (0, 1) if levels.shape[axis] > 1)
    return entropy + float(np.log2(1 + detail))


def _changed(thumbnails: Thumbnails) -> Floats:
    """The mean difference of each to the next, 0 to 1, (n - 1,)."""
    steps = np.abs(np.diff(thumbnails.astype(np.int16), axis=0))
    return np.asarray(steps.mean(axis=(1, 2, 3)) / 255, dtype=np.float64)


def _recolored(before: Thumbnails, after: Thumbnails) -> float:
    """The share, 0 to 1, of the area that changed whose colors, four levels a channel, are others than before."""
    changed = np.abs(before.astype(np.int16) - after).mean(axis=-1) >= _SAME_PIXEL
    if not changed.any():
        return 0.0
    counts = []
    for picture in (before, after):
        levels = picture[changed].astype(np.int64) >> 6  # (pixels, 3)
        counts.append(np.bincount(levels @ (16, 4, 1), minlength=64))
    return float(np.abs(counts[1] - counts[0]).sum() / (2 * np.count_nonzero(changed)))
