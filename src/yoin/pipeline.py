"""From a table to a report: the stages in order, each skipped while its inputs, options and code are what they were."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

import pydantic

from yoin.audit import checked_words
from yoin.checks import check_attributes, check_installed, require_table
from yoin.errors import UsageError, YoinError
from yoin.files import digest, digest_code
from yoin.options import Options, RunOptions
from yoin.own import checked_concepts, checked_labels
from yoin.stages import STAGES, Stage
from yoin.study import Study, locked
from yoin.values import MetricKind, Progress

if TYPE_CHECKING:
    from yoin.demo import Recovery


Chosen = TypeVar("Chosen", bound=Options)

StageProgress: TypeAlias = Callable[[str, int, int, str], None]
"""Called with (stage, items done, items in all, note)."""
_SHARED = ("values.py", "images.py", "language.py", "features.py", "encoder.py", "loop.py", "pipeline.py")


def silent(stage: str, done: int, total: int, note: str) -> None:
    """A `StageProgress` that shows nothing."""


def run(
    table: str | Path,
    *,
    metric: str,
    image: str | None = None,
    caption: str | None = None,
    captions: str | Path | None = None,
    features: Sequence[str] = (),
    group: str | None = None,
    weight: str | None = None,
    audit: Sequence[str] = (),
    audit_words: str | Path | None = None,
    concepts: str | Path | None = None,
    labels: str | Path | None = None,
    captioner: str = "describe",
    model: str = "minilm",
    metric_kind: MetricKind | None = None,
    loss: Literal["squared", "huber"] = "squared",
    seeds: int = 1,
    layer_decay: float = 1.0,
    tune: int = 0,
    fit_workers: int | None = None,
    image_rung: str | None = None,
    track: Literal["tensorboard", "mlflow", "trackio", "wandb"] | None = None,
    recipe: Literal["yoin", "article"] = "yoin",
    recipe_fold: int = 0,
    recipe_half: bool = False,
    recipe_mask: bool = False,
    recipe_last_epoch: bool = False,
    explain: int | Literal["all"] = 200,
    budget: int | None = None,
    tolerance: float = 0.0,
    mask: Literal["remove", "token"] = "remove",
    interactions: int = 20,
    sanity: bool = False,
    limit: int | None = None,
    seed: int = 42,
    out: str | Path | None = None,
    sheet: str | None = None,
    allow_anywhere: bool = False,
    allow_private: bool = False,
    connections: int = 32,
    per_host: int = 8,
    timeout: float = 60.0,
    retries: int = 3,
    max_bytes: int = 200_000_000,
    longest_side: int | None = None,
    frames: int = 6,
    refresh: bool = False,
    workers: int | None = None,
    batch: bool = False,
    batch_folder: str | None = None,
    prompt: str = "general",
    lang: Literal["en", "ja"] = "en",
    attributes: str | None = None,
    repeat: int = 1,
    repeat_sample: int = 100,
    temperature: float | None = None,
    top_p: float | None = None,
    caption_seed: int | None = None,
    max_output_tokens: int | None = None,
    thinking: str | None = None,
    media_resolution: Literal["low", "medium", "high"] | None = None,
    call_timeout: float = 120.0,
    call_retries: int = 5,
    rpm: float | None = None,
    tpm: float | None = None,
    rpd: float | None = None,
    max_cost: float | None = None,
    project: str | None = None,
    location: str | None = None,
    ask: bool = False,
    progress: StageProgress = silent,
) -> Study:
    """Go from a table of images and a metric to a report, doing only what is not done already.

    Args:
        table: CSV, TSV, Parquet, JSON lines or Excel.
        metric: the column with the number to explain.
        image: the column with paths (relative to the table) or URLs; optional with ``caption``.
        caption: a column with captions that are there already; skips captioning.
        captions: a file with captions from elsewhere, for the rows with the same image; skips captioning.
        features: other columns the drivers are adjusted for.
        group: rows with the same value stay in one fold, and intervals allow for it.
        weight: a column of positive weights.
        audit: columns, such as the region, on whose groups the models' errors are compared.
        audit_words: a TOML file of words about people's traits, added to the built-in lists or in their place.
        concepts: a file with your own concepts, one a line, instead of those found; with a ``+`` before its name they
            stand beside those found.
        labels: a sheet of ``yoin label`` that people filled in: lifts are corrected for what the captions get wrong.
        captioner: ``name[:model][@base_url]``.
        model: the top of the ladder: ``minilm``, ``bert:REPO_OR_DIR``, ``frozen`` or ``tfidf``.
        metric_kind: what kind of number the metric is; guessed by default.
        loss: of fine-tuning a real or positive metric; ``huber`` heeds outliers less.
        seeds: so many fine-tunings are averaged; the report shows their spread.
        layer_decay: each layer of the encoder learns so many times as fast as the one above it; 1 is all alike.
        tune: so many settings of the fine-tuning are tried inside every fold, and the best one is taken.
        fit_workers: folds fine-tuned side by side, at most; by default what cores, memory and accelerators allow.
        image_rung: ``hf:FOLDER`` or ``hf:REPO``, a vision encoder for a rung that reads the images themselves.
        track: an experiment tracker that the fit's curves are logged for, in ``track`` of the study's folder.
        recipe: ``article`` trains one fold the article's way too, and compares it on the same rows.
        recipe_fold: which of its five folds judges.
        recipe_half: it is trained in half precision (fp16), quicker on a GPU and slower elsewhere.
        recipe_mask: its first fault is repaired: padding is not read as text.
        recipe_last_epoch: its second fault is repaired: the last epoch counts, not the best one on the judging fold.
        explain: how many captions to explain, spread over the metric's range.
        budget: most model calls a caption; by default five for each of its phrases.
        tolerance: stop at a caption once its standard errors are below this share of its largest value.
        mask: what becomes of words left out: they are removed, or the model's mask token stands for each.
        interactions: for how many of the explained captions pairs of phrases are valued.
        sanity: compare the explanations with those of a model that learned from a shuffled metric.
        limit: use the first rows only.
        seed: of everything random.
        out: the study folder; the table's name with ``.yoin`` in the current folder by default.
        sheet: of an Excel file; the first by default.
        allow_anywhere: let image cells name files outside the table's folder.
        allow_private: let URLs lead to addresses that are not public.
        connections: requests at the same time, over all hosts.
        per_host: requests at the same time to one host.
        timeout: seconds that one request may take.
        retries: further requests where the first failed in a way that may pass.
        max_bytes: of an image or a video; a larger one is not used.
        longest_side: in pixels, of the copies that the captioner sees; the originals by default.
        frames: looked at in a video.
        refresh: ask servers whether images have changed that are there already.
        workers: captions made at the same time.
        batch: through the service's batch interface: half the price, and up to a day's wait; the run ends with a
            `PendingError`, and the next one collects the captions.
        batch_folder: for Vertex AI, where its batches lie: ``gs://BUCKET/PATH``.
        prompt: what a vision-language model is asked: a built-in prompt's name, or a text file.
        lang: the language of built-in prompts and their captions.
        attributes: what it fills in instead of writing freely: built-in attributes' name (``general``), or a TOML file.
        repeat: captions made of each image of a sample, the first one counted.
        repeat_sample: images in that sample.
        temperature: how freely it chooses its words; the model's own by default, as the next ones are.
        top_p: likewise.
        caption_seed: of its own chance, where it takes a seed.
        max_output_tokens: the longest answer.
        thinking: how much it thinks first, in the service's own words.
        media_resolution: how closely it looks.
        call_timeout: seconds that one call may take.
        call_retries: further attempts at a call that failed in a way that may pass.
        rpm: requests a minute that the quota allows; found out by trying where it is not stated.
        tpm: tokens a minute, likewise.
        rpd: requests a day, likewise.
        max_cost: US dollars; the run stops before the call that would exceed it.
        project: of Vertex AI.
        location: of Vertex AI.
        ask: stop with a `ConsentError` before calls that cost money.
        progress: called as items are done.

    Returns:
        The study; ``study.ran`` names the stages that had work to do.

    Raises:
        UsageError: wrong input or options.
        NothingLeftError: fewer than 30 usable rows were left.
    """
    given = {name: value for name, value in locals().items() if name in RunOptions.model_fields}
    path = Path(table).resolve()
    names = (features,) if isinstance(features, str) else tuple(features)
    audited = (audit,) if isinstance(audit, str) else tuple(audit)
    options = resolve(
        **{
            **given, "table": path, "features": names, "audit": audited, "captions": _found(captions),
            "audit_words": checked_words(audit_words), **_own(concepts=concepts, labels=labels),
        }
    )  # fmt: skip
    require_table(path)
    return _advance(Path(out) if out is not None else Path(f"{path.stem}.yoin"), options, STAGES, progress)


def run_stage(study: str | Path, stage: str, *, progress: StageProgress = silent, **changes: object) -> Study:
    """Do one stage of a study, with some of its options changed.

    Raises:
        UsageError: an earlier stage has not been done, or wrong options.
    """
    opened = Study(study)
    options = resolve(**{**opened.options.model_dump(), **changes, **_own(**changes)})
    names = ("caption", "repeat") if stage == "caption" else (stage,)
    chosen = [one for one in STAGES if one.name in names]
    return _advance(opened.folder, options, chosen, progress)


def export_captions(study: str | Path, path: str | Path) -> int:
    """Write every caption that a study's ledger holds to a Parquet file; returns how many.

    Raises:
        UsageError: the file cannot be written.
    """
    from yoin import captions

    with Study(study).ledger() as ledger:
        return captions.export_captions(ledger, Path(path))


def import_captions(study: str | Path, path: str | Path) -> int:
    """Take over the captions of a file that `export_captions` wrote; returns how many. The next run uses them.

    Raises:
        UsageError: the file cannot be read or is not such a file.
    """
    from yoin import captions

    opened = Study(study)
    with locked(opened.folder), opened.ledger() as ledger:
        return captions.import_captions(ledger, Path(path))


def resolve(**given: object) -> RunOptions:
    """Check options and fill in their defaults.

    Raises:
        UsageError: the first option that is wrong.
    """
    return checked(RunOptions, **given)


def checked(kind: type[Chosen], **given: object) -> Chosen:
    """The record of options of this kind.

    Raises:
        UsageError: the first option that is wrong.
    """
    try:
        options = kind.model_validate(given)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise UsageError(
            f"{name} cannot be {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}", stage="options"
        ) from None
    return options


def _found(captions: str | Path | None) -> Path | None:
    if captions is None:
        return None
    path = Path(captions).resolve()
    require_table(path)
    return path


def _own(concepts: object = None, labels: object = None, **others: object) -> dict[str, object]:
    """The files that are given of these two, read once and with absolute paths."""
    given = {
        "concepts": checked_concepts(concepts if isinstance(concepts, str | Path) else None),
        "labels": checked_labels(labels if isinstance(labels, str | Path) else None),
    }
    return {name: path for name, path in given.items() if path is not None}


def _advance(folder: Path, options: RunOptions, stages: Sequence[Stage], progress: StageProgress) -> Study:
    """Bring ``stages`` of the study in ``folder`` up to date, holding its lock."""
    check_installed(options)
    if any(stage.name == "caption" for stage in stages):
        check_attributes(options)
    began = not (folder / "study.json").exists()
    try:
        with locked(folder):
            study = Study.create(folder, options)
            for stage in stages:
                if _bring_up_to_date(study, stage, options, partial(progress, stage.name)):
                    study.ran += (stage.name,)
            study.save()
    except YoinError:
        if began and (folder / "study.json").exists() and not Study(folder).seconds:
            shutil.rmtree(folder)  # made just now, and nothing came of it
        raise
    return study


def _bring_up_to_date(study: Study, stage: Stage, options: RunOptions, progress: Progress) -> bool:
    """Do the work of ``stage`` unless it is fresh; return whether there was any."""
    key = digest(
        stage.name,
        digest_code(*stage.code, *_SHARED),
        stage.options(options).model_dump(mode="json"),
        study.fingerprint(stage.reads),
        stage.outside(study, options),
    )
    if study.fresh(stage.name, key) and not stage.again(options):
        return False
    start = time.perf_counter()
    facts = stage.work(study, options, key, progress)
    seconds = time.perf_counter() - start
    study.finish(stage.name, "" if stage.retry(study) else key, stage.makes, facts, seconds)
    return True


def demo(out: str | Path = "demo.yoin", *, progress: StageProgress = silent) -> tuple[Study, Recovery]:
    """Draw posters with a known truth into a study folder, analyse them with `run`, and compare.

    Returns:
        The study, and what was planted beside what was recovered.
    """
    from yoin import demo as planted

    folder = Path(out)
    posters = folder / "posters"
    options = RunOptions(
        table=(posters / "posters.csv").resolve(), image="image", metric="rating", features=("year",), explain=40
    )
    with locked(folder):
        Study.create(folder, options).save()
        if not options.table.exists():
            planted.write(posters)
    study = run(**options.model_dump(), out=folder, progress=progress)
    _, facts, _ = planted.plant()
    return study, planted.compare(study.drivers, study.frame("concepts.parquet"), facts)
