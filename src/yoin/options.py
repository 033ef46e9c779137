"""One frozen, keyword-only record of options a stage; no I/O.

Each option stands here once: the command line is made from these records (`yoin.flags`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """The base of every options record."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def option(default: Any, told: str, metavar: str | None = None, *, stored: bool = True, **limits: Any) -> Any:
    """A field that the command line offers too.

    Args:
        default: ``...`` where there is none.
        told: one sentence of help.
        metavar: what stands for its value there.
        stored: False for a wish of one run, which the study does not remember.
        **limits: pydantic's, such as ``ge``.
    """
    return Field(
        default, description=told, json_schema_extra={"metavar": metavar}, exclude=not stored or None, **limits
    )


class TableOptions(Options):
    """Which file and which of its columns."""

    table: Path
    metric: str = option(..., "The number to explain.", "COL")
    image: str | None = option(None, "Paths beside the table, or URLs.", "COL")
    caption: str | None = option(None, "Captions that are there already.", "COL")
    features: tuple[str, ...] = option((), "Columns to adjust for.", "A,B")
    captions: Path | None = option(None, "A file with captions from elsewhere.", "FILE")
    group: str | None = option(None, "Rows that belong together.", "COL")
    weight: str | None = option(None, "Positive weights.", "COL")
    audit: tuple[str, ...] = option((), "Columns whose groups are compared on error.", "A,B")
    limit: int | None = option(None, "Use the first N rows.", "N", ge=1)
    sheet: str | None = option(None, "The sheet of an Excel file.", "NAME")


class ViewOptions(Options):
    """What captioners see of an image or a video."""

    longest_side: int | None = option(None, "Scale what the captioner sees down to this.", "PIXELS", ge=32)
    frames: int = option(6, "How many frames of a video are looked at.", ge=1, le=64)


class FetchOptions(ViewOptions):
    """Where images may come from, and how they are asked for."""

    allow_anywhere: bool = option(False, "Let images lie outside the table's folder.")
    allow_private: bool = option(False, "Let URLs lead to private addresses.")
    connections: int = option(32, "Requests at the same time, over all hosts.", ge=1, le=1000)
    per_host: int = option(8, "Requests at the same time to one host.", ge=1, le=1000)
    timeout: float = option(60.0, "Seconds that one request may take.", gt=0)
    retries: int = option(3, "Further requests after a failure that may pass.", ge=0, le=20)
    max_bytes: int = option(200_000_000, "Of an image or a video.", ge=1)
    refresh: bool = option(False, "Ask whether images that are there have changed.", stored=False)


class MediaOptions(FetchOptions):
    """What the fetch stage is given: what a user chose, and what is fixed."""

    base: Path  # relative image paths start here: the table's folder
    max_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    connect_timeout: Annotated[float, Field(gt=0)] = 10.0  # seconds
    read_timeout: Annotated[float, Field(gt=0)] = 20.0  # seconds without a byte, whole ones, at least 1
    backoff: Annotated[float, Field(ge=0)] = 0.5  # seconds before the first retry, doubled with each
    seed: int = 42  # of the frames; not the study's, so that another one there costs no new captions


class CaptionOptions(ViewOptions):
    """Which captioner, what it is asked, and what it may take."""

    captioner: str = option("describe", "name[:model][@base_url]", "SPEC")
    workers: int | None = option(None, "Captions made at the same time, at most.", ge=1)
    batch: bool = option(False, "Through the service's batch interface, at half the price.", stored=False)
    batch_folder: str | None = option(None, "Of vertex: where its batches lie.", "gs://BUCKET/PATH", stored=False)
    prompt: str = option("general", "What a model is asked.", "NAME|FILE")
    lang: Literal["en", "ja"] = option("en", "Language of the captions.", "en|ja")
    attributes: str | None = option(None, "What a model fills in instead of free text.", "NAME|FILE")
    temperature: float | None = option(None, "The model's own by default.", ge=0, le=2)
    top_p: float | None = option(None, "The model's own by default.", gt=0, le=1)
    caption_seed: int | None = option(None, "Of the model's own chance, where it takes one.", ge=0)
    max_output_tokens: int | None = option(None, "The longest answer.", ge=1)
    thinking: str | None = option(None, "How much a model thinks first, in its own words.", "LEVEL")
    media_resolution: Literal["low", "medium", "high"] | None = option(
        None, "How closely a model looks.", "low|medium|high"
    )
    call_timeout: float = option(120.0, "Seconds that one call may take.", gt=0)
    call_retries: int = option(5, "Further attempts at a call.", ge=0, le=20)
    rpm: float | None = option(None, "Requests a minute that the quota allows.", gt=0)
    tpm: float | None = option(None, "Tokens a minute that the quota allows.", gt=0)
    rpd: float | None = option(None, "Requests a day that the quota allows.", gt=0)
    max_cost: float | None = option(None, "Stop before it costs more.", "USD", ge=0)
    project: str | None = option(None, "Of Vertex AI.", "ID")
    location: str | None = option(None, "Of Vertex AI.", "NAME")
    ask: bool = Field(default=False, exclude=True)  # stop before calls that cost money; a wish of one run


