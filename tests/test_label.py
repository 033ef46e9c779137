"""The sheet for people: drawn, written, filled in, and what becomes of it in a study."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import yoin as yoin_package
from tests.e2e.conftest import captions_and_metric
from yoin.cli import app
from yoin.errors import StudyError, UsageError
from yoin.label import make_sheet
from yoin.pipeline import run_stage
from yoin.study import Study
from yoin.summarise import command
from yoin.terminal import show_sheet, show_stage
from yoin.values import CORRECTED_COLUMNS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of 120 rows with 60 images, each in two rows; some names are hostile."""
    folder = tmp_path_factory.mktemp("labelled")
    table = captions_and_metric()
    for shade in range(60):
        Image.new("RGB", (16, 16), (4 * shade, 255 - shade, shade)).save(folder / f"=1+1 {shade}.png")
    table["image"] = [f"=1+1 {row % 60}.png" for row in range(120)]
    table["caption"] = [table["caption"][row % 60] for row in range(120)]
    table.to_csv(folder / "scores.csv", index=False)
    yoin_package.run(
        folder / "scores.csv", image="image", caption="caption", metric="score", model="tfidf", explain=2,
        interactions=0, out=folder / "s",
    )  # fmt: skip
    return folder


@pytest.fixture
def study(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "s", tmp_path / "s")
    return tmp_path / "s"


def fill(path: Path, study: Path, right: float = 0.9, seed: int = 0) -> pd.DataFrame:
    """Answer as somebody who mostly agrees with the captions."""
    sheet = pd.read_csv(path, encoding="utf-8-sig", dtype=object, keep_default_na=False)
    captions = Study(study).captions.set_index("row_id")["caption"].str.lower()
    random = np.random.default_rng(seed)
    for column in sheet.columns[sheet.columns.str.startswith("shows:")]:
        says = [column.removeprefix("shows: ") in captions[int(row) - 1] for row in sheet["row"]]
        sheet[column] = np.where((random.random(len(sheet)) < right) == says, "yes", "no")
    sheet.to_csv(path, index=False)
    return sheet


def test_a_sheet_is_blind_and_says_how_it_was_drawn(study: Path, tmp_path: Path) -> None:
    made = make_sheet(study, out=tmp_path / "look.csv", images=30, top=3)
    assert (made.images, made.among, made.pictured) == (30, 60, True)
    assert made.concepts == tuple(Study(study).drivers["concept"].head(3))
    text = (tmp_path / "look.csv").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")  # by which spreadsheets know UTF-8
    sheet = pd.read_csv(tmp_path / "look.csv", encoding="utf-8-sig")
    assert list(sheet) == ["row", "image", "file", "chance", *(f"shows: {name}" for name in made.concepts)]
    assert sheet.iloc[:, 4:].isna().all(axis=None)
    assert sheet["image"].str.startswith("'=1+1").all()  # no formula to a spreadsheet
    assert sheet["chance"].between(0, 1, inclusive="right").all()
    assert all((tmp_path / file).is_file() for file in sheet["file"])
    assert not sheet["row"].is_monotonic_increasing
    media = Study(study).captions.set_index("row_id")["media_id"]
    assert [Path(file).stem for file in sheet["file"]] == media.loc[sheet["row"] - 1].tolist()
    again = make_sheet(study, out=tmp_path / "again.csv", images=30, top=3)
    assert (tmp_path / "again.csv").read_bytes() == text
    make_sheet(study, out=again.path, images=30, top=3, seed=1)
    assert again.path.read_bytes() != text
    make_sheet(study, out=again.path, images=30, top=3, captions=True)
    assert "caption" in pd.read_csv(again.path, encoding="utf-8-sig")
    assert make_sheet(study, out=again.path, images=500).images == 60


