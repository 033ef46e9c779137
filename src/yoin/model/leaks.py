"""Captions that give the metric away: numbers, years, prices and names that a caption should not hold.

A model that reads "8.5/10" off a poster has learned nothing of images. What is told here is a suspicion with an
example: the share of captions that hold such a thing, and how well that alone goes with the metric.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from yoin.values import Leak

FEWEST = 10  # captions that must hold a thing
SUSPICIOUS = 0.25  # R² of the number alone
NAMED_SHARE = 0.02  # of the captions that name their own row's cell
OFTENER = 5.0  # times as often as another row's

# Numbers start where no other number does and have an end, so that a text of digits takes no longer than any other.
_NUMBER = r"(?<![\d.,])(\d{1,3}(?:,\d{3}){1,4}(?:\.\d{1,6})?|\d{1,12}(?:\.\d{1,6})?)(?!\d)"
_PATTERNS = {
    "rating": re.compile(_NUMBER + r"\s{0,2}(?:/\s{0,2}\d{1,4}|out of \d{1,4}|stars?\b|点)", re.IGNORECASE),
    "price": re.compile(
        rf"[$€£¥]\s{{0,2}}{_NUMBER}|{_NUMBER}\s{{0,2}}(?:円|USD|EUR|JPY|dollars?\b|euros?\b|yen\b)", re.IGNORECASE
    ),
    "percentage": re.compile(_NUMBER + r"\s{0,2}[%％]"),
    "year": re.compile(r"(?<![\d.,])((?:18|19|20)\d\d)(?!\d|[.,]\d)"),
    "number": re.compile(rf"(?<!\w){_NUMBER}(?!\w)"),
}
_WORD = re.compile(r"[^\W\d_]{3,}")


def find_leaks(captions: Sequence[str], metric: np.ndarray, columns: pd.DataFrame | None = None) -> tuple[Leak, ...]:
    """What captions (n) give away of the metric (n,) and of the other columns (n rows).

    A kind of number is named where at least ten captions hold one and either the first of it alone predicts the metric
    with R² ≥ 0.25, or it *is* the metric in captions more often than by chance. A text column is named where captions
    hold their own row's cell, and five times as often as that of another row.
    """
    found = []
    for kind, pattern in _PATTERNS.items():
        values = np.array([_first(pattern, caption) for caption in captions])
        rows = np.flatnonzero(np.isfinite(values))
        if len(rows) < FEWEST:
            continue
        r2 = _r2(values[rows], metric[rows])
        equal = np.isclose(values[rows], metric[rows], rtol=1e-9, atol=1e-9)
        others = np.isclose(values[rows], np.roll(metric[rows], 1), rtol=1e-9, atol=1e-9)
        is_metric = equal.sum() >= FEWEST and equal.sum() > OFTENER * max(1, others.sum())
        if r2 < SUSPICIOUS and not is_metric:
            continue
        example = int(
            rows[np.argmax(equal)] if is_metric else rows[np.argmax(np.abs(values[rows] - values[rows].mean()))]
        )
        match = pattern.search(captions[example])
        said = match[0].strip() if match else ""
        why = (
            f"which is the metric itself in {int(equal.sum())} captions"
            if is_metric
            else f"and such numbers alone predict {100 * r2:.0f}% of the metric's variance there"
        )
        found.append(
            Leak(
                kind=kind,
                rows=len(rows),
                share=len(rows) / len(captions),
                r2=r2,
                row_id=example,
                sentence=f"the caption says '{said}': {len(rows)} captions hold a {kind}, {why}",
            )
        )
        break  # the kinds after it are the same numbers, read more loosely
    if columns is not None:
        named = (_named(captions, str(name), columns[name]) for name in columns)
        found += [leak for leak in named if leak]
    return tuple(found)


def _first(pattern: re.Pattern[str], caption: str) -> float:
    match = pattern.search(caption)
    if match is None:
        return np.nan
    text = next(part for part in match.groups() if part is not None)
    return float(text.replace(",", ""))


def _r2(value: np.ndarray, metric: np.ndarray) -> float:
    """How much of the metric's variance a line through the value's ranks explains, less what chance explains."""
    ranks = pd.Series(value).rank().to_numpy()
    if np.ptp(ranks) == 0 or np.ptp(metric) == 0:
        return 0.0
    raw = float(np.corrcoef(ranks, metric)[0, 1]) ** 2
    return max(0.0, 1 - (1 - raw) * (len(value) - 1) / (len(value) - 2))


def _named(captions: Sequence[str], name: str, cells: pd.Series) -> Leak | None:
    """A text column whose cells captions quote: a title of two words at least, or a rare one."""
    if pd.api.types.is_numeric_dtype(cells):
        return None
    texts = ["" if pd.isna(cell) else " ".join(_WORD.findall(str(cell).casefold())) for cell in cells]
    counts = Counter(texts)
    plain = [" ".join(_WORD.findall(caption.casefold())) for caption in captions]
    usable = [bool(text) and (" " in text or len(text) >= 5) and counts[text] <= len(texts) / 20 for text in texts]
    own = [row for row, text in enumerate(texts) if usable[row] and _holds(plain[row], text)]
    moved = sum(usable[row] and _holds(plain[row - 1], text) for row, text in enumerate(texts))
    if len(own) < max(FEWEST, NAMED_SHARE * len(captions)) or len(own) <= OFTENER * max(1, moved):
        return None
    example = str(cells.iloc[own[0]]).strip()[:60]
    return Leak(
        kind="column",
        rows=len(own),
        share=len(own) / len(captions),
        r2=None,
        row_id=own[0],
        sentence=f"the caption says '{example}': {len(own)} captions hold their row's {name!r}",
    )


def _holds(text: str, part: str) -> bool:
    return f" {part} " in f" {text} "
