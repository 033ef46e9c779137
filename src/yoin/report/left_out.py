"""Where the rows went, and whether those left out differ from the rest, in words for the report."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from yoin.report import words
from yoin.report.summary import MissingSummary, Summary

CLEAR = 0.05


@dataclass(frozen=True, slots=True)
class Step:
    """One stop on the rows' way from the file to the analysis, and how many got there."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The rows that lost their image for one reason; ``found`` compares them with the rest where there are enough."""

    why: str
    rows: int
    found: MissingSummary | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Warned:
    """What the top of the report says: the comparison of all rows left out, and the reasons that stand out."""

    overall: MissingSummary | None
    what: str
    reasons: tuple[Lost, ...]

    def __bool__(self) -> bool:
        return self.overall is not None or bool(self.reasons)


def steps(summary: Summary) -> tuple[Step, ...]:
    """The stops at which rows were lost, from all that were read to all that are used; empty where none was lost."""
    each = summary.captions
    kept = each.ok + each.blocked + each.failed + each.missing + each.refused + each.truncated
    stops = [Step("read", summary.rows.read), Step("with a usable metric", kept)]
    if summary.media.missing is not None:  # an image decides whether a row is used
        stops.append(Step("with a usable image", summary.media.images))
    stops.append(Step("with a caption", each.ok))
    stops.append(Step("that played no part in choosing the prompt", summary.rows.used))
    lost = [after for before, after in pairwise(stops) if after.rows < before.rows]
    return (stops[0], *lost) if lost else ()


def lost_images(summary: Summary) -> tuple[Lost, ...]:
    """A line for every reason why image cells have no usable image."""
    media = summary.media
    return tuple(
        Lost(
            why=words.code_in_words(reason, summary.reasons),
            rows=rows,
            found=media.missing_by_reason.get(reason),
            verdict=_verdict(media.missing_by_reason.get(reason), rows, media.fewest_compared),
        )
        for reason, rows in media.failed.items()
    )


def other_drops(summary: Summary) -> dict[str, int]:
    """Why rows were dropped, by reason, without those whose image was lost: these have a table of their own."""
    lost = summary.media.failed if summary.media.missing is not None else {}
    left = {reason: rows - lost.get(reason, 0) for reason, rows in summary.rows.dropped.items()}
    return {reason: rows for reason, rows in left.items() if rows > 0}


def warned(summary: Summary) -> Warned:
    """What of the rows left out is clearly different; one comparison stands for all of them, the widest."""
    overall, what = None, ""
    for found, lacking in ((summary.missing, "a caption"), (summary.media.missing, "a usable image")):
        if overall is None and is_clear(found):
            overall, what = found, lacking
    return Warned(overall, what, tuple(line for line in lost_images(summary) if is_clear(line.found)))


def is_clear(found: MissingSummary | None) -> bool:
    """Whether the difference is more than chance, with all reasons compared together accounted for."""
    if found is None:
        return False
    p = found.p if found.p_adjusted is None else found.p_adjusted
    return p is not None and p < CLEAR


def _verdict(found: MissingSummary | None, rows: int, fewest: int) -> str:
    if found is None:
        return f"Fewer than {fewest} rows: not compared." if rows < fewest else "Not compared."
    if found.p is None:
        return "Too few independent rows to compare."
    if is_clear(found):
        return "Clearly lower." if (found.difference or 0.0) < 0 else "Clearly higher."
    return "No clear difference."
