"""The whole run from the command line, on captions that are there already and linear rungs: quick."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest

import yoin as yoin_package
from tests.e2e.conftest import Yoin, captions_and_metric, summary_of
from yoin import pipeline
from yoin.errors import UsageError
from yoin.picture import Wanted, save_picture
from yoin.values import CAPTION_COLUMNS, DRIVER_COLUMNS, EXPLANATION_COLUMNS, PREDICTION_COLUMNS

QUICK = ("--caption", "caption", "--metric", "score", "--model", "tfidf", "--explain", 12)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> yoin_package.Study:
    """A study to read from, made through the Python API."""
    folder = tmp_path_factory.mktemp("finished")
    captions_and_metric().to_csv(folder / "scores.csv", index=False)
    return yoin_package.run(
        folder / "scores.csv", caption="caption", metric="score", model="tfidf", explain=12, seed=7, out=folder / "s"
    )


def test_explained_rows_are_saved(finished: yoin_package.Study, tmp_path: Path) -> None:
    row_ids = tuple(finished.explanations["row_id"].unique().tolist())
    assert save_picture(finished, Wanted(tmp_path / "all.html", None)) == 12
    assert save_picture(finished, Wanted(tmp_path / "two.html", row_ids[:2])) == 2
    assert (tmp_path / "two.html").read_text("utf-8").count("<section>") == 2
    assert save_picture(finished, Wanted(tmp_path / "one.PNG", row_ids[:1])) == 1
    assert (tmp_path / "one.PNG").read_bytes().startswith(b"\x89PNG")
    other = next(number for number in range(120) if number not in row_ids)
    with pytest.raises(UsageError, match=rf"row {other + 1}.*the caption is not explained"):
        save_picture(finished, Wanted(tmp_path / "other.png", (other,)))
    assert not (tmp_path / "other.png").exists()


def test_a_run_leaves_every_artefact_and_they_agree(yoin: Yoin, table: Path, tmp_path: Path) -> None:
    done = yoin("run", table.name, *QUICK, "--features", "year")
    assert done.returncode == 0, done.stderr
    study = tmp_path / "scores.yoin"
    captions = pd.read_parquet(study / "captions.parquet")
    predictions = pd.read_parquet(study / "predictions.parquet")
    explanations = pd.read_parquet(study / "explanations.parquet")
    drivers = pd.read_parquet(study / "drivers.parquet")
    assert tuple(captions) == CAPTION_COLUMNS
    assert captions["row_id"].tolist() == list(range(120))
    assert tuple(predictions) == PREDICTION_COLUMNS
    assert tuple(explanations) == EXPLANATION_COLUMNS
    assert tuple(drivers) == tuple(pd.read_csv(study / "drivers.csv")) == DRIVER_COLUMNS

    summary = summary_of(study)
    schema = json.loads((Path(__file__).parents[2] / "docs" / "summary.schema.json").read_text("utf-8"))
    jsonschema.validate(summary, schema)
    assert summary["rows"]["read"] == summary["rows"]["used"] + sum(summary["rows"]["dropped"].values())
    assert [model["name"] for model in summary["models"]] == ["mean", "tfidf", "features", "tfidf+features"]
    assert summary["signal"]["verdict"] == "signal"
    assert summary["drivers"]["tested"] == drivers["p"].notna().sum()
    assert summary["drivers"]["significant"] == (drivers["q"] < 0.05).sum()

    for name, rung in predictions.groupby("model"):
        error = rung["metric"] - rung["prediction"]
        told = next(model for model in summary["models"] if model["name"] == name)
        assert told["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
        assert told["r2"] == pytest.approx(1 - np.sum(error**2) / np.sum((rung["metric"] - rung["metric"].mean()) ** 2))
    barn = drivers.set_index("concept").filter(like="barn", axis=0)
    assert (barn["lift"] > 1).all()
    assert (barn["q"] < 0.001).all()
    assert (study / "report.html").stat().st_size > 10_000


def test_explanations_add_up_cover_the_caption_and_come_from_the_model_that_never_saw_it(
    finished: yoin_package.Study,
) -> None:
    study = finished
    spans, captions = study.explanations, study.captions.set_index("row_id")["caption"]
    assert spans["row_id"].nunique() == 12
    out_of_fold = study.predictions.query("model == 'tfidf'").set_index("row_id")["prediction"]
    sd = study.summary.metric.sd
    assert sd is not None
    for row_id, row in spans.groupby("row_id"):
        caption = captions[row_id]
        assert row["prediction"].iloc[0] == pytest.approx(out_of_fold[row_id], abs=1e-6)
        assert row["value"].sum() + row["base_value"].iloc[0] == pytest.approx(out_of_fold[row_id], abs=1e-3 * sd)
        assert (row["start"].to_numpy()[1:] >= row["end"].to_numpy()[:-1]).all()
        assert [caption[start:end] for start, end in zip(row["start"], row["end"], strict=True)] == row["text"].tolist()
        covered = "".join(row["text"])
        assert all(word.strip(".,") in covered for word in caption.split())


def test_the_same_command_again_does_nothing_and_one_changed_option_redoes_what_depends_on_it(
    yoin: Yoin, table: Path, tmp_path: Path
) -> None:
    assert yoin("run", table.name, *QUICK).returncode == 0
    study = tmp_path / "scores.yoin"
    before = {path: path.stat().st_mtime_ns for path in study.iterdir() if path.suffix in (".parquet", ".csv", ".html")}
    again = yoin("run", table.name, *QUICK)
    assert "nothing to do" in again.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before

    assert yoin_package.Study(study).ran == ()
    changed = yoin_package.run(
        table, caption="caption", metric="score", model="tfidf", explain=5, out=study, features=()
    )
    assert changed.ran == ("explain", "drivers", "report")
    assert changed.explanations["row_id"].nunique() == 5

    table.write_text(table.read_text("utf-8").replace("sleeping", "jumping"), "utf-8")
    assert yoin_package.run(table, caption="caption", metric="score", model="tfidf", explain=5, out=study).ran == (
        "table",
        "fetch",
        "caption",
        "repeat",
        "fit",
        "explain",
        "drivers",
        "report",
    )


def test_stage_commands(yoin: Yoin, table: Path, tmp_path: Path) -> None:
    assert yoin("run", table.name, *QUICK, "--out", "s").returncode == 0
    assert "nothing to do" in yoin("report", "s").stdout
    (tmp_path / "s" / "report.html").unlink()
    assert json.loads(yoin("report", "s", "--json").stdout)["ran"] == ["report"]
    assert (tmp_path / "s" / "report.html").exists()
    done = yoin("explain", "s", "--explain", 3, "--save", "page.html", "--json")
    assert json.loads(done.stdout)["ran"] == ["explain"]
    assert done.stderr == "3 explained captions saved to page.html\n"
    assert (tmp_path / "page.html").read_text("utf-8").count("<section>") == 3
    missing = yoin("drivers", tmp_path / "nothing")
    assert missing.returncode == 2
    assert "is not a study" in missing.stderr


def test_sanity_is_added_to_explanations_that_are_there(tmp_path: Path, table: Path) -> None:
    study = yoin_package.run(table, caption="caption", metric="score", model="tfidf", explain=12, out=tmp_path / "s")
    assert study.summary.explanations.sanity is None
    assert study.summary.explanations.deletion.gap > 0
    assert study.frame("interactions.parquet")["row_id"].nunique() == study.summary.explanations.paired == 12
    before = (study.folder / "explanations.parquet").read_bytes()
    checked = pipeline.run_stage(study.folder, "explain", sanity=True)
    assert checked.ran == ("explain",)
    assert (study.folder / "explanations.parquet").read_bytes() == before
    again = pipeline.run_stage(study.folder, "report")
    found = again.summary.explanations.sanity
    assert found.captions > 0
    assert found.passed
    assert abs(found.correlation) < 0.5
    assert "A model that learned from a shuffled metric explains differently" in again.report.read_text("utf-8")
    assert pipeline.run_stage(study.folder, "explain").ran == ()


@pytest.mark.slow
def test_another_encoder_in_the_same_folder_makes_the_fit_out_of_date(
    table: Path, tiny_bert: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    encoder = shutil.copytree(tiny_bert, tmp_path / "encoder")
    study = yoin_package.run(
        table, caption="caption", metric="score", model=f"bert:{encoder}", explain=0, out=tmp_path / "s"
    )
    assert pipeline.run_stage(study.folder, "fit").ran == ()
    weights = load_file(encoder / "model.safetensors")
    save_file({name: value + 0.01 for name, value in weights.items()}, encoder / "model.safetensors", {"format": "pt"})
    assert pipeline.run_stage(study.folder, "fit").ran == ("fit",)


def test_the_report_needs_neither_the_table_nor_a_model(yoin: Yoin, table: Path, tmp_path: Path) -> None:
    assert yoin("run", table.name, *QUICK, "--out", "s").returncode == 0
    page = (tmp_path / "s" / "report.html").read_bytes()
    table.unlink()
    shutil.rmtree(tmp_path / "s" / "models")
    (tmp_path / "s" / "report.html").unlink()
    done = yoin("report", "s")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "s" / "report.html").read_bytes() == page


@pytest.mark.parametrize("command", ["yoin", pytest.param("own_process", marks=pytest.mark.slow)])
def test_json_is_the_summary(command: str, table: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    done = request.getfixturevalue(command)("run", table.name, *QUICK, "--json")
    assert json.loads(done.stdout) == summary_of(tmp_path / "scores.yoin")
    assert done.stderr == ""


@pytest.mark.slow
def test_killed_at_any_moment_a_run_goes_on(yoin: Yoin, table: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yoin", "run", table.name, *map(str, QUICK)]
    for reached in ("study.json", "captions.parquet", "explanations.parquet"):
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
            while not (tmp_path / "scores.yoin" / reached).exists():
                assert run.poll() is None
                time.sleep(0.01)
            run.kill()
        for artefact in (tmp_path / "scores.yoin").glob("*.parquet"):
            pd.read_parquet(artefact)  # never half a file
    done = yoin("run", table.name, *QUICK)
    assert done.returncode == 0, done.stderr
    fresh = yoin_package.run(
        table, caption="caption", metric="score", model="tfidf", explain=12, out=tmp_path / "other"
    )
    resumed = yoin_package.Study(tmp_path / "scores.yoin")
    pd.testing.assert_frame_equal(resumed.predictions, fresh.predictions)
    pd.testing.assert_frame_equal(resumed.drivers, fresh.drivers)


def test_interrupted_a_run_says_so_and_ends_with_130(table: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yoin", "run", table.name, *map(str, QUICK)]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        while not (tmp_path / "scores.yoin" / "captions.parquet").exists():
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        _, said = run.communicate()
    assert run.returncode == 130, said
    # Where it met a callback that cannot raise, Python says so first.
    assert said.endswith("yoin: interrupted; the same command goes on where this one stopped.\n")
    assert "Traceback" not in said or "Exception ignored" in said


def test_shap_plots_run_on_a_study(finished: yoin_package.Study) -> None:
    shap = pytest.importorskip("shap")
    study = finished
    rows = sorted(study.explanations["row_id"].unique())
    explanation = study.explanation(rows[:3])
    assert isinstance(explanation, shap.Explanation)
    assert len(explanation) == 3
    assert "barn" in shap.plots.text(study.explanation(), display=False)
    with pytest.raises(yoin_package.UsageError, match="row 10001"):
        study.explanation([10000])


def test_a_study_shows_itself_in_a_notebook(finished: yoin_package.Study) -> None:
    shown = finished._repr_html_()
    assert shown.startswith('<iframe sandbox="allow-scripts" srcdoc="')
    assert shown.count("<") == 2  # the page inside is text


def test_images_that_could_not_be_reached_are_tried_again(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    with socket.socket() as closed:  # a port that nobody listens on
        closed.bind(("127.0.0.1", 0))
        frame["url"] = f"http://me:s3cret@127.0.0.1:{closed.getsockname()[1]}/a.jpg"
        frame.to_csv(table, index=False)
        options = {
            "image": "url",
            "caption": "caption",
            "metric": "score",
            "model": "tfidf",
            "explain": 0,
            "retries": 0,
        }
        first = yoin_package.run(table, **options, allow_private=True, out=tmp_path / "s")
        assert set(first.frame("media.parquet")["reason"]) == {"connection"}
        assert yoin_package.run(table, **options, allow_private=True, out=tmp_path / "s").ran == ("fetch",)
    # The table's own copy is what the password is read from; nothing else holds it.
    told = [path for path in (tmp_path / "s").iterdir() if path.is_file() and path.name != "table.parquet"]
    assert {"study.json", "summary.json", "report.html", "ledger.db"} <= {path.name for path in told}
    assert not [path.name for path in told if b"s3cret" in path.read_bytes()]


@pytest.mark.slow
def test_the_articles_recipe_is_compared_with_models_that_are_there(
    tmp_path: Path, table: Path, yoin: Yoin, tiny_bert: Path
) -> None:
    study = yoin_package.run(
        table, caption="caption", metric="score", model=f"bert:{tiny_bert}", explain=0, out=tmp_path / "s"
    )
    assert study.summary.recipe is None
    before = (study.folder / "predictions.parquet").read_bytes()
    done = yoin("fit", study.folder, "--recipe", "article", "--recipe-fold", 2)
    assert done.returncode == 0, done.stderr
    assert "R² " in done.stdout
    assert "the article's way" in done.stdout
    assert (study.folder / "predictions.parquet").read_bytes() == before
    again = pipeline.run_stage(study.folder, "report")
    found = again.summary.recipe
    assert (found.fold, found.rows, len(found.epochs)) == (2, 24, 5)
    assert "Beside the usual recipe" in again.report.read_text("utf-8")
    assert pipeline.run_stage(study.folder, "fit").ran == ()


def test_captions_that_quote_any_column_are_named(tmp_path: Path) -> None:
    rows = captions_and_metric()
    rows["title"] = [f"Tale of {first}or{second}en" for first in "BCDFGHJKLMNP" for second in "bdfgklmnrt"]
    rows["caption"] = rows["caption"] + " with the title " + rows["title"]
    rows.to_csv(tmp_path / "titles.csv", index=False)
    study = yoin_package.run(
        tmp_path / "titles.csv", caption="caption", metric="score", model="tfidf", explain=0, out=tmp_path / "s"
    )
    (leak,) = [one for one in study.summary.leaks if one.kind == "column"]
    assert "'title'" in leak.sentence
    assert leak.rows == len(rows)
