"""Images that look nearly the same although their bytes differ: resized, recompressed, cropped by a hair.

The difference hash of a picture (Krawetz, 2013) says of each cell of a coarse grey grid whether the next one is
brighter. Here both directions are taken, across and down, 64 bits each.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from yoin.images import ImageError, open_grey

ALIKE = 12  # of 128 bits may differ; of 2,000 film posters no two differ by fewer than 20
WORTH_A_WORD = 0.02  # the share of rows with a lookalike
MOST = 5000  # images compared
_PLAIN = 4.0  # grey levels: with less spread over the grid there is nothing to compare
_SIDE = 72  # pixels, which 8 and 9 cells divide

Bits: TypeAlias = NDArray[np.uint8]


def difference_hash(path: Path, max_pixels: int) -> Bits | None:
    """128 bits in 16 bytes; None where the picture cannot be read or is all of one tone."""
    try:
        picture = open_grey(path, side=_SIDE, max_pixels=max_pixels)
    except (ImageError, OSError):
        return None
    grey = np.asarray(picture, dtype=np.float64)
    across, down = _cells(grey, 8, 9), _cells(grey, 9, 8)
    if across.std() < _PLAIN:
        return None
    return np.packbits(np.concatenate([np.diff(across, axis=1).ravel() > 0, np.diff(down, axis=0).ravel() > 0]))


def lookalikes(images: Mapping[str, Path], *, max_pixels: int) -> dict[str, int]:
    """The number of its set for each image that has a lookalike; sets are joined through those between.

    Args:
        images: the files by media_id; of more than `MOST` the first are compared.
        max_pixels: larger images are not decoded.
    """
    some = list(images.items())[:MOST]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        hashes = list(pool.map(partial(difference_hash, max_pixels=max_pixels), [path for _, path in some]))
    names = [name for (name, _), bits in zip(some, hashes, strict=True) if bits is not None]
    known = [bits for bits in hashes if bits is not None]
    if len(names) < 2:
        return {}
    sets, counts = np.unique(_joined(np.stack(known)), return_inverse=True, return_counts=True)[1:]
    return {name: int(number) for name, number in zip(names, sets, strict=True) if counts[number] > 1}


def lookalike_warning(media: pd.Series, sets: Mapping[str, int], labels: Mapping[str, str]) -> str | None:
    """A sentence on rows whose image looks nearly the same as another row's, None where there are few.

    Args:
        media: n media_ids, NA where there is none; rows that share an image are no lookalikes of each other.
        sets: what `lookalikes` found.
        labels: a short name for each image, such as its cell.
    """
    mine = media.dropna()[media.dropna().isin(sets)]
    numbers = mine.map(sets)
    numbers = numbers[mine.groupby(numbers).transform("nunique") > 1]
    if not len(media) or len(numbers) / len(media) < WORTH_A_WORD:
        return None
    pair = mine[numbers == numbers.iloc[0]].drop_duplicates().iloc[:2]
    named = " and ".join(f"“{labels.get(name, name)}”" for name in pair)
    sets_in_all = "1 set" if numbers.nunique() == 1 else f"{numbers.nunique()} sets"
    return (
        f"{len(numbers)} of {len(media)} rows have an image that looks nearly the same as another row's, in "
        f"{sets_in_all} (at most {ALIKE} of 128 bits of their difference hashes differ), such as {named}. They count "
        "as independent rows, which makes intervals too short: name what they share with --group, or keep one of each."
    )


def _cells(grey: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """Means over a grid of cells, shape (rows, columns)."""
    return np.asarray(grey.reshape(rows, _SIDE // rows, columns, _SIDE // columns).mean(axis=(1, 3)))


def _joined(hashes: Bits) -> Sequence[int]:
    """The number of each image's set, shape (images,)."""
    words = np.ascontiguousarray(hashes).view(np.uint64)  # (images, 2)
    table = np.array([bin(byte).count("1") for byte in range(256)], dtype=np.uint8)
    left, right = [], []
    for place in range(len(words) - 1):
        apart = (words[place + 1 :] ^ words[place]).view(np.uint8).reshape(-1, 16)
        (near,) = np.nonzero(table[apart].sum(axis=1, dtype=np.int64) <= ALIKE)
        left += [place] * len(near)
        right += (near + place + 1).tolist()
    links = sparse.coo_array((np.ones(len(left)), (left, right)), shape=(len(words), len(words)))
    found: Sequence[int] = connected_components(links, directed=False)[1]
    return found
