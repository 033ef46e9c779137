from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from yoin.drivers import missingness
from yoin.media import REASONS
from yoin.options import RunOptions
from yoin.report.summary import Summary
from yoin.study import Study
from yoin.summarise import summarise
from yoin.values import (
    DRIVER_COLUMNS,
    DRIVER_INTERACTION_COLUMNS,
    EXPLANATION_COLUMNS,
    HISTORY_COLUMNS,
    INTERACTION_COLUMNS,
    OCCURRENCE_COLUMNS,
)

ROWS = 200
LINK = "https://***@example.org/1.jpg"


def media_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows 0 to 59 have lost their image, for two reasons; of the others every second one shares its image with the
    row before, and the last four are videos."""
    reason = np.repeat(["not_found", "timeout", ""], [40, 20, ROWS - 60])
    media_id = pd.Series([None if lost else f"m{row // 2}" for row, lost in enumerate(reason)], dtype="string")
    return pd.DataFrame(
        {
            "row_id": rows.index, "media_id": media_id, "reason": reason, "detail": "",
            "bytes": np.where(media_id.isna(), np.nan, 1000.0),
            "seconds": np.where(media_id.isna(), np.nan, np.where(np.arange(ROWS) >= ROWS - 4, 3.5, 0.0)),
            "file": "media/" + media_id, "mime": "image/jpeg", "width": 9, "height": 9,
            "frames": [[] for _ in range(ROWS)], "poster": None, "copy": None,
        }
    )  # fmt: skip


def make_study(folder: Path, **options: object) -> Study:
    """What the stages would have left behind of a table in which lost images go with a lower metric."""
    (folder / "t.csv").write_text("x", "utf-8")
    random = np.random.default_rng(5)
    rows = pd.DataFrame({"metric": random.normal(size=ROWS) - 1.0 * (np.arange(ROWS) < 40)}).rename_axis("row_id")
    rows["image"] = [f"http://example.org/{row}.jpg" for row in rows.index]
    rows["caption"] = pd.Series([f"text {row}" for row in rows.index])
    rows["group"] = (rows.index // 10).astype(str)
    rows["weight"] = random.uniform(1, 3, ROWS)
    given = RunOptions.model_validate({"table": folder / "t.csv", "metric": "y", **options})
    kept = [name for name in ("image", "caption", "group", "weight") if getattr(given, name)]
    media = media_of(rows)
    if not given.image:
        media = media.assign(media_id=pd.Series([None] * ROWS, dtype="string"), reason="", bytes=np.nan, seconds=np.nan)
    missing = media["media_id"].isna() if not given.caption else pd.Series(False, index=media.index)
    captions = pd.DataFrame({"row_id": rows.index, "media_id": media["media_id"], "caption": "a"}).assign(
        status=np.where(missing, "missing", "ok"), reason=np.where(missing, media["reason"], "")
    )
    captions.loc[ROWS - 1, ["status", "reason"]] = ["truncated", ""]
    study = Study.create(folder / "study", given)
    study.write_frame("table.parquet", rows[["metric", *kept]].reset_index())
    study.write_frame("media.parquet", media)
    study.write_frame("captions.parquet", captions)
    study.write_frame("history.parquet", pd.DataFrame(columns=list(HISTORY_COLUMNS)))
    study.write_frame("explanations.parquet", pd.DataFrame(columns=list(EXPLANATION_COLUMNS)))
    study.write_frame("interactions.parquet", pd.DataFrame(columns=list(INTERACTION_COLUMNS)))
    predicted = pd.DataFrame({"row_id": rows.index, "model": "mean", "fold": 0, "metric": rows["metric"]})
    study.write_frame("predictions.parquet", predicted.assign(prediction=0.0))
    study.write_frame("drivers.parquet", pd.DataFrame(columns=list(DRIVER_COLUMNS)))
    study.write_frame("concepts.parquet", pd.DataFrame(columns=list(OCCURRENCE_COLUMNS)))
    study.write_frame("driver_interactions.parquet", pd.DataFrame(columns=list(DRIVER_INTERACTION_COLUMNS)))
    signal = {
        "verdict": "none", "rung": "mean", "quantity": "r2", "r2": 0.0, "r2_low": 0.0, "r2_high": 0.0, "p": 1.0,
        "permutations": 19, "test_rung": "tfidf", "reason": "",
    }  # fmt: skip
    facts: dict[str, dict[str, object]] = {
        "table": {
            "read": ROWS + 3,
            "dropped": {"no_metric": 3},
            "columns": [{"name": "i", "kind": "url", "blanks": 0, "distinct": 9, "low": LINK, "examples": [LINK]}],
            "preview": [{"i": LINK, "y": "1"}, {"i": "data:image/png;base64," + "A" * 5000, "y": "2"}],
        },
        "caption": {"captioner": "describe", "notes": []},
        "fit": {
            "model": "tfidf",
            "rungs": [],
            "signal": signal,
            "notes": [],
            "metric_kind": "real",
            "seeds": [],
            "reliability": {"model": "tfidf", "level": 0.9, "low": -1.0, "high": 1.0, "coverage": 0.9},
            "leaks": [],
        },
        "explain": {"captions": 0, "budget": 16},
        "drivers": {"tested": 0, "significant": 0},
    }
    for stage, noted in facts.items():
        study.finish(stage, "", (), noted, 0.0)
    return study


def summary_of(study: Study) -> Summary:
    used = study.captions[study.captions["status"] == "ok"].set_index("row_id")
    rows = used.join(study.frame("table.parquet").set_index("row_id").drop(columns="caption", errors="ignore"))
    return summarise(study, study.options, rows)


def test_lost_images_are_counted_and_compared(tmp_path: Path) -> None:
    found = summary_of(make_study(tmp_path, image="i"))
    media = found.media
    assert (media.images, media.distinct, media.videos, media.bytes) == (140, 70, 2, 70_000)
    assert media.failed == {"not_found": 40, "timeout": 20}
    assert found.rows.dropped == {"no_metric": 3, "not_found": 40, "timeout": 20, "caption_truncated": 1}
    assert found.rows.read == found.rows.used + sum(found.rows.dropped.values())
    assert found.reasons == {reason: REASONS[reason] for reason in ("not_found", "timeout")}
    assert list(media.missing_by_reason) == ["not_found", "timeout"]
    assert media.fewest_compared == 20
    lost, late = media.missing_by_reason["not_found"], media.missing_by_reason["timeout"]
    assert (lost.n_missing, lost.n_present, late.n_missing) == (40, 140, 20)
    assert lost.p is not None
    assert late.p is not None
    assert sorted([lost.p_adjusted, late.p_adjusted]) == pytest.approx(
        [2 * min(lost.p, late.p), max(2 * min(lost.p, late.p), lost.p, late.p)]
    )
    assert media.missing is not None
    assert "60 of 200 rows have no usable image" in media.missing.sentence
    assert found.missing is not None
    assert "61 of 200 rows have no caption" in found.missing.sentence


def test_rows_that_share_an_image_count_as_dependent(tmp_path: Path) -> None:
    study = make_study(tmp_path, image="i")
    metric = study.frame("table.parquet")["metric"]
    lost = np.arange(ROWS) < 60
    shared = [row if row < 60 else 1000 + row // 2 for row in range(ROWS)]
    expected = missingness(metric, lost, group=shared)
    found = summary_of(study).media.missing
    assert found is not None
    assert (found.low, found.high, found.p) == pytest.approx((expected.low, expected.high, expected.p))
    assert found.low != pytest.approx(missingness(metric, lost).low, rel=1e-3)


def test_the_group_and_the_weight_are_heeded(tmp_path: Path) -> None:
    study = make_study(tmp_path, image="i", group="g", weight="w")
    rows = study.frame("table.parquet")
    by = {"group": rows["group"], "weight": rows["weight"]}
    found = summary_of(study)
    for part, missing in ((found.media.missing, np.arange(ROWS) < 60), (found.missing, np.r_[:60, ROWS - 1])):
        absent = np.zeros(ROWS, dtype=bool)
        absent[missing] = True
        expected = missingness(rows["metric"], absent, **by)
        assert part is not None
        assert (part.mean_missing, part.low, part.high, part.p) == pytest.approx(
            (expected.mean_missing, expected.low, expected.high, expected.p)
        )


def test_where_captions_were_given_a_lost_image_drops_no_row(tmp_path: Path) -> None:
    found = summary_of(make_study(tmp_path, image="i", caption="c"))
    assert found.media.failed == {"not_found": 40, "timeout": 20}
    assert found.media.missing is None
    assert found.media.missing_by_reason == {}
    assert found.rows.dropped == {"no_metric": 3, "caption_truncated": 1}
    assert found.missing is not None
    assert found.missing.n_missing == 1


def test_without_images_there_is_nothing_of_them(tmp_path: Path) -> None:
    found = summary_of(make_study(tmp_path, caption="c"))
    assert found.media.model_dump(exclude_defaults=True) == {}
    assert found.reasons == {}


def test_captions_made_again_are_held_against_the_first(tmp_path: Path) -> None:
    study = make_study(tmp_path, image="i")
    captions = study.captions.assign(caption=[f"A {'barn' if row % 2 else 'wall'}." for row in range(ROWS)])
    study.write_frame("captions.parquet", captions)
    again = captions[captions["status"] == "ok"].iloc[:40].assign(repeat=1)
    again.loc[again.index[:10], "caption"] = "A wall."  # of five of these the first said barn
    study.write_frame("caption_repeats.parquet", again)
    row = dict.fromkeys(DRIVER_COLUMNS, np.nan) | {"concept": "barn", "phrases": "barn", "note": ""}
    study.write_frame("drivers.parquet", pd.DataFrame([row]))
    spent = dict.fromkeys(("calls", "tokens_in", "tokens_out", "cost_usd"), 0)
    study.finish("caption", "", (), {"captioner": "describe", "notes": [], **spent}, 0.0)
    study.finish("repeat", "", ("caption_repeats.parquet",), spent, 0.0)
    (found,) = summary_of(study).audit.agreement
    assert (found.concept, found.images) == ("barn", 40)
    assert found.agreed == pytest.approx(35 / 40)
    share = (20 + 15) / 80
    assert found.kappa == pytest.approx((35 / 40 - share**2 - (1 - share) ** 2) / (2 * share * (1 - share)))


def test_pairs_that_interact_are_told_and_those_about_people_are_not(tmp_path: Path) -> None:
    study = make_study(tmp_path, caption="c")
    drivers = [dict.fromkeys(DRIVER_COLUMNS, np.nan) | {"concept": name, "phrases": name, "note": ""}
               for name in ("dog", "night", "woman")]  # fmt: skip
    study.write_frame("drivers.parquet", pd.DataFrame(drivers))
    blank = dict.fromkeys(DRIVER_INTERACTION_COLUMNS, 0.0) | {"column": "", "n_both": 30, "turns": ""}
    pairs = [
        blank | {"concept": "dog", "other": "night", "difference": -0.5, "p": 0.001, "q": 0.004, "turns": "other",
                 "with_other": 0.1, "without_other": 0.2, "other_with": -0.3, "other_without": 0.4},
        blank | {"concept": "dog", "other": "year from 1990", "column": "year", "p": 0.002, "q": 0.004},
        blank | {"concept": "woman", "other": "night", "p": 0.003, "q": 0.004},
        blank | {"concept": "dog", "other": "woman", "p": 0.5, "q": 0.5},
        blank | {"concept": "night", "other": "year from 1990", "column": "year", "p": np.nan, "q": np.nan},
    ]  # fmt: skip
    study.write_frame("driver_interactions.parquet", pd.DataFrame(pairs))
    found = summary_of(study).drivers
    assert (found.pairs, found.pairs_significant) == (4, 3)
    night, dog = found.interactions
    assert (night.concept, night.other, night.turns) == ("night", "dog", True)
    assert (night.with_other, night.without_other, night.difference) == (-0.3, 0.4, -0.5)
    assert (dog.concept, dog.other, dog.column, dog.turns) == ("dog", "year from 1990", "year", False)


def test_images_that_look_alike_are_told(tmp_path: Path) -> None:
    study = make_study(tmp_path, image="i")
    (study.folder / "media").mkdir()
    coarse = np.random.default_rng(1).integers(0, 256, size=(6, 6, 3), dtype=np.uint8)
    for number, side in ((30, 90), (31, 120), (32, 150)):
        picture = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
        picture.save(study.folder / "media" / f"m{number}", "png")
    (said,) = [one for one in summary_of(study).audit.warnings if "nearly the same" in one]
    assert said.startswith("6 of 139 rows have an image that looks nearly the same as another row's, in 1 set (")
    assert "“http://example.org/61.jpg” and “http://example.org/63.jpg”" in said
