"""Which images people are shown: a sample in which every image had a known chance to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from yoin.drivers.robust import Floats
from yoin.drivers.tokens import Bools

WANTED = 15.0  # images on either side of each concept, as far as `PLACES` go
PLACES = 2 / 3  # of the sample, that may be kept for rare concepts
_STEPS = 60  # of a bisection: to the last digits


def chances(said: Floats, count: int) -> Floats:
    """The chance with which each image is to be drawn, so that they add up to ``count``; 1 where there are no more.

    All images have the same chance, but for those that a rare concept needs: where an even draw would bring fewer than
    `WANTED` images that captions name it in (or do not), theirs is raised, as far as `PLACES` go. The metric plays no
    part.

    Args:
        said: 1 where an image's caption names a concept, else 0, shape (images, concepts).
        count: how many are to be drawn.
    """
    if count >= len(said):
        return np.ones(len(said))
    need = _need(said).max(axis=1, initial=0.0)
    wanted = _largest(lambda wanted: float(np.minimum(wanted * need, 1.0).sum()), count * PLACES, WANTED)
    least = np.minimum(wanted * need, 1.0)
    even = _largest(lambda even: float(np.maximum(least, even).sum()), float(count), 1.0)
    return np.asarray(np.maximum(least, even))


def draw(said: Floats, chance: Floats, seed: int) -> Bools:
    """Which images are drawn, each with its ``chance``: systematic sampling (Madow 1949).

    It goes by the rarest thing that captions say of an image, so that every rare concept gets its share, and among
    those alike in that by chance.
    """
    random = np.random.default_rng(seed)
    rarest = _need(said).argmax(axis=1) if said.shape[1] else np.zeros(len(said))
    order = np.lexsort((random.permutation(len(said)), rarest))
    marks = np.concatenate([[0.0], np.cumsum(chance[order])]) + random.random()
    drawn = np.zeros(len(chance), dtype=bool)
    drawn[order] = np.diff(np.floor(np.round(marks, 9))) > 0  # rounded, so that sums that should be whole are
    return drawn


def _need(said: Floats) -> Floats:
    """For each image and concept, one divided by how many images are on the same side of the concept."""
    named = said.sum(axis=0)
    return np.asarray(np.where(said > 0, 1.0 / np.maximum(named, 1.0), 1.0 / np.maximum(len(said) - named, 1.0)))


def _largest(rises: Callable[[float], float], limit: float, most: float) -> float:
    """The largest number up to ``most`` at which ``rises``, which never falls, is no more than ``limit``."""
    if rises(most) <= limit:
        return most
    low, high = 0.0, most
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) <= limit else (low, middle)
    return low
