"""What the command line shows: progress, previews and results."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from yoin.amounts import dollars
from yoin.own import CORRECTED
from yoin.pipeline import StageProgress, silent
from yoin.preview import Preview

if TYPE_CHECKING:
    from yoin.brief import Brief
    from yoin.compare import Comparison
    from yoin.demo import Recovery
    from yoin.estimate import Forecast
    from yoin.label import Sheet
    from yoin.picture import Wanted
    from yoin.score import Scores
    from yoin.study import Study

out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 140)
err = Console(stderr=True, soft_wrap=True, highlight=False)


@contextmanager
def shown_progress(quiet: bool) -> Iterator[StageProgress]:
    """A progress bar a stage with rate and time left; nothing where the error output is not a terminal."""
    if quiet or not err.is_terminal:
        yield silent
        return
    columns = (
        TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, console=err) as bars:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int, note: str) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=total, rate="", note="")
            task = bars.tasks[tasks[stage]]
            rate = f"{done / task.elapsed:.1f}/s" if task.elapsed else ""
            bars.update(tasks[stage], completed=done, total=total, rate=rate, note=escape(note))

        yield show


_COLORS = {"signal": "green", "weak": "yellow", "none": "red"}


def show_stage(study: Study, stage: str, as_json: bool) -> None:
    """Print whether one stage had work to do, and what it noted."""
    facts = study.facts(stage)
    if as_json:
        out.print_json(json.dumps({"study": str(study.folder), "ran": list(study.ran), "facts": dict(facts)}))
        return
    state = "done" if study.ran else "up to date, nothing to do"
    out.print(f"{stage}: {state} ({study.folder})", markup=False)
    if stage == "fetch":
        reasons = ", ".join(f"{rows:,} {reason.replace('_', ' ')}" for reason, rows in facts["failed"].items())
        out.print(f"{facts['distinct']:,} different images and videos; rows without one: {reasons or 'none'}")
    if stage == "fit" and facts.get("recipe"):
        told = facts["recipe"]
        out.print(
            f"On the {told['rows']:,} rows of fold {told['fold'] + 1}: R² {told['r2']:.3f} the article's way,"
            f" {told['ours_r2']:.3f} here; difference {told['gain']:.3f}"
            f" ({told['gain_low']:.3f} to {told['gain_high']:.3f}).",
            markup=False,
        )
    if stage == "drivers" and study.options.labels:
        out.print(f"Corrected by what people saw: {study.folder / CORRECTED[0]}", markup=False)
    if stage == "explain" and facts.get("sanity"):
        sanity = facts["sanity"]
        told = "differently, as it should" if sanity["passed"] else "much the same: do not believe these explanations"
        alike = f"correlation {sanity['correlation']:.2f} over {sanity['captions']:,} captions"
        out.print(f"A model that learned from a shuffled metric explains {told} ({alike}).")


def show_picture(captions: int, wanted: Wanted, as_json: bool) -> None:
    """Print where the picture is; beside JSON on the error stream."""
    told = f"{captions:,} explained caption{'' if captions == 1 else 's'} saved to {wanted.path}"
    (err if as_json else out).print(told, markup=False)


def show_study(study: Study, as_json: bool) -> None:
    """Print the verdict, the ladder and where the report is."""
    summary = study.summary
    if as_json:
        sys.stdout.write(summary.to_json())
        return
    if not study.ran:
        out.print("Everything is up to date: nothing to do.")
    verdict = summary.signal.verdict
    out.print(f"[bold {_COLORS[verdict]}]Verdict: {verdict}.[/] {escape(summary.signal.reason)}")
    dropped = sum(summary.rows.dropped.values())
    reasons = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in summary.rows.dropped.items() if n)
    out.print(f"{summary.rows.used} of {summary.rows.read} rows used" + (f"; dropped: {reasons}" if dropped else ""))
    out.print(f"the metric is of the kind {summary.metric_kind}", markup=False)
    for leak in summary.leaks:
        out.print(f"Warning, row {leak.row_id + 1}: {leak.sentence}", markup=False)
    ladder = Table("model", "RMSE", "R²", "95% interval", "Spearman", box=None, pad_edge=False)
    for model in summary.models:
        ladder.add_row(
            model.name, _number(model.rmse), _number(model.r2), f"{_number(model.r2_low)} to {_number(model.r2_high)}",
            _number(model.spearman),
        )  # fmt: skip
    out.print(ladder)
    out.print(f"{summary.drivers.significant} of {summary.drivers.tested} concepts tested are drivers (q < 0.05)")
    out.print(f"Report: {study.report}", markup=False)


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def show_preview(preview: Preview, as_json: bool) -> None:
    """Print each column's kind, range and blanks, and the first rows with thumbnails where there are colors."""
    table = preview.table
    if as_json:
        reasons = [picture if isinstance(picture, str) else "ok" for picture in preview.images]
        shown = {
            "read": table.read,
            "usable": len(table.rows),
            "dropped": dict(table.dropped),
            "columns": [asdict(column) for column in table.columns],
            "preview": table.preview.astype(object).where(table.preview.notna(), None).to_dict("records"),
            "images": reasons,
        }
        sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2, default=str) + "\n")
        return
    columns = Table("column", "kind", "blank", "distinct", "from", "to", "unreadable", box=None, pad_edge=False)
    for column in table.columns:
        unread = f"{column.unread}, such as {column.unread_example}" if column.unread else "0"
        counts = (str(column.blanks), str(column.distinct))
        columns.add_row(*map(escape, (column.name, column.kind, *counts, column.low[:30], column.high[:30], unread)))
    out.print(columns)
    out.print()
    for (_, row), picture in zip(table.preview.iterrows(), preview.images, strict=True):
        if isinstance(picture, Image.Image):
            if out.color_system:
                out.print(_half_blocks(picture))
        elif picture:
            out.print(f"no usable image: {picture.replace('_', ' ')}", markup=False)
        out.print(" | ".join(f"{name}: {str(cell)[:60]}" for name, cell in row.items()), markup=False)
    dropped = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in table.dropped.items() if n)
    out.print(f"\n{len(table.rows)} of {table.read} rows are usable" + (f"; dropped: {dropped}" if dropped else ""))


