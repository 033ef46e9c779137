"""From a study to its brief."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from yoin.brief import prose, text
from yoin.brief.check import Line, Share, unsupported
from yoin.brief.choose import Choice, Chosen, choose
from yoin.brief.score import score
from yoin.drivers.mentions import load_lexicon
from yoin.errors import StudyError
from yoin.report.sizes import cautious_effect, per_arm
from yoin.report.summary import Summary
from yoin.study import Study, locked


@dataclass(frozen=True, slots=True, kw_only=True)
class Brief:
    """A creative brief: its ``text`` (Markdown) and what it was made from.

    ``reason`` says why there is nothing to build on, "" where there is something. ``left_out`` holds the other
    significant concepts with a reason each; ``sensitive`` counts those about people's traits, which are not named.
    ``cost_usd`` is what the words of a language model cost, as far as its price is known.
    """

    metric: str
    verdict: str
    reason: str
    drivers: tuple[Chosen, ...]
    left_out: Mapping[str, str]
    sensitive: int
    candidates: tuple[text.Candidate, ...]
    text: str
    cost_usd: float

    def to_json(self) -> str:
        """The brief as indented JSON: the content of ``brief.json``."""
        return json.dumps(_finite(asdict(self)), ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _finite(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def make_brief(study: str | Path, *, llm: bool = False) -> Brief:
    """Write ``brief.md`` and ``brief.json`` into a study, from what it holds.

    Only significant, sign-stable drivers that do not speak of people's sensitive traits are built on; without any, or
    where the verdict is none, the brief says just that. Every number in the text is held against the study's tables.

    Args:
        study: the study's folder.
        llm: the captioner's language model puts it in words of its own, which stand above ours if they hold nothing
            that is not in the study; a call, which may cost a little and counts for the study's quota and limit.

    Raises:
        UsageError: the captioner has no language model, or cannot be asked.
        StudyError: the study has no report yet.
        MissingExtraError: its models need an extra that is not installed.
    """
    opened = Study(study)
    with locked(opened.folder):
        kept = Study(opened.folder)
        made = _brief(kept, llm)
        kept.write_text("brief.md", made.text)
        kept.write_text("brief.json", made.to_json())
    return made


def _brief(study: Study, llm: bool) -> Brief:
    summary, drivers = study.summary, study.drivers
    choice = Choice((), {}, 0)
    reason = ""
    if summary.signal.verdict == "none":
        reason = (
            "The captions say nothing about this metric that could be told from chance: there is nothing to build on."
        )
    else:
        choice = _sized(
            choose(drivers, load_lexicon(study.options.audit_words).topics_of_concepts(drivers)), summary.metric.sd
        )
        if not choice.drivers:
            reason = "No driver is clear, steady in its direction, and fit to be advice: there is nothing to build on."
    tries = _scored(study, text.candidates(choice.drivers))
    lines = (
        text.nothing(summary, reason)
        if reason
        else text.write(summary, choice.drivers, choice.left_out, choice.sensitive, tries)
    )
    facts = facts_of(summary, drivers, choice, tries)
    require_supported(lines, facts)
    cost_usd = 0.0
    if llm and not reason:
        lines, cost_usd = _in_its_words(study, lines, facts)
    return Brief(
        metric=text.plain(summary.metric.name),
        verdict=summary.signal.verdict,
        reason=reason,
        drivers=tuple(replace(one, concept=text.plain(one.concept)) for one in choice.drivers),
        left_out={text.plain(concept): text.plain(why) for concept, why in choice.left_out.items()},
        sensitive=choice.sensitive,
        candidates=tries,
        text="\n".join(line.text for line in lines) + "\n",
        cost_usd=cost_usd,
    )


def _in_its_words(
    study: Study, lines: Sequence[Line], facts: Mapping[str, Sequence[float]]
) -> tuple[list[Line], float]:
    """``lines`` with what the captioner's language model makes of them above, where that holds to them; its cost."""
    from yoin import captions

    with study.ledger() as ledger:
        asked = prose.ASKED + "\n".join(line.text for line in lines)
        said = captions.write(asked, study.options.for_captions(), ledger)
    why = prose.unfit(said.text, lines, facts) if said.status == "ok" else said.reason or said.status
    if not why:
        return [lines[0], *prose.paragraphs(said.text, said.model_version), *lines[1:]], said.cost_usd
    ours = Line("The language model's own words are not used: {0}.", names=(text.neutral(why),))
    return [*lines, Line(""), ours], said.cost_usd


def _sized(choice: Choice, sd: float | None) -> Choice:
    def sized(one: Chosen) -> Chosen:
        spread = sd or 0.0
        return replace(
            one, per_arm=per_arm(one.effect, spread), cautious=per_arm(cautious_effect(one.low, one.high), spread)
        )

    return replace(choice, drivers=tuple(map(sized, choice.drivers)))


def _scored(study: Study, tries: Sequence[text.Candidate]) -> tuple[text.Candidate, ...]:
    from yoin import model

    if not tries:
        return ()
    predictions = study.predictions
    predictions = predictions[predictions["model"] == study.facts("fit")["model"]]
    found = score([one.caption for one in tries], model.predictors(study.folder / "models"), predictions)
    return tuple(
        replace(one, prediction=prediction, low=low, high=high)
        for one, (prediction, low, high) in zip(tries, found, strict=True)
    )


def facts_of(
    summary: Summary, drivers: pd.DataFrame, choice: Choice, tries: Sequence[text.Candidate]
) -> dict[str, list[float]]:
    """The numbers that a line may hold, by what it speaks of: the study's own, read from its tables again."""
    signal = [summary.signal.r2, summary.signal.r2_low, summary.signal.r2_high]
    shares = [Share(value) for value in (*signal, *text.RULES) if value is not None]
    mean = summary.metric.mean
    facts: dict[str, list[float]] = {
        "study": [*shares, summary.rows.used, *([] if mean is None else [mean])],
        "left out": [choice.sensitive],
        "": [],
    }
    sd = summary.metric.sd or 0.0
    level = Share(0.95)
    numbers = ["lift", "lift_low", "lift_high", "adjusted", "adjusted_low", "adjusted_high"]
    for row in drivers.to_dict("records"):
        values = {name: math.nan if pd.isna(row[name]) else float(row[name]) for name in numbers}
        net = "adjusted" if math.isfinite(values["adjusted"]) else "lift"
        effect, low, high = (values[net + end] for end in ("", "_low", "_high"))
        sizes = [per_arm(effect, sd), per_arm(cautious_effect(low, high), sd)]
        n_with, n_without = int(row["n_with"]), int(row["n_without"])
        facts[f"driver: {row['concept']}"] = [
            effect, low, high, n_with, n_with + n_without, *(size for size in sizes if size is not None), level
        ]  # fmt: skip
    for place, one in enumerate(tries):
        facts[f"caption: {place}"] = [one.prediction, one.low, one.high, level]
    return facts


def require_supported(lines: Sequence[Line], facts: Mapping[str, Sequence[float]]) -> None:
    """See that every number of a brief is one of the study's.

    Raises:
        StudyError: one is not.
    """
    wrong = unsupported(lines, facts)
    if wrong:
        raise StudyError(
            f"the brief holds a number that is not in the study: {wrong[0]}", stage="brief", remedy="report this fault"
        )