class SeedOptions(Options):
    """Of everything random."""

    seed: int = option(42, "Seed of everything random.", ge=0)


class RepeatOptions(CaptionOptions, SeedOptions):
    """How many captions of a sample are made anew, to see how far they agree with the first ones."""

    repeat: int = option(1, "Captions made of each image of a sample.", "N", ge=1, le=20)
    repeat_sample: int = option(100, "Images in that sample.", "M", ge=1)


class CompareOptions(Options):
    """How prompts are compared."""

    sample: int = option(200, "Images that every prompt captions.", "N", ge=30)


class ModelOptions(SeedOptions):
    """Which model stands at the top of the ladder."""

    model: str = option("minilm", "minilm, bert:DIR, frozen or tfidf.", "SPEC")
    metric_kind: Literal["real", "positive", "rate", "count", "binary"] | None = option(
        None, "What kind of number the metric is; guessed by default.", "KIND"
    )
    loss: Literal["squared", "huber"] = option("squared", "Of fine-tuning a real or positive metric.", "squared|huber")
    seeds: int = option(1, "Average so many fine-tunings that differ by their seed.", ge=1, le=50)
    layer_decay: float = option(1.0, "How much slower each lower layer learns, as a factor.", gt=0, le=1)
    tune: int = option(0, "Try so many settings of the fine-tuning inside every fold.", "N", ge=0, le=1000)
    fit_workers: int | None = option(None, "Folds fine-tuned side by side, at most.", "N", ge=1, stored=False)
    image_rung: str | None = option(None, "A vision encoder, to see what captions lose.", "hf:REPO|DIR")


Tracker: TypeAlias = Literal["tensorboard", "mlflow", "trackio", "wandb"]


class TrackOptions(Options):
    """Where the curves of a fit are logged besides."""

    track: Tracker | None = option(
        None, "Log the fit's curves for an experiment tracker, on this machine.", "NAME", stored=False
    )


class RecipeOptions(Options):
    """Whether one fold is also trained the article's way, and which of its faults are repaired."""

    recipe: Literal["yoin", "article"] = option(
        "yoin", "article: also train one fold the article's way, to compare.", "yoin|article", stored=False
    )
    recipe_fold: int = option(0, "The fold of five that judges the article's way.", ge=0, le=4, stored=False)
    recipe_mask: bool = option(False, "Repaired: its padding is not read as text.", stored=False)
    recipe_half: bool = option(False, "In half precision (fp16).", stored=False)
    recipe_last_epoch: bool = option(
        False, "Repaired: its last epoch counts, not the best one on the judging fold.", stored=False
    )


class FitOptions(ModelOptions):
    """How it is trained and judged."""

    folds: Annotated[int, Field(ge=2)] = 5
    max_epochs: Annotated[int, Field(ge=1)] = 5
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    batch_size: Annotated[int, Field(ge=1)] = 32
    max_tokens: Annotated[int, Field(ge=8)] = 512
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    permutations: Annotated[int, Field(ge=19)] = 199