def _half_blocks(picture: Image.Image, height: int = 16) -> Text:
    """A picture as text: each cell shows two pixels, the upper one in the foreground color."""
    width = max(1, round(picture.width * height / picture.height))
    small = picture.resize((min(width, 48), height))
    text = Text()
    for y in range(0, height, 2):
        for x in range(min(width, 48)):
            upper, lower = (small.getpixel((x, y + half)) for half in (0, 1))
            text.append("▀", style=f"rgb{upper} on rgb{lower}".replace(" ", "").replace("on", " on "))
        text.append("\n")
    return text


def show_examination(found: dict[str, dict[str, str]], as_json: bool) -> None:
    """Print what `yoin.doctor.examine` found."""
    if as_json:
        out.print_json(json.dumps(found))
        return
    for kind in ("captioners", "models"):
        shown = Table(kind, "usable", "why not", box=None, pad_edge=False)
        for name, problem in found[kind].items():
            shown.add_row(name, "no" if problem else "yes", escape(problem))
        out.print(shown)
        out.print()
    for name, origin in found["keys"].items():
        out.print(f"{name}: from the {origin}", markup=False)
    for name, said in found["services"].items():
        out.print(f"{name}: {said}\n", markup=False)
    out.print(", ".join(f"{name} {version}" for name, version in found["versions"].items()))


def show_forecast(found: Forecast, as_json: bool) -> None:
    """Print what captioning would take."""
    if as_json:
        out.print_json(json.dumps(asdict(found)))
        return
    there = f"; {found.made:,} more are there already" if found.made else ""
    out.print(f"{found.calls:,} captions by {found.captioner} ({found.model}), at most{there}", markup=False)
    if found.tokens_in:
        out.print(f"about {found.tokens_in:,} tokens in and {found.tokens_out:,} out")
    if not found.priced:
        out.print("The price is not known.")
    elif found.cost_usd:
        out.print(f"about {dollars(found.cost_usd)}; {dollars(found.batch_usd)} at the price of the batch interface")
    else:
        out.print("no cost")
    if found.seconds is not None:
        out.print(f"at least {found.seconds / 60:,.1f} minutes at the stated quota")
    if found.tokens_in and found.measured < found.calls:
        missing = found.calls - found.measured
        out.print(f"{missing:,} images are not fetched yet and taken to have 1024 pixels a side")


def show_prompts(purposes: dict[str, str], as_json: bool) -> None:
    """Print the built-in prompts and what each is for."""
    if as_json:
        out.print_json(json.dumps(purposes))
        return
    for name, purpose in purposes.items():
        out.print(f"{name:<13}{purpose}", markup=False)


def show_comparison(found: Comparison, as_json: bool) -> None:
    """Print the prompts, best first, and what can be said of the best one."""
    if as_json:
        out.print_json(json.dumps(asdict(found)))
        return
    what = "gain in R²" if found.quantity == "gain" else "R²"
    table = Table(
        "prompt", what, "95% interval", "behind", "95% interval", "captions", "cost", box=None, pad_edge=False
    )
    for one in found.ranked:
        behind = (_number(one.behind), f"{_number(one.behind_low)} to {_number(one.behind_high)}")
        table.add_row(
            escape(one.prompt), _number(one.r2), f"{_number(one.r2_low)} to {_number(one.r2_high)}",
            *(("", "") if one is found.winner else behind), str(one.ok), dollars(one.cost_usd),
        )  # fmt: skip
    out.print(f"By {found.rung}, out of fold, on {found.rows} rows that choose:")
    out.print(table)
    if found.locked_cost_usd:
        out.print(f"On the rows locked away: {dollars(found.locked_cost_usd)}")
    for sentence in found.sentences:
        out.print(sentence, markup=False)
    out.print("To go on with it, without the rows that chose:")
    out.print(f"  {found.command}", markup=False)


