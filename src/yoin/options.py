"""One frozen, keyword-only record of options a stage; no I/O."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """The base of every options record."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class TableOptions(Options):
    """Which file and which of its columns."""

    path: Path
    metric: str
    image: str | None = None
    caption: str | None = None
    features: tuple[str, ...] = ()
    group: str | None = None
    weight: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    sheet: str | None = None


class MediaOptions(Options):
    """Where images may come from, and how large they may be."""

    base: Path  # relative image paths start here: the table's folder
    allow_anywhere: bool = False
    allow_private: bool = False
    max_pixels: Annotated[int, Field(ge=1)] = 100_000_000
    max_bytes: Annotated[int, Field(ge=1)] = 200_000_000
    connections: Annotated[int, Field(ge=1, le=1000)] = 32  # requests at the same time, over all hosts
    per_host: Annotated[int, Field(ge=1, le=1000)] = 8  # and to one host
    connect_timeout: Annotated[float, Field(gt=0)] = 10.0  # seconds
    read_timeout: Annotated[float, Field(gt=0)] = 20.0  # seconds without a byte, whole ones, at least 1
    timeout: Annotated[float, Field(gt=0)] = 60.0  # seconds for the whole of one attempt
    retries: Annotated[int, Field(ge=0, le=20)] = 3  # of what can pass
    backoff: Annotated[float, Field(ge=0)] = 0.5  # seconds before the first retry, doubled with each
    longest_side: Annotated[int, Field(ge=32)] | None = None  # pixels, of the copy that captioners see
    frames: Annotated[int, Field(ge=1, le=64)] = 6  # sampled from a video
    refresh: bool = Field(default=False, exclude=True)  # ask again for what is there; a wish of one run
    seed: int = 42  # of the frames; not the study's, so that another one there costs no new captions


class CaptionOptions(Options):
    """Which captioner, and how many at a time."""

    captioner: str = "describe"
    workers: Annotated[int, Field(ge=1)] | None = None  # calls at the same time, at most
    longest_side: Annotated[int, Field(ge=32)] | None = None
    frames: Annotated[int, Field(ge=1, le=64)] = 6
    prompt: str = "general"  # a built-in one's name, or a text file
    lang: Literal["en", "ja"] = "en"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    thinking: str | None = None  # how much a model thinks first, in its own words
    media_resolution: Literal["low", "medium", "high"] | None = None
    call_timeout: Annotated[float, Field(gt=0)] = 120.0  # seconds a call may take
    call_retries: Annotated[int, Field(ge=0, le=20)] = 5
    rpm: Annotated[float, Field(gt=0)] | None = None  # requests a minute that the quota allows
    tpm: Annotated[float, Field(gt=0)] | None = None  # tokens a minute
    rpd: Annotated[float, Field(gt=0)] | None = None  # requests a day
    max_cost: Annotated[float, Field(ge=0)] | None = None  # US dollars
    project: str | None = None
    location: str | None = None
    ask: bool = Field(default=False, exclude=True)  # stop before calls that cost money; a wish of one run


class FitOptions(Options):
    """The model at the top of the ladder, and how it is trained and judged."""

    model: str = "minilm"
    folds: Annotated[int, Field(ge=2)] = 5
    seed: int = 42
    max_epochs: Annotated[int, Field(ge=1)] = 5
    learning_rate: Annotated[float, Field(gt=0)] = 5e-5
    batch_size: Annotated[int, Field(ge=1)] = 32
    max_tokens: Annotated[int, Field(ge=8)] = 512
    bootstrap: Annotated[int, Field(ge=100)] = 2000
    permutations: Annotated[int, Field(ge=19)] = 199


class ExplainOptions(Options):
    """How many captions are explained, and how many model calls each may take."""

    explain: Annotated[int, Field(ge=0)] | Literal["all"] = 200
    budget: Annotated[int, Field(ge=16)] = 256
    seed: int = 42


class DriverOptions(Options):
    """What counts as a concept with enough support, and as significant."""

    min_rows: Annotated[int, Field(ge=2)] = 20
    min_groups: Annotated[int, Field(ge=2)] = 5
    max_concepts: Annotated[int, Field(ge=1)] = 300
    merge_similarity: Annotated[float, Field(ge=0, le=1)] = 0.85
    seed: int = 42


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


class RunOptions(Options):
    """Everything ``yoin run`` was asked for, as stored in ``study.json``; each stage takes its part."""

    table: Path
    metric: str
    image: str | None = None
    caption: str | None = None
    features: tuple[str, ...] = ()
    group: str | None = None
    weight: str | None = None
    sheet: str | None = None
    limit: Annotated[int, Field(ge=1)] | None = None
    allow_anywhere: bool = False
    allow_private: bool = False
    connections: Annotated[int, Field(ge=1, le=1000)] = 32
    per_host: Annotated[int, Field(ge=1, le=1000)] = 8
    timeout: Annotated[float, Field(gt=0)] = 60.0
    retries: Annotated[int, Field(ge=0, le=20)] = 3
    max_bytes: Annotated[int, Field(ge=1)] = 200_000_000
    longest_side: Annotated[int, Field(ge=32)] | None = None
    frames: Annotated[int, Field(ge=1, le=64)] = 6
    refresh: bool = Field(default=False, exclude=True)
    captioner: str = "describe"
    workers: Annotated[int, Field(ge=1)] | None = None
    prompt: str = "general"
    lang: Literal["en", "ja"] = "en"
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    thinking: str | None = None
    media_resolution: Literal["low", "medium", "high"] | None = None
    call_timeout: Annotated[float, Field(gt=0)] = 120.0
    call_retries: Annotated[int, Field(ge=0, le=20)] = 5
    rpm: Annotated[float, Field(gt=0)] | None = None
    tpm: Annotated[float, Field(gt=0)] | None = None
    rpd: Annotated[float, Field(gt=0)] | None = None
    max_cost: Annotated[float, Field(ge=0)] | None = None
    project: str | None = None
    location: str | None = None
    ask: bool = Field(default=False, exclude=True)
    model: str = "minilm"
    explain: Annotated[int, Field(ge=0)] | Literal["all"] = 200
    seed: Annotated[int, Field(ge=0)] = 42

    def for_table(self) -> TableOptions:
        """The table stage's part."""
        return TableOptions(
            path=self.table,
            metric=self.metric,
            image=self.image,
            caption=self.caption,
            features=self.features,
            group=self.group,
            weight=self.weight,
            limit=self.limit,
            sheet=self.sheet,
        )

    def for_media(self) -> MediaOptions:
        """The fetch stage's part."""
        return MediaOptions(
            base=self.table.parent,
            allow_anywhere=self.allow_anywhere,
            allow_private=self.allow_private,
            connections=self.connections,
            per_host=self.per_host,
            timeout=self.timeout,
            retries=self.retries,
            max_bytes=self.max_bytes,
            longest_side=self.longest_side,
            frames=self.frames,
            refresh=self.refresh,
        )

    def for_captions(self) -> CaptionOptions:
        """The caption stage's part."""
        return CaptionOptions(**{name: getattr(self, name) for name in CaptionOptions.model_fields})

    def for_fit(self) -> FitOptions:
        """The fit stage's part."""
        return FitOptions(model=self.model, seed=self.seed)

    def for_explain(self) -> ExplainOptions:
        """The explain stage's part."""
        return ExplainOptions(explain=self.explain, seed=self.seed)

    def for_drivers(self) -> DriverOptions:
        """The drivers stage's part."""
        return DriverOptions(seed=self.seed)

    def for_report(self) -> ReportOptions:
        """The report stage's part."""
        return ReportOptions()
