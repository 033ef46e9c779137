"""Prompts compared: the same images captioned with each, and the best one judged on rows that did not choose it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from yoin import loop
from yoin.amounts import explained, percent
from yoin.checks import check_installed
from yoin.errors import NothingLeftError, UsageError
from yoin.files import digest
from yoin.options import CaptionOptions, CompareOptions, RunOptions
from yoin.pipeline import StageProgress, checked, resolve, silent
from yoin.rows import COMPARED, MIN_ROWS, comparisons, features_of, labels, spent, table_rows, weight_of
from yoin.study import Study, locked
from yoin.summarise import command
from yoin.values import COMPARED_COLUMNS, Captions, Media, Progress

if TYPE_CHECKING:
    import pandas as pd

    from yoin.ledger import Ledger
    from yoin.model.rivals import Rival


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One prompt on the rows that choose.

    ``ok`` images got a caption. R² (with features the gain in it) and how far it is behind the best, each with its 95%
    interval: see `yoin.model.rivals.Rival`. Tokens and cost are those of its captions, whenever they were made.
    """

    prompt: str
    prompt_id: str
    ok: int
    r2: float
    r2_low: float
    r2_high: float
    behind: float
    behind_low: float
    behind_high: float
    tokens_in: int
    tokens_out: int
    cost_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a comparison found.

    ``ranked`` holds the prompts, best first, judged by ``rung`` on the same ``rows``; ``r2`` with its interval is the
    winner's on ``locked_rows`` that played no part in the choice. ``quantity`` is "gain" where there are features.
    ``sentences`` say it in words; ``command`` runs the study with the winner.
    """

    id: str
    captioner: str
    model: str
    metric: str
    rung: str
    quantity: str
    rows: int
    ranked: tuple[Ranked, ...]
    locked_rows: int
    r2: float
    r2_low: float
    r2_high: float
    locked_cost_usd: float
    sentences: tuple[str, ...]
    command: str

    @property
    def winner(self) -> Ranked:
        """The prompt with the highest R² on the rows that choose."""
        return self.ranked[0]


def compare_prompts(
    study: str | Path,
    prompts: Sequence[str] = (),
    *,
    ask: bool = False,
    progress: StageProgress = silent,
    sample: int = 200,
    **changes: object,
) -> Comparison:
    """Caption the same sample of a study's images with each prompt, and find the one whose captions say most.

    Prompts are ranked by the out-of-fold R² of a cheap rung on one half of the rows drawn (with features by its gain
    over them); the winner is then judged on the other half, which only it captions. What was found stands in
    ``study.json``, the captions in ``prompt_captions.parquet``; a study with one of these prompts leaves the rows that
    chose out of its analysis.

    Args:
        study: the folder; its images must have been fetched.
        prompts: names of built-in prompts or files; all that are built in by default.
        ask: stop with a `ConsentError` before calls that cost money.
        progress: called as captions are made.
        sample: images that every prompt captions, and at most as many again that only the winner does.
        changes: options of captioning other than the study's own, for this comparison alone.

    Raises:
        UsageError: an unknown prompt, fewer than two, two of the same text; a captioner without one; given captions.
        NothingLeftError: too few rows for a choice and for judging it.
    """
    from yoin import table

    opened = Study(study)
    options = resolve(**{**opened.options.model_dump(), **changes, "ask": ask})
    chosen = checked(CompareOptions, sample=sample)
    asked = _prompts(opened, prompts, options)
    check_installed(options)
    with locked(opened.folder):
        start = time.perf_counter()
        kept = Study(opened.folder)
        rows = _rows(kept, options)
        selection, held_back = table.two_sides(
            labels(rows, options), chosen.sample, options.seed, used=spent(kept, rows, options), fewest=MIN_ROWS
        )
        with kept.ledger() as ledger:
            work = _Captioning(kept, rows, ledger, options, progress)
            found, frame = _compare(work, asked, rows.iloc[selection], rows.iloc[held_back], options, kept.folder)
        _record(kept, found, frame, time.perf_counter() - start)
    return found


def _prompts(study: Study, prompts: Sequence[str], options: RunOptions) -> list[str]:
    """The prompts to compare, each known to be there."""
    from yoin.captions import prompts as texts

    if options.captioned:
        raise UsageError(
            "the captions of this study were given, so that no prompt can change them",
            stage="prompts",
            remedy="make a study that is captioned from its images",
        )
    chosen = list(prompts) or list(texts.names())
    if len(chosen) < 2:
        raise UsageError("one prompt is nothing to compare", stage="prompts", remedy="name at least two")
    known: dict[str, str] = {}
    for prompt in chosen:
        text = texts.load(prompt, options.lang).id
        if text in known:
            raise UsageError(
                f"the prompts {known[text]!r} and {prompt!r} are the same text", stage="prompts", remedy="leave one out"
            )
        known[text] = prompt
    return chosen


def _rows(study: Study, options: RunOptions) -> pd.DataFrame:
    """The rows that can be captioned and judged: those with a usable image, by row_id."""
    media = study.frame("media.parquet").set_index("row_id")["media_id"]
    return table_rows(study).drop(columns="caption", errors="ignore").join(media).dropna(subset=["media_id"])


def built_in(lang: str = "en") -> dict[str, str]:
    """The built-in prompts by name, and what each is for."""
    from yoin.captions import prompts as texts

    return {name: texts.purpose(name, lang) for name in texts.names()}


class _Captioning:
    """Captions of a study's rows with one prompt or another."""

    def __init__(
        self, study: Study, rows: pd.DataFrame, ledger: Ledger, options: RunOptions, progress: StageProgress
    ) -> None:
        self._items, self._ledger, self._options, self._progress = study.media(), ledger, options, progress
        self._rows = rows

    def options(self, prompt: str) -> CaptionOptions:
        return self._options.for_captions().model_copy(update={"prompt": prompt})

    def require_consent(self, prompts: Sequence[str], rows: pd.DataFrame, later: pd.DataFrame) -> None:
        """See that all calls to come were agreed to, those for the winner's further rows too.

        Raises:
            ConsentError: they were not.
            UsageError: the captioner takes no prompt.
        """
        from yoin import captions

        to_do = []
        media = [self._items[media_id] for media_id in rows["media_id"].unique()]
        for prompt in prompts:
            captioner = captions.captioner_of(self.options(prompt))
            try:
                if not captioner.prompt_id:
                    raise UsageError(
                        f"{captioner.name} takes no prompt, so that there is nothing to compare",
                        stage="prompts",
                        remedy="name a captioner that does, such as --captioner gemini",
                    )
                to_do += captions.unmade(media, ledger=self._ledger, options=self.options(prompt), captioner=captioner)
            finally:
                loop.run(captioner.aclose)
        if to_do:
            to_do += [self._items[media_id] for media_id in later["media_id"].unique()]
            captions.require_consent(to_do, captioner, self.options(prompts[0]))

    def caption(self, prompt: str, rows: pd.DataFrame) -> Captions:
        from yoin import captions

        media = Media(rows=rows[["media_id"]].assign(reason="", detail=""), items=self._items)
        told: Progress = partial(self._progress, Path(prompt).name)
        return captions.caption(media, ledger=self._ledger, options=self.options(prompt), progress=told)