_SHOWN_SCORES = 20  # rows; scores.csv has them all
_SHOWN_SPANS = 3  # on each side


def show_scores(found: Scores, as_json: bool) -> None:
    """Print the predictions with their intervals, and what raised and lowered each."""
    if as_json:
        rows = [finite({str(name): cell for name, cell in row.items()}) for row in found.table.to_dict("records")]
        spans = found.spans.to_dict("records")
        head = {"metric": found.metric, "caution": found.caution, "precision": found.precision}
        shown = {**head, "rows": rows, "spans": spans}
        sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2) + "\n")
        return
    if found.caution:
        out.print(found.caution, markup=False)
    for row in found.table.head(_SHOWN_SCORES).to_dict("records"):
        name = row["image"] or f"row {row['row_id'] + 1}"
        if row["status"] != "ok":
            out.print(f"{name}: no caption ({row['reason'] or row['status']})", markup=False)
            continue
        interval = f"{_number(row['low'])} to {_number(row['high'])}"
        out.print(f"{name}: {found.metric} {_number(row['prediction'])} (95% interval {interval})", markup=False)
        out.print(f"  {row['caption']}", markup=False)
        spans = found.spans[found.spans["row_id"] == row["row_id"]].sort_values("value")
        for side, some in (("raise", spans[spans["value"] > 0].iloc[::-1]), ("lower", spans[spans["value"] < 0])):
            first = some.head(_SHOWN_SPANS)
            told = [f"{text.strip()} ({value:+.3f})" for text, value in zip(first["text"], first["value"], strict=True)]
            if told:
                out.print(f"  {side} it: {'; '.join(told)}", markup=False)
    if len(found.table) > _SHOWN_SCORES:
        out.print(f"and {len(found.table) - _SHOWN_SCORES:,} more in scores.csv")
    if found.precision and found.precision["used"]:
        cost = found.precision
        out.print(
            f"Explained in {cost['kind']} arithmetic, which on {cost['texts']} texts was {cost['mean_error']:.2g} off"
            f" in the mean and {cost['largest_error']:.2g} at most; the predictions are exact.",
            markup=False,
        )


def show_sheet(made: Sheet, study: Path, as_json: bool) -> None:
    """Print where the sheet is and what to do with it."""
    if as_json:
        out.print_json(json.dumps({**asdict(made), "path": str(made.path)}))
        return
    out.print(f"{made.images:,} of {made.among:,} images to look at: {made.path}", markup=False)
    if not made.pictured:
        out.print("This study has no images: find them by the row of the table.")
    out.print(f"Write yes or no under each of: {', '.join(made.concepts)}", markup=False)
    if made.rare:
        few = ", ".join(made.rare)
        out.print(f"Too few captions of these images tell {few} apart: --images more or --top fewer", markup=False)
    out.print("Leave a cell blank where nobody can tell. Then:")
    out.print(f"  {shlex.join(['yoin', 'drivers', str(study), '--labels', str(made.path)])}", markup=False)
    out.print(f"  {shlex.join(['yoin', 'report', str(study)])}", markup=False)


def show_brief(found: Brief, as_json: bool) -> None:
    """Print the brief."""
    sys.stdout.write(found.to_json() if as_json else found.text)


def show_recovery(study: Study, recovery: Recovery, as_json: bool) -> None:
    """Print planted against recovered, then the study."""
    if as_json:
        shown = {
            "facts": [finite(asdict(fact)) for fact in recovery.facts],
            "shadows": [finite(asdict(shadow)) for shadow in recovery.shadows],
            "nulls": recovery.nulls,
            "false_drivers": list(recovery.false_drivers),
            "ok": recovery.ok,
            "report": str(study.report),
        }
        sys.stdout.write(json.dumps(shown, ensure_ascii=False, indent=2) + "\n")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("planted", "effect", "found as", "lift", "adjusted", "q", "outcome"):
        table.add_column(heading, min_width=12 if heading in ("planted", "found as") else None)
    for fact in recovery.facts:
        table.add_row(
            fact.fact,
            f"{fact.planted:+.2f}",
            escape(fact.concept or "–"),
            _with_interval(fact.lift, fact.lift_low, fact.lift_high),
            _with_interval(fact.adjusted, fact.adjusted_low, fact.adjusted_high),
            "–" if math.isnan(fact.q) else f"{fact.q:.3f}",
            f"[{'green' if fact.ok else 'red'}]{fact.outcome}[/]",
        )
    out.print("[bold]Planted against recovered[/], in points of rating, with 95% intervals")
    out.print(table)
    for sentence in recovery.sentences:
        out.print(sentence, markup=False)
    out.print()
    show_study(study, as_json=False)


def finite(record: dict[str, object]) -> dict[str, object]:
    """``record`` with None where a number is not finite, as JSON wants it."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in record.items()
    }


def _with_interval(value: float, low: float, high: float) -> str:
    return "–" if math.isnan(value) else f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