class ExplainOptions(SeedOptions):
    """How many captions are explained, and how closely."""

    explain: Annotated[int, Field(ge=0)] | Literal["all"] = option(200, "How many captions to explain.", "N|all")
    budget: int | None = option(None, "Most model calls a caption; else five for each of its phrases.", "N", ge=16)
    tolerance: float = option(0.0, "Stop once errors are below this share of the largest value.", ge=0)
    mask: Literal["remove", "token"] = option("remove", "What becomes of words left out.", "remove|token")
    interactions: int = option(20, "For how many of them pairs of phrases are valued.", "N", ge=0)
    sanity: bool = option(False, "Compare with a model that learned from a shuffled metric.", stored=False)


class DriverOptions(SeedOptions):
    """What counts as a concept with enough support, and as significant."""

    min_rows: Annotated[int, Field(ge=2)] = 20
    min_groups: Annotated[int, Field(ge=2)] = 5
    max_concepts: Annotated[int, Field(ge=1)] = 300
    merge_similarity: Annotated[float, Field(ge=0, le=1)] = 0.85


class AuditOptions(Options):
    """Which mentions of people are set apart."""

    audit_words: Path | None = option(None, "Words about people, added to the built-in ones.", "FILE")


class ConceptOptions(Options):
    """What people say: which concepts count, and which images show them."""

    concepts: str | None = option(None, "Your own concepts, not those found; +FILE: beside them.", "[+]FILE")
    labels: Path | None = option(None, "What people saw: a sheet of yoin label, filled in.", "FILE")


class LabelOptions(SeedOptions):
    """How large the sheet for people is."""

    images: int = option(100, "Images to look at.", "N", ge=20)
    top: int = option(10, "Concepts to look for: the first ones of the driver table.", "K", ge=1, le=100)


class ReportOptions(Options):
    """How much the report shows."""

    title: str = ""
    images_per_driver: Annotated[int, Field(ge=0)] = 6


class Spec(Options):
    """A captioner or model: ``name[:model][@base_url]``."""

    name: str
    model: str = ""
    base_url: str = ""

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Split ``text`` at the first ``:`` and the last ``@http``.

        >>> Spec.parse("openai:qwen3-vl:4b@http://127.0.0.1:8000/v1")
        Spec(name='openai', model='qwen3-vl:4b', base_url='http://127.0.0.1:8000/v1')
        """
        at = [match.start() for match in re.finditer(r"@https?://", text)]
        head, base_url = (text[: at[-1]], text[at[-1] + 1 :]) if at else (text, "")
        name, _, model = head.partition(":")
        return cls(name=name.strip(), model=model.strip(), base_url=base_url.strip())


class RunOptions(
    TableOptions, FetchOptions, RepeatOptions, ModelOptions, TrackOptions, RecipeOptions, ExplainOptions, AuditOptions,
    ConceptOptions,
):  # fmt: skip
    """Everything ``yoin run`` was asked for, as stored in ``study.json``; each stage takes its part."""

    @property
    def captioned(self) -> bool:
        """Whether captions are given, so that nothing is captioned."""
        return self.caption is not None or self.captions is not None

    def for_table(self) -> TableOptions:
        """The table stage's part."""
        return TableOptions(**self._part(TableOptions))

    def for_media(self) -> MediaOptions:
        """The fetch stage's part."""
        return MediaOptions(base=self.table.parent, **self._part(FetchOptions))

    def for_captions(self) -> CaptionOptions:
        """The caption stage's part."""
        return CaptionOptions(**self._part(CaptionOptions))

    def for_repeats(self) -> RepeatOptions:
        """The repeat stage's part."""
        return RepeatOptions(**self._part(RepeatOptions))

    def for_fit(self) -> FitOptions:
        """The fit stage's part."""
        return FitOptions(**self._part(ModelOptions))

    def for_recipe(self) -> RecipeOptions:
        """What of the fit stage is only compared with."""
        return RecipeOptions(**self._part(RecipeOptions))

    def for_explain(self) -> ExplainOptions:
        """The explain stage's part."""
        return ExplainOptions(**self._part(ExplainOptions))

    def for_drivers(self) -> DriverOptions:
        """The drivers stage's part."""
        return DriverOptions(**self._part(SeedOptions))

    def for_report(self) -> ReportOptions:
        """The report stage's part."""
        return ReportOptions()

    def _part(self, record: type[Options]) -> dict[str, Any]:
        return {name: getattr(self, name) for name in record.model_fields}
