from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.example import make_example
from yoin.report.left_out import Step, is_clear, lost_images, other_drops, steps, warned
from yoin.report.summary import MissingSummary, Summary


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return make_example(tmp_path_factory.mktemp("images"), rows=40, explained=0, lost=True).summary


def found(p: float | None, p_adjusted: float | None = None, difference: float | None = -0.5) -> MissingSummary:
    return MissingSummary(
        n_missing=30, difference=difference, low=-1.0, high=0.1, p=p, p_adjusted=p_adjusted, sentence="So it is."
    )


def changed(summary: Summary, **media: object) -> Summary:
    return summary.model_copy(update={"media": summary.media.model_copy(update=media)})


def test_the_way_of_the_rows_names_only_stops_that_lost_some(summary: Summary) -> None:
    assert steps(summary) == (
        Step("read", 103),
        Step("with a usable metric", 99),
        Step("with a usable image", 42),
        Step("with a caption", 40),
    )
    assert steps(changed(summary, missing=None)) == (
        Step("read", 103),
        Step("with a usable metric", 99),
        Step("with a caption", 40),
    )
    rows = summary.rows.model_copy(update={"used": 42})
    captions = summary.captions.model_copy(update={"ok": 42, "blocked": 0})
    assert [step.name for step in steps(summary.model_copy(update={"rows": rows, "captions": captions}))] == [
        "read",
        "with a usable metric",
        "with a usable image",
    ]


def test_the_stops_count_every_row_that_was_lost(summary: Summary) -> None:
    assert steps(summary)[0].rows - steps(summary)[-1].rows == sum(summary.rows.dropped.values())


def test_every_dropped_row_is_told_of_once(summary: Summary) -> None:
    assert other_drops(summary) == {"no_metric": 4, "blocked": 2}
    assert sum(other_drops(summary).values()) + sum(line.rows for line in lost_images(summary)) == 103 - 40
    # With given captions a lost image drops no row, and a captioner may name a reason as the images do.
    assert other_drops(changed(summary, missing=None)) == summary.rows.dropped
    also = summary.rows.model_copy(update={"dropped": {**summary.rows.dropped, "timeout": 24}})
    assert other_drops(summary.model_copy(update={"rows": also}))["timeout"] == 3


@pytest.mark.parametrize(
    ("missing", "clear"),
    [
        (None, False),
        (found(None), False),
        (found(0.04), True),
        (found(0.06), False),
        (found(0.04, 0.08), False),
        (found(0.01, 0.03), True),
    ],
)
def test_clear_is_what_stays_clear_beside_the_other_reasons(missing: MissingSummary | None, clear: bool) -> None:
    assert is_clear(missing) is clear


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (found(0.001, 0.002), "Clearly lower."),
        (found(0.001, 0.002, difference=0.5), "Clearly higher."),
        (found(0.04, 0.08), "No clear difference."),
        (found(None), "Too few independent rows to compare."),
    ],
)
def test_every_reason_has_its_verdict(summary: Summary, missing: MissingSummary, says: str) -> None:
    lines = lost_images(changed(summary, missing_by_reason={"not_found": missing}))
    assert [(line.why, line.rows, line.verdict) for line in lines] == [
        ("There is no such image.", 34, says),
        ("timeout", 21, "Not compared."),
        ("bomb", 2, "Fewer than 20 rows: not compared."),
    ]


def test_only_what_is_clear_is_warned_of(summary: Summary) -> None:
    quiet = changed(summary.model_copy(update={"missing": found(0.2)}), missing=found(0.2), missing_by_reason={})
    assert not warned(quiet)
    by_reason = warned(changed(quiet, missing_by_reason={"timeout": found(0.01, 0.02), "not_found": found(0.04, 0.08)}))
    assert by_reason
    assert by_reason.overall is None
    assert [line.why for line in by_reason.reasons] == ["timeout"]
    assert warned(changed(quiet, missing=found(0.01))).what == "a usable image"
    captions = quiet.model_copy(update={"missing": found(0.01)})
    assert warned(changed(captions, missing=found(0.01))).what == "a caption"


def test_a_study_without_images_has_nothing_to_say_of_them(tmp_path: Path) -> None:
    bare = make_example(tmp_path, rows=40, explained=0, images=False).summary
    assert lost_images(bare) == ()
    assert [step.name for step in steps(bare)] == ["read", "with a usable metric", "with a caption"]
