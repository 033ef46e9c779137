"""The brief as Markdown: our own sentences, with the study's names and numbers in their places."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yoin.brief.check import Line
from yoin.brief.choose import STABLE, Chosen
from yoin.language import NEGATIONS
from yoin.report import words

if TYPE_CHECKING:
    from yoin.report.summary import Summary

AT_MOST = 5  # drivers in one prompt
LONGEST = 80  # characters of a name
_CJK = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_NONE_OF_IT = "なし"  # how the name of a concept that is denied ends, in Japanese
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~&/])")
RULES = (0.05, 0.8, 0.95, STABLE)  # levels that sentences name


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A prompt for a text-to-image model, with what to keep out of the image, and the caption of it that is scored.

    ``prediction`` with ``low`` and ``high`` in the metric's unit: see `yoin.brief.score.score`.
    """

    caption: str
    avoid: str
    concepts: tuple[str, ...]
    prediction: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")


def plain(text: str, longest: int = LONGEST) -> str:
    """A text from outside on one line, without characters that do not show, cut where it is too long."""
    shown = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    short = " ".join(shown.split())
    return short if len(short) <= longest else f"{short[: longest - 1]}…"


def neutral(text: str) -> str:
    """The same with nothing in it that Markdown or HTML takes for markup."""
    return (
        _SPECIAL.sub(r"\\\1", plain(text, AT_MOST * (LONGEST + 2) + LONGEST))
        .replace("\\<", "&lt;")
        .replace("\\>", "&gt;")
        .replace("\\&", "&amp;")
    )


def candidates(drivers: Sequence[Chosen]) -> tuple[Candidate, ...]:
    """All that goes with a higher metric in one caption, and each of the first three of it alone."""
    higher = [one.concept for one in drivers if one.effect > 0][:AT_MOST]
    lower = [one.concept for one in drivers if one.effect < 0 and not _denies(one.concept)][:AT_MOST]
    sets = [higher, *([[concept] for concept in higher[:3]] if len(higher) > 1 else [])] if higher else []
    return tuple(
        Candidate(caption=_sentence(some), avoid=", ".join(map(plain, lower)), concepts=tuple(some)) for some in sets
    )


def _denies(concept: str) -> bool:
    return concept.split(" ", 1)[0] in NEGATIONS or concept.endswith(_NONE_OF_IT)


def _sentence(concepts: Sequence[str]) -> str:
    """A caption that says just this."""
    spelled = [plain(concept) for concept in concepts]
    if any(_CJK.search(concept) for concept in spelled):
        there = [concept for concept in spelled if not concept.endswith(_NONE_OF_IT)]
        absent = [f"{concept.removesuffix(_NONE_OF_IT)}はない。" for concept in spelled if concept not in there]
        return "".join([f"{'、'.join(there)}のある画像。" if there else "", *absent])
    listed = spelled[0] if len(spelled) == 1 else f"{', '.join(spelled[:-1])} and {spelled[-1]}"
    return f"A picture with {listed}."


def nothing(summary: Summary, reason: str) -> list[Line]:
    """The brief where there is nothing to build on."""
    return [Line("# Creative brief for {0}", names=(neutral(summary.metric.name),)), Line(""), Line(reason)]


def write(
    summary: Summary, drivers: Sequence[Chosen], left_out: Mapping[str, str], sensitive: int, tries: Sequence[Candidate]
) -> list[Line]:
    """The brief, a line each; every number's subject is named."""
    unit = words.Unit.of("", summary.metric.sd)
    metric = (neutral(summary.metric.name),)
    signal = summary.signal
    gain = ", beyond what the other columns say" if signal.quantity == "gain" else ""
    lines = [
        Line("# Creative brief for {0}", names=metric),
        Line(""),
        Line(
            f"Verdict: {signal.verdict}. The captions explain {words.percent(signal.r2, 1)} of the variance of {{0}} "
            f"in rows that the models had not seen{gain} (95% interval {words.percent(signal.r2_low, 1)} to "
            f"{words.percent(signal.r2_high, 1)}), over {words.count(summary.rows.used)} rows.",
            "study",
            metric,
        ),
    ]
    if signal.verdict == "weak":
        lines.append(Line("This is little: take what follows as ideas to test, no more."))
    lines += [Line(""), Line(_CAUTION, "study")]
    for title, side in (("higher", 1), ("lower", -1)):
        some = [one for one in drivers if one.effect * side > 0]
        lines += [Line(""), Line(f"## What goes with a {title} {{0}}", names=metric), Line("")]
        lines += [_driver(one, unit) for one in some] or [Line("Nothing clear.")]
    lines += [Line(""), Line("## Prompts for a text-to-image model"), Line("")]
    for place, one in enumerate(tries):
        lines += _candidate(one, place, unit)
    if tries:
        lines += [
            Line(""),
            Line(_SCORED.format(mean=unit.plain(summary.metric.mean)), "study", metric),
            Line("These prompts aim for a higher {0}. Where lower is better, exchange the lists.", names=metric),
        ]
    else:
        lines.append(Line("None: nothing goes clearly with a higher {0}.", names=metric))
    if left_out or sensitive:
        lines += [Line(""), Line("## Clear, but not used"), Line("")]
        lines += [_left_out(concept, reason) for concept, reason in left_out.items()]
    if sensitive:
        lines.append(Line(f"- {_SENSITIVE}: {words.count(sensitive)}.", "left out"))
    return lines


_CAUTION = (
    "What stands here goes with the metric in this study. Whether it moves the metric, only a test can tell: the sizes "
    "named find an effect of the size seen in 80% of tests, at the 5% level. Effects that were picked for being clear "
    "are likely smaller than they look: plan for the larger size."
)
_SCORED = (
    "The figures are what the study's own models, which read captions alone, give a caption of such an image; the mean "
    "of {{0}} is {mean}. The interval is from how far these models were off on the study's rows. It holds for captions "
    "like those; these are plainer, so take it as rough."
)
_SENSITIVE = (
    "Concepts that speak of people's gender, age, origin, skin, body, faith, disability or nationality, which are no "
    "elements of design and no advice"
)


def _driver(one: Chosen, unit: words.Unit) -> Line:
    size = ""
    if one.per_arm is not None:
        size = f"; to test it: {words.count(one.per_arm)} images in each arm"
        if one.cautious is not None:
            size += f", or {words.count(one.cautious)} for the near end of the interval"
    return Line(
        f"- **{{0}}**: {unit.signed(one.effect)} (95% interval {unit.signed(one.low)} to {unit.signed(one.high)}); in "
        f"{words.count(one.n_with)} of {words.count(one.n_with + one.n_without)} captions{size}.",
        f"driver: {one.concept}",
        (neutral(one.concept),),
    )


def _candidate(one: Candidate, place: int, unit: words.Unit) -> list[Line]:
    subject = f"caption: {place}"
    names = (neutral(one.caption[:-1]), neutral(one.avoid))  # without the full stop, which is ours
    return [
        Line(f"- {{0}}{one.caption[-1]}{' Keep out: {1}.' if one.avoid else ''}", subject, names),
        Line(
            f"  The models say {unit.plain(one.prediction)} (95% interval {unit.plain(one.low)} to "
            f"{unit.plain(one.high)}).",
            subject,
        ),
    ]


def _left_out(concept: str, reason: str) -> Line:
    return Line("- {0}: {1}.", "left out", (neutral(concept), neutral(reason)))