def _compare(
    work: _Captioning,
    prompts: Sequence[str],
    selection: pd.DataFrame,
    held_back: pd.DataFrame,
    options: RunOptions,
    folder: Path,
) -> tuple[Comparison, pd.DataFrame]:
    """What was found, and the captions it was found on."""
    import pandas as pd

    from yoin import model

    work.require_consent(prompts, selection, held_back)
    rung = model.cheap_rung()
    made = {prompt: work.caption(prompt, selection) for prompt in prompts}
    texts = pd.DataFrame({prompt: _ok(one) for prompt, one in made.items()})
    counts = texts.notna().sum()
    common = selection.loc[texts.dropna().index]
    if len(common) < MIN_ROWS:
        raise NothingLeftError(
            f"only {len(common)} of {len(selection)} rows have a caption with every prompt, and at least {MIN_ROWS} "
            f"are needed; fewest have one with {counts.idxmin()!r} ({counts.min()})",
            stage="prompts",
            remedy="leave that prompt out, or give a larger --sample",
        )
    rivals = _judge([texts.loc[common.index, prompt].tolist() for prompt in prompts], common, rung, options)
    ranked = sorted(
        (
            Ranked(
                prompt=prompt,
                prompt_id=str(made[prompt].frame["prompt_id"].iloc[0]),
                ok=int(counts[prompt]),
                **asdict(rival),
                tokens_in=made[prompt].tokens_in,
                tokens_out=made[prompt].tokens_out,
                cost_usd=made[prompt].cost_usd,
            )
            for prompt, rival in zip(prompts, rivals, strict=True)
        ),
        key=lambda one: one.behind,
    )
    winner = ranked[0].prompt
    last = work.caption(winner, held_back)
    judged = held_back.loc[_ok(last).dropna().index]
    if len(judged) < MIN_ROWS:
        raise NothingLeftError(
            f"only {len(judged)} of the {len(held_back)} rows locked away from the choice have a caption, and at least "
            f"{MIN_ROWS} are needed",
            stage="prompts",
            remedy="give a larger --sample",
        )
    (truth,) = _judge([_ok(last)[judged.index].tolist()], judged, rung, options)
    frames = [(prompt, "selection", one.frame) for prompt, one in made.items()] + [(winner, "locked", last.frame)]
    found = Comparison(
        id=digest(last.captioner, [one.prompt_id for one in ranked], selection["media_id"].tolist())[:12],
        captioner=last.captioner,
        model=str(last.frame["model_version"].iloc[0]),
        metric=options.metric,
        rung=rung + ("+features" if options.features else ""),
        quantity="gain" if options.features else "r2",
        rows=len(common),
        ranked=tuple(ranked),
        locked_rows=len(judged),
        r2=truth.r2,
        r2_low=truth.r2_low,
        r2_high=truth.r2_high,
        locked_cost_usd=last.cost_usd,
        sentences=_in_words(ranked, len(common), truth, len(judged), gain=bool(options.features)),
        command=command(options.model_copy(update={"prompt": winner}), folder),
    )
    frame = pd.concat([one.assign(prompt=prompt, part=part) for prompt, part, one in frames], ignore_index=True)
    return found, frame.assign(comparison=found.id)[list(COMPARED_COLUMNS)]


