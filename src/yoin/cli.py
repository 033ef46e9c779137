"""The command line: parse, call, print; no logic."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from yoin import __version__, pipeline, terminal
from yoin.doctor import examine
from yoin.errors import ConsentError, UsageError, YoinError
from yoin.estimate import estimate as forecast
from yoin.study import Study

app = typer.Typer(
    name="yoin",
    help="From a table of images and a metric to the visual elements that move the metric.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Text = str | None
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a captioner that costs money.")]
StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="A study folder.")]
CaptionerOption = Annotated[Text, typer.Option("--captioner", metavar="SPEC", help="name[:model][@base_url]")]
WorkersOption = Annotated[int | None, typer.Option("--workers", help="Captions made at the same time.")]
PromptOption = Annotated[Text, typer.Option("--prompt", metavar="NAME|FILE", help="What a model is asked.")]
LangOption = Annotated[Text, typer.Option("--lang", metavar="en|ja", help="Language of the captions.")]
TemperatureOption = Annotated[float | None, typer.Option("--temperature", help="The model's own by default.")]
TopPOption = Annotated[float | None, typer.Option("--top-p", help="The model's own by default.")]
OutputOption = Annotated[int | None, typer.Option("--max-output-tokens", help="The longest answer.")]
ThinkingOption = Annotated[Text, typer.Option("--thinking", metavar="LEVEL", help="How much a model thinks first.")]
ResolutionOption = Annotated[
    Text, typer.Option("--media-resolution", metavar="low|medium|high", help="How closely a model looks.")
]
CallTimeoutOption = Annotated[float | None, typer.Option("--call-timeout", help="Seconds that one call may take.")]
CallRetriesOption = Annotated[int | None, typer.Option("--call-retries", help="Further attempts at a call.")]
RpmOption = Annotated[float | None, typer.Option("--rpm", help="Requests a minute that the quota allows.")]
TpmOption = Annotated[float | None, typer.Option("--tpm", help="Tokens a minute that the quota allows.")]
RpdOption = Annotated[float | None, typer.Option("--rpd", help="Requests a day that the quota allows.")]
MaxCostOption = Annotated[float | None, typer.Option("--max-cost", metavar="USD", help="Stop before it costs more.")]
ProjectOption = Annotated[Text, typer.Option("--project", help="Of Vertex AI.")]
LocationOption = Annotated[Text, typer.Option("--location", help="Of Vertex AI.")]
ModelOption = Annotated[Text, typer.Option("--model", metavar="SPEC", help="minilm, bert:DIR, frozen or tfidf.")]
ExplainOption = Annotated[Text, typer.Option("--explain", metavar="N|all", help="How many captions to explain.")]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Seed of everything random.")]
AnywhereFlag = Annotated[
    bool | None, typer.Option("--allow-anywhere", help="Let images lie outside the table's folder.")
]
PrivateFlag = Annotated[bool | None, typer.Option("--allow-private", help="Let URLs lead to private addresses.")]
ConnectionsOption = Annotated[int | None, typer.Option("--connections", help="Requests at the same time.")]
PerHostOption = Annotated[int | None, typer.Option("--per-host", help="Requests at the same time to one host.")]
TimeoutOption = Annotated[float | None, typer.Option("--timeout", help="Seconds that one request may take.")]
RetriesOption = Annotated[int | None, typer.Option("--retries", help="Further requests after a passing failure.")]
MaxBytesOption = Annotated[int | None, typer.Option("--max-bytes", help="Of an image or a video.")]
LongestSideOption = Annotated[
    int | None, typer.Option("--longest-side", metavar="PIXELS", help="Scale what the captioner sees down to this.")
]
FramesOption = Annotated[int | None, typer.Option("--frames", help="How many frames of a video are looked at.")]
RefreshFlag = Annotated[bool, typer.Option("--refresh", help="Ask whether images that are there have changed.")]


@app.command()
def run(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV, TSV, Parquet, JSON lines or Excel.")],
    metric: Annotated[str, typer.Option("--metric", metavar="COL", help="The number to explain.")],
    image: Annotated[Text, typer.Option("--image", metavar="COL", help="Paths beside the table, or URLs.")] = None,
    caption: Annotated[Text, typer.Option("--caption", metavar="COL", help="Captions that are there already.")] = None,
    features: Annotated[Text, typer.Option("--features", metavar="A,B", help="Columns to adjust for.")] = None,
    group: Annotated[Text, typer.Option("--group", metavar="COL", help="Rows that belong together.")] = None,
    weight: Annotated[Text, typer.Option("--weight", metavar="COL", help="Positive weights.")] = None,
    captioner: CaptionerOption = None,
    model: ModelOption = None,
    explain: ExplainOption = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Use the first N rows.")] = None,
    seed: SeedOption = None,
    folder: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The study folder.")] = None,
    sheet: Annotated[Text, typer.Option("--sheet", help="The sheet of an Excel file.")] = None,
    allow_anywhere: AnywhereFlag = None,
    allow_private: PrivateFlag = None,
    connections: ConnectionsOption = None,
    per_host: PerHostOption = None,
    timeout: TimeoutOption = None,
    retries: RetriesOption = None,
    max_bytes: MaxBytesOption = None,
    longest_side: LongestSideOption = None,
    frames: FramesOption = None,
    refresh: RefreshFlag = False,
    workers: WorkersOption = None,
    prompt: PromptOption = None,
    lang: LangOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_output_tokens: OutputOption = None,
    thinking: ThinkingOption = None,
    media_resolution: ResolutionOption = None,
    call_timeout: CallTimeoutOption = None,
    call_retries: CallRetriesOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    rpd: RpdOption = None,
    max_cost: MaxCostOption = None,
    project: ProjectOption = None,
    location: LocationOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what was read, and stop.")] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """From a table to a report; a second run does only what is not done."""
    given = _given(
        metric=metric,
        image=image,
        caption=caption,
        features=_names(features),
        group=group,
        weight=weight,
        captioner=captioner,
        model=model,
        explain=_count(explain),
        limit=limit,
        seed=seed,
        sheet=sheet,
        allow_anywhere=allow_anywhere,
        allow_private=allow_private,
        connections=connections,
        per_host=per_host,
        timeout=timeout,
        retries=retries,
        max_bytes=max_bytes,
        longest_side=longest_side,
        frames=frames,
        refresh=refresh,
        workers=workers,
        prompt=prompt,
        lang=lang,
        temperature=temperature,
        top_p=top_p,
        max_output_tokens=max_output_tokens,
        thinking=thinking,
        media_resolution=media_resolution,
        call_timeout=call_timeout,
        call_retries=call_retries,
        rpm=rpm,
        tpm=tpm,
        rpd=rpd,
        max_cost=max_cost,
        project=project,
        location=location,
    )
    if dry_run:
        terminal.show_preview(pipeline.preview(table, **given), as_json)
        return

    def go(ask: bool) -> Study:
        with terminal.shown_progress(quiet) as progress:
            return pipeline.run(table, out=folder, progress=progress, ask=ask, **given)

    terminal.show_study(_with_consent(go, yes), as_json)


@app.command()
def estimate(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="CSV, TSV, Parquet, JSON lines or Excel.")],
    metric: Annotated[str, typer.Option("--metric", metavar="COL", help="The number to explain.")],
    image: Annotated[Text, typer.Option("--image", metavar="COL", help="Paths beside the table, or URLs.")] = None,
    captioner: CaptionerOption = None,
    prompt: PromptOption = None,
    lang: LangOption = None,
    media_resolution: ResolutionOption = None,
    rpm: RpmOption = None,
    limit: Annotated[int | None, typer.Option("--limit", metavar="N", help="Use the first N rows.")] = None,
    folder: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The study folder.")] = None,
    sheet: Annotated[Text, typer.Option("--sheet", help="The sheet of an Excel file.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """What captioning a table would take: calls, tokens, cost and time; nothing is asked."""
    given = _given(
        metric=metric,
        image=image,
        captioner=captioner,
        prompt=prompt,
        lang=lang,
        media_resolution=media_resolution,
        rpm=rpm,
        limit=limit,
        sheet=sheet,
    )
    terminal.show_forecast(forecast(table, out=folder, **given), as_json)


@app.command()
def fetch(
    study: StudyArgument,
    allow_anywhere: AnywhereFlag = None,
    allow_private: PrivateFlag = None,
    connections: ConnectionsOption = None,
    per_host: PerHostOption = None,
    timeout: TimeoutOption = None,
    retries: RetriesOption = None,
    max_bytes: MaxBytesOption = None,
    longest_side: LongestSideOption = None,
    frames: FramesOption = None,
    refresh: RefreshFlag = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Collect the images and videos of a study."""
    _do_stage(
        study,
        "fetch",
        as_json,
        quiet,
        allow_anywhere=allow_anywhere,
        allow_private=allow_private,
        connections=connections,
        per_host=per_host,
        timeout=timeout,
        retries=retries,
        max_bytes=max_bytes,
        longest_side=longest_side,
        frames=frames,
        refresh=refresh,
    )