def test_nobodys_work_is_overwritten(study: Path, tmp_path: Path) -> None:
    made = make_sheet(study)
    assert made.path == study / "labels.csv"
    make_sheet(study, images=20)  # over a blank one
    fill(made.path, study)
    filled = made.path.read_bytes()
    with pytest.raises(UsageError, match=r"label: somebody filled in .*; give another --out, or --overwrite"):
        make_sheet(study)
    for content in ("a,b\n1,2\n", "", "\0"):
        (tmp_path / "other.csv").write_text(content)
        with pytest.raises(UsageError, match="is there and is not a sheet of labels"):
            make_sheet(study, out=tmp_path / "other.csv")
    assert made.path.read_bytes() == filled
    assert make_sheet(study, overwrite=True).images == 60
    assert made.path.read_bytes() != filled


def test_where_a_sheet_cannot_go(study: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for out, says in (
        ("sheet.xlsx", "is no CSV file; end its name in .csv"),
        ("none/sheet.csv", "there is no folder"),
        ("folder.csv", "is a folder"),
    ):
        with pytest.raises(UsageError, match=f"label: .*{says}"):
            make_sheet(study, out=tmp_path / out)
    with pytest.raises(UsageError, match="images cannot be 5"):
        make_sheet(study, images=5)
    with pytest.raises(StudyError, match="is not a study"):
        make_sheet(tmp_path / "nothing")
    drivers = Study(study).drivers.assign(p=np.nan)
    drivers.to_parquet(study / "drivers.parquet")
    with pytest.raises(UsageError, match="no concept of this study was tested"):
        make_sheet(study)


def test_labels_correct_lifts_in_the_study(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = make_sheet(study, images=50, top=2)
    show_sheet(sheet, study, as_json=False)
    assert f"--labels {sheet.path}" in capsys.readouterr().out
    before = (study / "drivers.csv").read_bytes()
    assert not (study / "corrected.csv").exists()
    fill(sheet.path, study)
    done = run_stage(study, "drivers", labels=sheet.path)
    show_stage(done, "drivers", as_json=False)
    assert "Corrected by what people saw" in capsys.readouterr().out
    run_stage(study, "report")
    assert (study / "drivers.csv").read_bytes() == before  # whose columns and numbers stay
    table = pd.read_csv(study / "corrected.csv")
    assert tuple(table) == CORRECTED_COLUMNS
    assert set(table["concept"]) == set(sheet.concepts)
    assert (table["yes"] + table["no"] == 100).all()  # each image stands in two rows
    assert (table["corrected_low"] < table["corrected_high"]).all()
    assert table["sensitivity"].between(0.5, 1).all()
    read = Study(study)
    assert [one.concept for one in read.summary.labels] == table["concept"].tolist()
    assert read.summary.labels[0].corrected == pytest.approx(table["corrected"][0])
    assert read.summary.drivers.ids["red barn"] == "barn+red"
    assert "What people saw" in read.report.read_text("utf-8")
    assert not run_stage(study, "drivers").ran  # remembered, and nothing to do
    fill(sheet.path, study, seed=1)
    assert run_stage(study, "drivers").ran == ("drivers",)  # the sheet is another


def test_two_people_on_the_same_images(study: Path) -> None:
    sheet = make_sheet(study, images=50, top=2)
    one, two = fill(sheet.path, study, seed=1), fill(sheet.path, study, seed=2)
    both = pd.concat([one.assign(rater="Ann"), two.assign(rater="Bob")])
    both.to_csv(sheet.path, index=False)
    run_stage(study, "drivers", labels=sheet.path)
    run_stage(study, "report")
    read = Study(study)
    table = read.frame("corrected.parquet").set_index("concept")
    for told in read.summary.labels:
        assert told.raters is not None
        equal = (one[f"shows: {told.concept}"] == two[f"shows: {told.concept}"]).to_numpy()
        assert (told.raters.raters, told.raters.images, told.raters.ties) == (2, 50, int((~equal).sum()))
        assert told.raters.agreed == pytest.approx(equal.mean())
        assert told.raters.kappa is not None
        assert told.raters.kappa < equal.mean()
        row = table.loc[told.concept]
        assert row["yes"] + row["no"] == 2 * equal.sum()  # each image stands in two rows
    page = read.report.read_text("utf-8")
    assert "Several people answered" in page
    assert "2 people, 50 images" in page
    one.to_csv(sheet.path, index=False)
    run_stage(study, "drivers")
    run_stage(study, "report")
    assert all(told.raters is None for told in Study(study).summary.labels)
    assert "Several people answered" not in Study(study).report.read_text("utf-8")


def test_the_commands(study: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    words = ["label", str(study), "--out", str(tmp_path / "look.csv"), "--images", "50", "--top", "1", "--json"]
    done = run(app, words)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["images"] == 50
    fill(tmp_path / "look.csv", study)
    assert isinstance(run(app, words).exception, UsageError)
    assert run(app, [*words, "--overwrite", "--captions", "--seed", "3"]).exit_code == 0
    fill(tmp_path / "look.csv", study)
    (tmp_path / "own.txt").write_text("red barn\n", "utf-8")
    given = ["--labels", str(tmp_path / "look.csv"), "--concepts", f"+{tmp_path / 'own.txt'}"]
    assert run(app, ["drivers", str(study), *given]).exit_code == 0
    assert (study / "corrected.csv").exists()
    assert f"--concepts +{tmp_path / 'own.txt'}" in command(Study(study).options, study)


def test_what_is_wrong_is_said_before_any_work(study: Path, tmp_path: Path) -> None:
    sheet = make_sheet(study, out=tmp_path / "look.csv")
    for change, says in (
        ({"labels": sheet.path}, "labels: nobody filled in"),
        ({"concepts": "+none"}, "cannot be read"),
    ):
        with pytest.raises(UsageError, match=says):
            run_stage(study, "drivers", **change)
        with pytest.raises(UsageError, match=says):
            yoin_package.run(study.parent / "none.csv", metric="m", **change)


def test_own_concepts_in_place_of_and_beside_those_found(study: Path, tmp_path: Path) -> None:
    found = set(Study(study).drivers["concept"])
    own = tmp_path / "own.txt"
    own.write_text("# ours\nshore: sea, stone wall\n=cmd()\n", "utf-8")
    run_stage(study, "drivers", concepts=own)
    assert set(Study(study).drivers["concept"]) == {"shore", "=cmd()"}
    assert "'=cmd()" in (study / "drivers.csv").read_text("utf-8")
    run_stage(study, "drivers", concepts=f"+{own}")
    both = set(Study(study).drivers["concept"])
    assert {"shore", "=cmd()", "red barn"} <= both
    assert "sea" in found - both
    own.write_text("shore: sea\n", "utf-8")
    assert run_stage(study, "drivers").ran == ("drivers",)
    assert "=cmd()" not in set(Study(study).drivers["concept"])


def test_a_concept_that_captions_overlook(study: Path, tmp_path: Path) -> None:
    (tmp_path / "own.txt").write_text("zebra\nred barn\n", "utf-8")
    run_stage(study, "drivers", concepts=tmp_path / "own.txt")
    sheet = make_sheet(study, images=50)
    assert sheet.concepts == ("red barn", "zebra")
    assert sheet.rare == ()
    filled = fill(sheet.path, study, right=1)
    filled["shows: zebra"] = np.where(np.arange(50) % 3 == 0, "yes", "no")
    filled.to_csv(sheet.path, index=False)
    run_stage(study, "drivers", labels=sheet.path)
    barn, zebra = Study(study).frame("corrected.parquet").to_dict("records")
    assert barn["kappa"] == pytest.approx(1)
    assert barn["corrected"] == pytest.approx(barn["lift"])
    assert zebra["sensitivity"] == 0
    assert zebra["specificity"] == 1
    assert zebra["corrected_low"] < 0 < zebra["corrected_high"]


def test_a_study_without_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    captions_and_metric().to_csv(tmp_path / "scores.csv", index=False)
    study = yoin_package.run(
        tmp_path / "scores.csv", caption="caption", metric="score", model="tfidf", explain=0, out=tmp_path / "s"
    )
    made = make_sheet(study.folder, images=40, top=1)
    sheet = pd.read_csv(made.path, encoding="utf-8-sig")
    assert list(sheet) == ["row", "chance", f"shows: {made.concepts[0]}"]
    show_sheet(made, study.folder, as_json=False)
    assert "find them by the row of the table" in capsys.readouterr().out
    show_sheet(made, study.folder, as_json=True)
    assert json.loads(capsys.readouterr().out)["images"] == 40
