"""The command line: parse, call, print; no logic."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from yoin import __version__, pipeline, terminal
from yoin.compare import Comparison, built_in, compare_prompts
from yoin.doctor import examine
from yoin.errors import ConsentError, YoinError
from yoin.estimate import estimate as forecast
from yoin.flags import takes
from yoin.label import make_sheet
from yoin.options import (
    AuditOptions,
    CaptionOptions,
    CompareOptions,
    ConceptOptions,
    ExplainOptions,
    FetchOptions,
    LabelOptions,
    ModelOptions,
    RecipeOptions,
    RepeatOptions,
    TableOptions,
    TrackOptions,
)
from yoin.picture import Wanted, save_picture
from yoin.preview import preview
from yoin.score import Scores, score_new
from yoin.study import Study

Done = TypeVar("Done")
app = typer.Typer(
    name="yoin",
    help="From a table of images and a metric to the visual elements that move the metric.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
JsonFlag = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a captioner that costs money.")]
StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="A study folder.")]
TableArgument = Annotated[Path, typer.Argument(metavar="TABLE", help="CSV, TSV, Parquet, JSON lines or Excel.")]
OutOption = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The study folder.")]


@app.command()
@takes(
    TableOptions, FetchOptions, RepeatOptions, ModelOptions, TrackOptions, RecipeOptions, ExplainOptions, AuditOptions,
    ConceptOptions,
)  # fmt: skip
def run(
    table: TableArgument,
    *,
    folder: OutOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what was read, and stop.")] = False,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
    **given: Any,
) -> None:
    """From a table to a report; a second run does only what is not done."""
    if dry_run:
        terminal.show_preview(preview(table, **given), as_json)
        return

    def go(ask: bool) -> Study:
        with terminal.shown_progress(quiet) as progress:
            return pipeline.run(table, out=folder, progress=progress, ask=ask, **given)

    terminal.show_study(_with_consent(go, yes), as_json)


@app.command()
@takes(
    TableOptions, FetchOptions, RepeatOptions, ModelOptions, TrackOptions, RecipeOptions, ExplainOptions, AuditOptions,
    ConceptOptions,
    without=("caption",),
)  # fmt: skip
def estimate(table: TableArgument, *, folder: OutOption = None, as_json: JsonFlag = False, **given: Any) -> None:
    """What captioning a table would take: calls, tokens, cost and time; nothing is asked. Takes the options of run."""
    terminal.show_forecast(forecast(table, out=folder, **given), as_json)


@app.command()
@takes(FetchOptions)
def fetch(study: StudyArgument, *, as_json: JsonFlag = False, quiet: QuietFlag = False, **given: Any) -> None:
    """Collect the images and videos of a study."""
    _do_stage(study, "fetch", as_json, quiet, **given)


@app.command()
@takes(RepeatOptions, without=("longest_side", "frames", "seed"))
def caption(
    study: StudyArgument, *, yes: YesFlag = False, as_json: JsonFlag = False, quiet: QuietFlag = False, **given: Any
) -> None:
    """Caption the images of a study."""
    _do_stage(study, "caption", as_json, quiet, yes, **given)


@app.command()
@takes(ModelOptions, TrackOptions, RecipeOptions)
def fit(study: StudyArgument, *, as_json: JsonFlag = False, quiet: QuietFlag = False, **given: Any) -> None:
    """Fit the ladder of models of a study."""
    _do_stage(study, "fit", as_json, quiet, **given)


@app.command()
@takes(ExplainOptions, without=("seed",))
def explain(
    study: StudyArgument,
    *,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Save the captions in red and blue: .html or .png.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option("--rows", metavar="N,N", help="Which rows of the table to save, not all explained.")
    ] = None,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
    **given: Any,
) -> None:
    """Explain the predictions of a study."""
    wanted = Wanted.of(save, rows)
    _do_stage(study, "explain", as_json, quiet, **given)
    if wanted:
        terminal.show_picture(save_picture(Study(study), wanted), wanted, as_json)


@app.command()
@takes(ConceptOptions)
def drivers(study: StudyArgument, *, as_json: JsonFlag = False, quiet: QuietFlag = False, **given: Any) -> None:
    """Estimate the drivers of a study."""
    _do_stage(study, "drivers", as_json, quiet, **given)


@app.command()
def report(study: StudyArgument, as_json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Write summary.json and report.html again from what is stored."""
    _do_stage(study, "report", as_json, quiet)