@app.command()
def caption(
    study: StudyArgument,
    captioner: CaptionerOption = None,
    workers: WorkersOption = None,
    prompt: PromptOption = None,
    lang: LangOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    max_output_tokens: OutputOption = None,
    thinking: ThinkingOption = None,
    media_resolution: ResolutionOption = None,
    call_timeout: CallTimeoutOption = None,
    call_retries: CallRetriesOption = None,
    rpm: RpmOption = None,
    tpm: TpmOption = None,
    rpd: RpdOption = None,
    max_cost: MaxCostOption = None,
    project: ProjectOption = None,
    location: LocationOption = None,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Caption the images of a study."""
    _do_stage(
        study,
        "caption",
        as_json,
        quiet,
        yes,
        captioner=captioner,
        workers=workers,
        prompt=prompt,
        lang=lang,
        temperature=temperature,
        top_p=top_p,
        max_output_tokens=max_output_tokens,
        thinking=thinking,
        media_resolution=media_resolution,
        call_timeout=call_timeout,
        call_retries=call_retries,
        rpm=rpm,
        tpm=tpm,
        rpd=rpd,
        max_cost=max_cost,
        project=project,
        location=location,
    )


@app.command()
def fit(
    study: StudyArgument,
    model: ModelOption = None,
    seed: SeedOption = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Fit the ladder of models of a study."""
    _do_stage(study, "fit", as_json, quiet, model=model, seed=seed)


@app.command()
def explain(
    study: StudyArgument,
    explain: ExplainOption = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Explain the predictions of a study."""
    _do_stage(study, "explain", as_json, quiet, explain=_count(explain))


@app.command()
def drivers(study: StudyArgument, as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Estimate the drivers of a study."""
    _do_stage(study, "drivers", as_json, quiet)


@app.command()
def report(study: StudyArgument, as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Write summary.json and report.html again from what is stored."""
    _do_stage(study, "report", as_json, quiet)


def _do_stage(study: Path, stage: str, as_json: bool, quiet: bool, yes: bool = True, **changes: object) -> None:
    def go(ask: bool) -> Study:
        with terminal.shown_progress(quiet) as progress:
            return pipeline.run_stage(study, stage, progress=progress, ask=ask, **_given(**changes))

    terminal.show_stage(_with_consent(go, yes), stage, as_json)


def _with_consent(go: Callable[[bool], Study], yes: bool) -> Study:
    """Do it, and where it would cost money ask first; without a terminal only ``--yes`` is consent."""
    try:
        return go(not yes)
    except ConsentError as error:
        if not (
            sys.stdin.isatty() and terminal.err.is_terminal and typer.confirm(f"{error.problem}. Go on?", err=True)
        ):
            raise
        return go(False)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--out", metavar="DIR", help="The study folder.")] = Path("demo.yoin"),
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Draw posters with a known truth, analyse them, and print planted against recovered."""
    with terminal.shown_progress(quiet) as progress:
        study, recovery = pipeline.demo(folder, progress=progress)
    terminal.show_recovery(study, recovery, as_json)


@app.command()
def doctor(as_json: JsonFlag = False) -> None:
    """What is installed, and which captioners and models are usable and why not."""
    terminal.show_examination(examine(), as_json)


@app.callback(invoke_without_command=True)
def _top(version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    if version:
        terminal.out.print(f"yoin {__version__}")
        raise typer.Exit


def main() -> NoReturn:
    """Run the command line; every end has the exit code that the documentation names."""
    try:
        app()
    except YoinError as error:
        terminal.err.print(f"yoin: {error}", markup=False)
        sys.exit(error.exit_code)
    except Exception as error:  # noqa: BLE001 - the last resort: no traceback reaches a user, none is lost
        with tempfile.NamedTemporaryFile("w", suffix=".txt", prefix="yoin-", delete=False, encoding="utf-8") as file:
            traceback.print_exc(file=file)
        terminal.err.print(
            f"yoin: this should not happen: {type(error).__name__}; details are in {file.name}", markup=False
        )
        sys.exit(1)
    sys.exit(0)


def _given(**options: object) -> dict[str, Any]:
    """Those options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _names(text: Text) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _count(text: Text) -> int | str | None:
    if text is None or text == "all":
        return text
    if not text.isdecimal():
        raise UsageError(f"--explain cannot be {text!r}", stage="options", remedy="give a whole number or all")
    return int(text)
