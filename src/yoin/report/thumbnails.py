"""Small pictures as data URLs, as large and as good as a byte budget allows."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from PIL import Image, features

from yoin.images import ImageError, open_rgb

BUDGET = 10_000_000  # bytes of all data URLs together
_Job: TypeAlias = tuple[Path, int, int, int]  # a file, the longest side, the quality, the most pixels that are decoded


@dataclass(frozen=True, slots=True)
class Setting:
    """Longest side in pixels and WebP quality, for the pictures that matter most and for the rest."""

    large: int
    large_quality: int
    small: int
    small_quality: int


SETTINGS = (
    Setting(320, 70, 160, 60),
    Setting(280, 65, 128, 55),
    Setting(240, 60, 112, 50),
    Setting(240, 50, 96, 50),
    Setting(200, 50, 96, 40),
    Setting(160, 45, 80, 40),
    Setting(128, 40, 64, 35),
    Setting(96, 35, 48, 30),
)  # from the best to the smallest


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """Data URLs by media_id; how many got no picture for want of room, and how many could not be read."""

    urls: Mapping[str, str]
    left_out: int
    unreadable: int


def make_thumbnails(
    images: Mapping[str, Path],
    *,
    large: Sequence[str],
    small: Sequence[str],
    max_pixels: int,
    budget: int = BUDGET,
    workers: int | None = None,
) -> Thumbnails:
    """Draw a thumbnail of every medium named, the most important first.

    The best of `SETTINGS` whose size, estimated from a sample, fits is used for all; where even that is too
    much, the last ones get none. The same files give the same bytes.

    Args:
        images: where each medium's file is, by media_id.
        large: media_ids to be shown large, most important first.
        small: further media_ids.
        max_pixels: larger images are not decoded.
        budget: the most bytes all data URLs may take together.
        workers: threads; by default one a core.
    """
    wanted_large = [media_id for media_id in dict.fromkeys(large) if media_id in images]
    known = set(wanted_large)
    wanted_small = [media_id for media_id in dict.fromkeys(small) if media_id in images and media_id not in known]
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        setting, drawn = _choose(pool, images, wanted_large, wanted_small, budget, max_pixels)
        jobs = [(images[media_id], setting.large, setting.large_quality, max_pixels) for media_id in wanted_large]
        jobs += [(images[media_id], setting.small, setting.small_quality, max_pixels) for media_id in wanted_small]
        urls: dict[str, str] = {}
        spent = left_out = unreadable = 0
        made = pool.map(lambda job: drawn[job] if job in drawn else _draw(job), jobs)
        for media_id, url in zip([*wanted_large, *wanted_small], made, strict=True):
            if url is None:
                unreadable += 1
            elif spent + len(url) > budget:
                left_out += 1
            else:
                urls[media_id] = url
                spent += len(url)
    return Thumbnails(urls, left_out, unreadable)


def make_strips(
    frames: Mapping[str, Sequence[Path]], media_ids: Sequence[str], *, max_pixels: int, budget: int
) -> dict[str, list[str]]:
    """Data URLs of the frames of each video of ``media_ids``, in the order of time, as far as ``budget`` bytes go.

    A video's frames are there together or not at all.
    """
    keys = {media_id: [f"{media_id} {place}" for place in range(len(frames[media_id]))]
            for media_id in media_ids if media_id in frames}  # fmt: skip
    images = {key: path for media_id in keys for key, path in zip(keys[media_id], frames[media_id], strict=True)}
    made = make_thumbnails(images, large=[], small=list(images), max_pixels=max_pixels, budget=budget).urls
    return {
        media_id: [made[key] for key in own]
        for media_id, own in keys.items()
        if own and all(key in made for key in own)
    }


def _choose(
    pool: ThreadPoolExecutor,
    images: Mapping[str, Path],
    large: Sequence[str],
    small: Sequence[str],
    budget: int,
    max_pixels: int,
) -> tuple[Setting, dict[_Job, str | None]]:
    """The best setting that fits the budget by the mean size of a sample of each kind, with 5% to spare.

    And what was drawn of the samples with it.
    """
    samples = [[images[media_id] for media_id in _sample(ids)] for ids in (large, small)]
    for setting in SETTINGS[:-1]:
        sides = ((setting.large, setting.large_quality), (setting.small, setting.small_quality))
        estimate, drawn = 0.0, dict[_Job, str | None]()
        for ids, sample, (side, quality) in zip((large, small), samples, sides, strict=True):
            jobs = [(path, side, quality, max_pixels) for path in sample]
            urls = list(pool.map(_draw, jobs))
            drawn.update(zip(jobs, urls, strict=True))
            sizes = [len(url) for url in urls if url]
            estimate += len(ids) * sum(sizes) / len(sizes) if sizes else 0.0
        if 1.05 * estimate <= budget:
            return setting, drawn
    return SETTINGS[-1], {}


def _sample(ids: Sequence[str], count: int = 40) -> Sequence[str]:
    return ids if len(ids) <= count else [ids[place * len(ids) // count] for place in range(count)]


def _draw(job: _Job) -> str | None:
    """One data URL, or ``None`` where the file cannot be read."""
    path, side, quality, max_pixels = job
    try:
        picture = open_rgb(path, max_pixels=max_pixels)
    except (ImageError, OSError):
        return None  # the row is in the report all the same, with its caption
    picture.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    kind = "webp" if features.check("webp") else "jpeg"
    held = io.BytesIO()
    picture.save(held, kind, quality=quality)  # the method is the codec's default: slower ones save a few percent
    return f"data:image/{kind};base64,{base64.b64encode(held.getvalue()).decode('ascii')}"