CaptionsFile = Annotated[Path, typer.Argument(metavar="FILE", help="A Parquet file.")]


@app.command("export")
def export_captions(study: StudyArgument, file: CaptionsFile) -> None:
    """Write every caption that the ledger of a study holds to a Parquet file."""
    terminal.out.print(f"{pipeline.export_captions(study, file):,} captions written to {file}", markup=False)


@app.command("import")
def import_captions(study: StudyArgument, file: CaptionsFile) -> None:
    """Take over the captions of a file that export wrote: what was paid for there costs nothing here."""
    terminal.out.print(f"{pipeline.import_captions(study, file):,} captions taken over from {file}", markup=False)


def _do_stage(study: Path, stage: str, as_json: bool, quiet: bool, yes: bool = True, **changes: object) -> None:
    def go(ask: bool) -> Study:
        with terminal.shown_progress(quiet) as progress:
            return pipeline.run_stage(study, stage, progress=progress, ask=ask, **changes)

    terminal.show_stage(_with_consent(go, yes), stage, as_json)


def _with_consent(go: Callable[[bool], Done], yes: bool) -> Done:
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
@takes(CompareOptions, CaptionOptions, without=("longest_side", "frames", "prompt"))
def prompts(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[compare] [STUDY] [PROMPT]…", help="A study, and the prompts; all built-in ones without."
        ),
    ] = None,
    *,
    yes: YesFlag = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
    **given: Any,
) -> None:
    """Find the prompt whose captions say most about the metric; without a study, list the built-in prompts."""
    named = words[1:] if words and words[0] == "compare" else words  # "compare" may be said or left out
    if not named:
        terminal.show_prompts(built_in(given.get("lang", "en")), as_json)
        return
    study, *chosen = named

    def go(ask: bool) -> Comparison:
        with terminal.shown_progress(quiet) as progress:
            return compare_prompts(study, chosen, ask=ask, progress=progress, **given)

    terminal.show_comparison(_with_consent(go, yes), as_json)


@app.command()
def score(
    study: StudyArgument,
    path: Annotated[Path, typer.Argument(metavar="IMAGE|TABLE", help="An image, a video, or a table of such.")],
    yes: YesFlag = False,
    as_json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Caption what is new, predict its metric with an interval, and explain the prediction."""

    def go(ask: bool) -> Scores:
        with terminal.shown_progress(quiet) as progress:
            return score_new(study, path, ask=ask, progress=progress)

    terminal.show_scores(_with_consent(go, yes), as_json)


@app.command()
@takes(LabelOptions)
def label(
    study: StudyArgument,
    *,
    file: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The sheet; a CSV file.")] = None,
    captions: Annotated[bool, typer.Option("--captions", help="Show the captions: people then see with them.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Also over a sheet that is filled in.")] = False,
    as_json: JsonFlag = False,
    **given: Any,
) -> None:
    """Write a sheet on which people say which images show which concepts; give it to run or drivers as --labels."""
    made = make_sheet(study, out=file, captions=captions, overwrite=overwrite, **given)
    terminal.show_sheet(made, study, as_json)


@app.command()
def brief(
    study: StudyArgument,
    llm: Annotated[bool, typer.Option("--llm", help="Also in the words of the captioner's model: one call.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a creative brief and prompts for text-to-image models from the drivers of a study."""
    from yoin.brief import make_brief  # it brings the statistics with it: no other command waits for them

    terminal.show_brief(make_brief(study, llm=llm), as_json)


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
