"""How far captions of the same image agree about a concept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from yoin.drivers.concepts import given_concepts
from yoin.options import DriverOptions

FEWEST_IMAGES = 20


def agreement(
    first: Sequence[str], again: Sequence[str], concepts: Mapping[str, Sequence[str]], options: DriverOptions
) -> pd.DataFrame:
    """Test-retest agreement of each concept over pairs of captions of the same image.

    Args:
        first: n captions.
        again: n further captions of the same images, in the same order.
        concepts: names with their phrases.
        options: of the search for concepts.

    Returns:
        A row a concept: ``concept, images`` (n), ``agreed`` (the share of pairs that both have it or
        both lack it) and ``kappa``, Fleiss' for two captions a pair, which are exchangeable (Psychological Bulletin 76,
        1971): 1 is perfect, 0 what chance gives. NaN where nearly all or no caption has it, or with too few pairs.
    """
    count = len(first)
    if count < FEWEST_IMAGES or not concepts:
        return pd.DataFrame(columns=["concept", "images", "agreed", "kappa"])
    present = given_concepts([*first, *again], concepts, options).present.toarray() > 0
    one, two = present[:count], present[count:]
    agreed = (one == two).mean(axis=0)
    share = present.mean(axis=0)
    chance = share**2 + (1 - share) ** 2
    kappa = np.full(len(concepts), np.nan)
    varies = 1 - chance > 1e-12
    kappa[varies] = (agreed[varies] - chance[varies]) / (1 - chance[varies])
    return pd.DataFrame({"concept": list(concepts), "images": count, "agreed": agreed, "kappa": kappa})
