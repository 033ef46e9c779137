"""The stages in order: what each reads and makes, and what makes it stale.

A stage reads artefacts of earlier stages from the study and writes its own; its work stands in `yoin.work`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from yoin import registry, work
from yoin.files import digest_file, digest_given, digest_model, mark_of
from yoin.options import Options, RunOptions, Spec
from yoin.own import CORRECTED, EXTENDS, concepts_file
from yoin.rows import image_stamps, who_chose_prompt
from yoin.study import Study
from yoin.values import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage: what it reads and makes, which options and code it depends on, and its work.

    ``work`` returns facts for ``study.json``. ``outside`` fingerprints inputs that are not artefacts.
    ``again`` says whether there is work though all is fresh.
    ``retry`` says after the work whether some items failed in a way that may pass: the next run tries those again.
    """

    name: str
    reads: tuple[str, ...]
    makes: tuple[str, ...]
    options: Callable[[RunOptions], Options]
    code: tuple[str, ...]
    work: Callable[[Study, RunOptions, str, Progress], Mapping[str, Any]]
    outside: Callable[[Study, RunOptions], object] = lambda study, options: None
    again: Callable[[RunOptions], bool] = lambda options: False
    retry: Callable[[Study], bool] = lambda study: False


_TOLD = ("table", "caption", "repeat", "prompts", "fit", "explain", "drivers")  # whose facts the report shows

STAGES = (
    Stage(
        name="table",
        reads=(),
        makes=("table.parquet",),
        options=RunOptions.for_table,
        code=("table.py", "table"),
        work=work.read_table,
        outside=lambda study, options: digest_file(options.table),
    ),
    Stage(
        name="fetch",
        reads=("table.parquet",),
        makes=("media.parquet",),
        options=RunOptions.for_media,
        code=("media", "videos", "ledger.py"),
        work=work.fetch,
        outside=image_stamps,
        again=lambda options: options.refresh,
        retry=work.may_pass,
    ),
    Stage(
        name="caption",
        reads=("table.parquet", "media.parquet"),
        makes=("captions.parquet", "attributes.parquet"),  # the second where attributes were asked for
        options=RunOptions.for_captions,
        code=("captions", "workers", "ledger.py"),
        work=work.caption,
        retry=lambda study: bool((study.captions["status"] == "failed").any()),
        outside=lambda study, options: [
            options.caption, digest_given(options.captions, options.prompt, options.attributes),
        ],
    ),
    Stage(
        name="repeat",
        reads=("media.parquet", "captions.parquet"),
        makes=("caption_repeats.parquet",),
        options=RunOptions.for_repeats,
        code=("captions", "ledger.py"),
        work=work.repeat,
        retry=lambda study: bool((study.frame("caption_repeats.parquet")["status"] == "failed").any()),
    ),
    Stage(
        name="fit",
        reads=("table.parquet", "captions.parquet"),
        makes=("predictions.parquet", "history.parquet", "models"),
        options=RunOptions.for_fit,
        code=("model", "table.py", "table"),
        work=work.fit,
        outside=lambda study, options: [
            who_chose_prompt(study, options),
            study.fingerprint(["media.parquet"]) if options.image_rung else None,
            [digest_model(Spec.parse(encoder).model) for encoder in (options.model, options.image_rung or "")],
        ],
        again=lambda options: options.recipe != "yoin" or options.track is not None,
    ),
    Stage(
        name="explain",
        reads=("table.parquet", "captions.parquet", "predictions.parquet", "models"),
        makes=("explanations.parquet", "interactions.parquet"),
        options=RunOptions.for_explain,
        code=("explanations", "model"),
        work=work.explain,
        outside=who_chose_prompt,
        again=lambda options: options.sanity,
    ),
    Stage(
        name="drivers",
        reads=("table.parquet", "captions.parquet", "predictions.parquet", "explanations.parquet"),
        makes=(
            "drivers.csv", "drivers.parquet", "concepts.parquet", "driver_interactions.csv",
            "driver_interactions.parquet", *CORRECTED,  # these with labels
        ),
        options=RunOptions.for_drivers,
        code=("drivers",),
        work=work.drivers,
        outside=lambda study, options: [
            registry.missing("models", "frozen") is None, who_chose_prompt(study, options),
            digest_given(options.audit_words, options.labels, concepts_file(options.concepts)),
            (options.concepts or "").startswith(EXTENDS),
        ],
    ),
    Stage(
        name="report",
        reads=(
            "table.parquet", "media.parquet", "captions.parquet", "predictions.parquet", "history.parquet",
            "explanations.parquet", "interactions.parquet", "drivers.parquet", "concepts.parquet",
            "driver_interactions.parquet",
        ),
        makes=("summary.json", "report.html"),
        options=RunOptions.for_report,
        code=("report", "drivers", "media", "table", "summarise.py", "audit.py"),
        work=work.report,
        outside=lambda study, options: [
            *(dict(study.facts(name)) for name in _TOLD if name in study.seconds),
            who_chose_prompt(study, options),
            digest_given(options.audit_words),
            study.fingerprint(["caption_repeats.parquet"]) if "repeat" in study.seconds else None,
            mark_of(study.folder / CORRECTED[1]),
        ],
    ),
)  # fmt: skip
