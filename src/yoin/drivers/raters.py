"""Several people on the same images: how far they agree, and what counts where they do not."""

from __future__ import annotations

from itertools import combinations
from typing import TypedDict

import numpy as np
import pandas as pd


class Agreement(TypedDict):
    """How far those who answered about a concept agree.

    ``raters`` is how many they are, ``images`` how many two or more of them answered for; of their pairs of answers
    ``agreed`` is the share that agrees, and ``kappa`` Cohen's: of more than two raters the mean over the pairs of
    them, by their images (Light, Psychological Bulletin 76, 1971). None where no image has two answers, kappa also
    where nobody's vary. ``ties`` counts the images for which as many say yes as no.
    """

    raters: int
    images: int
    agreed: float | None
    kappa: float | None
    ties: int


def settled(answers: pd.DataFrame, image: pd.Series, rater: pd.Series) -> tuple[pd.DataFrame, dict[str, Agreement]]:
    """One answer an image, that of the majority, and how far those who answered agree.

    Args:
        answers: a column a concept with 1, 0 or NaN, shape (rows, concepts); no rater has two answers for an image and
            a concept that differ.
        image: what each row is for, shape (rows,).
        rater: whose row it is, shape (rows,).

    Returns:
        The answers by image, NaN for a tie and where nobody answered; and the agreement by concept.
    """
    each = answers.groupby([image.to_numpy(), rater.to_numpy()]).first()  # what one said twice counts once
    share = each.groupby(level=0).mean()
    majority = (share > 0.5).astype(float).where(share.notna() & (share != 0.5))
    return majority, {
        str(concept): _agreement(each[concept].unstack(), ties=int((share[concept] == 0.5).sum()))
        for concept in answers.columns
    }


def _agreement(answers: pd.DataFrame, ties: int) -> Agreement:
    """Over all pairs of raters; ``answers`` has a row an image and a column a rater."""
    agreed: list[tuple[float, int]] = []
    kappas: list[tuple[float, int]] = []
    for one, two in combinations(answers.columns, 2):
        both = answers[[one, two]].dropna().to_numpy()  # (images, 2)
        if not len(both):
            continue
        equal, yes = float(np.mean(both[:, 0] == both[:, 1])), both.mean(axis=0)
        agreed.append((equal, len(both)))
        chance = float(yes.prod() + (1 - yes).prod())
        if chance < 1 - 1e-12:
            kappas.append(((equal - chance) / (1 - chance), len(both)))
    return Agreement(
        raters=int(answers.notna().any().sum()),
        images=int((answers.notna().sum(axis=1) > 1).sum()),
        agreed=_mean(agreed),
        kappa=_mean(kappas),
        ties=ties,
    )


def _mean(values: list[tuple[float, int]]) -> float | None:
    """Of values with their weights; None of none."""
    images = sum(weight for _, weight in values)
    return sum(value * weight for value, weight in values) / images if values else None
