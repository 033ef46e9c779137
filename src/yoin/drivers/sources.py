"""Whether a study leans on copies, or on one source."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

MANY_COPIES = 0.1  # the share of rows with a copy that is worth a word
DOMINANT = 0.5  # the share of the weight that makes one source the voice of all
MOST_NAMED = 5  # drivers in one sentence
HEAVY = 0.1  # the share of the weight on one row
_LETTERS = re.compile(r"[\W\d_]+")


def copies(media: pd.Series, captions: pd.Series) -> list[str]:
    """Sentences on rows that are copies of others: the same image, or captions alike but for digits and marks.

    Args:
        media: n labels of the rows' images, NA where there is none.
        captions: n texts.
    """
    said = []
    shared = media.notna() & media.duplicated(keep=False)
    if shared.mean() >= MANY_COPIES:
        said.append(
            f"{int(shared.sum())} of {len(media)} rows share their image with another row: they count as dependent, "
            "and the study holds less than its number of rows says."
        )
    spelled = captions.map(lambda text: _LETTERS.sub(" ", str(text).casefold()).strip())
    # copies of one image have one caption: those are counted above
    alike = (spelled != "") & spelled.duplicated(keep=False) & ~shared
    if alike.mean() >= MANY_COPIES:
        said.append(
            f"{int(alike.sum())} of {len(media)} rows have a caption that is the same as another's but for digits and "
            "marks, with another image: near-duplicates, or a captioner that sees little. Intervals may be too short; "
            "name what they share with --group."
        )
    return said


def one_sided(drivers: pd.DataFrame, occurrences: pd.DataFrame, sources: dict[str, pd.Series]) -> list[str]:
    """Sentences on significant drivers that stand mostly in the captions of one source, which is not most of the rows.

    Args:
        drivers: a table with `yoin.values.DRIVER_COLUMNS`.
        occurrences: where the concepts stand, with `yoin.values.OCCURRENCE_COLUMNS`.
        sources: by what they are called: labels by row_id, NA for none.
    """
    said = []
    sold = drivers.loc[drivers["q"].astype(float) < 0.05, "concept"]
    places = occurrences[~occurrences["negated"].astype(bool) & occurrences["concept"].isin(sold)]
    rows_of = places.groupby("concept")["row_id"].unique()
    for what, labels in sources.items():
        overall = labels.value_counts(normalize=True)
        leaning = []
        for concept in sold:
            mine = labels.reindex(rows_of.get(concept, [])).value_counts()
            if len(mine) and mine.iloc[0] >= DOMINANT * mine.sum() > 0 and overall[mine.index[0]] < DOMINANT:
                leaning.append(f"“{concept}” ({mine.iloc[0]} of {mine.sum()} captions, “{mine.index[0]}”)")
        if leaning:
            more = f" and {len(leaning) - MOST_NAMED} more" if len(leaning) > MOST_NAMED else ""
            said.append(
                f"Drivers that stand mostly in rows of one source by {what}: {', '.join(leaning[:MOST_NAMED])}{more}. "
                "What goes with them may be that source’s own."
            )
    return said


def dominance(sources: dict[str, pd.Series], weight: ArrayLike | None = None) -> list[str]:
    """Sentences on sources that give most of the rows (or weight), and on single rows that weigh much.

    Args:
        sources: by what they are called, such as "the group" or "the host of the images": n labels, NA for none.
        weight: (n,) positive weights.
    """
    said = []
    for what, labels in sources.items():
        w = pd.Series(np.ones(len(labels)) if weight is None else np.asarray(weight, dtype=float))
        known = labels.reset_index(drop=True)
        shares = (w.groupby(known).sum() / w[known.notna()].sum()).sort_values(ascending=False, kind="stable")
        if len(shares) > 1 and shares.iloc[0] >= DOMINANT:
            counted = "rows" if weight is None else "weight"
            said.append(
                f"{shares.iloc[0]:.0%} of the {counted} come from one source by {what}, “{shares.index[0]}”: what is "
                "found may be about that source alone."
            )
    if weight is not None:
        w = pd.Series(np.asarray(weight, dtype=float))
        if len(w) and w.max() / w.sum() >= HEAVY:
            said.append(f"One row carries {w.max() / w.sum():.0%} of the weight.")
    return said