def _ok(made: Captions) -> pd.Series:
    """The ok captions by row_id, NA elsewhere."""
    frame = made.frame.set_index("row_id")
    return frame["caption"].where(frame["status"] == "ok")


def _judge(sets: list[list[str]], rows: pd.DataFrame, rung: str, options: RunOptions) -> tuple[Rival, ...]:
    from yoin import model, table

    groups, chosen = labels(rows, options), options.for_fit()
    return model.compare_captions(
        sets,
        rows["metric"].to_numpy(),
        table.assign_folds(groups, chosen.folds, chosen.seed),
        features=features_of(rows, options),
        group=table.blocks(groups),
        weight=weight_of(rows),
        rung=rung,
        bootstrap=chosen.bootstrap,
        seed=chosen.seed,
    )


def _in_words(ranked: Sequence[Ranked], rows: int, truth: Rival, locked_rows: int, *, gain: bool) -> tuple[str, ...]:
    best, second = ranked[0], ranked[1]
    found = explained(truth.r2, truth.r2_low, truth.r2_high, gain=gain)
    first = (
        f"{best.prompt} is ahead on the {rows} rows that choose; on {locked_rows} rows that played no part in the "
        f"choice{', beyond the other columns,' if gain else ''} its captions {found}"
        + ("." if truth.r2_low > 0 or truth.r2 <= 0 else ", which is not clearly more than nothing.")
    )
    told = (
        "so these rows do not tell the two apart"
        if second.behind_low <= 0
        else "more than chance on these rows, though the best of several always looks better on the rows that chose it"
    )
    close = [one.prompt for one in ranked[1:] if one.behind_low <= 0]
    next_best = (
        f"{second.prompt} comes next, behind by {percent(second.behind)} of the variance "
        f"(95% interval {percent(second.behind_low)} to {percent(second.behind_high)}): {told}."
    )
    also = f" Not told apart from the best: {', '.join(close)}." if len(close) > 1 else ""
    return first, next_best + also


def _record(study: Study, found: Comparison, frame: pd.DataFrame, seconds: float) -> None:
    """Keep it beside earlier comparisons, in place of the same one."""
    import pandas as pd

    earlier = [one for one in comparisons(study) if one["id"] != found.id]
    if earlier:
        known = study.frame(COMPARED)
        frame = pd.concat([known[known["comparison"] != found.id], frame], ignore_index=True)
    study.write_frame(COMPARED, frame)
    facts: dict[str, Any] = {"comparisons": [*earlier, asdict(found)]}
    study.finish("prompts", "", [COMPARED], facts, seconds)
