from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from yoin.errors import StudyError
from yoin.options import RunOptions
from yoin.study import Study, locked


@pytest.fixture
def options(tmp_path: Path) -> RunOptions:
    table = tmp_path / "movies.csv"
    table.write_text("image,rating\na.jpg,1\n")
    return RunOptions(table=table, metric="rating", image="image")


@pytest.fixture
def study(tmp_path: Path, options: RunOptions) -> Study:
    return Study.create(tmp_path / "movies.yoin", options)


def test_a_stage_is_fresh_under_its_key_while_its_artefacts_are_what_it_made(study: Study) -> None:
    study.write_frame("table.parquet", pd.DataFrame({"row_id": [0]}))
    study.finish("table", "key", ["table.parquet"], {"read": 1}, 0.5)
    again = Study(study.folder)
    assert again.fresh("table", "key")
    assert not again.fresh("table", "other key")
    assert again.facts("table") == {"read": 1}
    assert again.seconds == {"table": 0.5}
    (study.folder / "table.parquet").write_bytes(b"changed")
    assert not again.fresh("table", "key")
    (study.folder / "table.parquet").unlink()
    assert not again.fresh("table", "key")


def test_reading_what_is_not_there_says_what_to_do(study: Study) -> None:
    with pytest.raises(StudyError, match=r"captions\.parquet is not there yet; run the earlier stages first"):
        _ = study.captions
    with pytest.raises(StudyError, match="the stage 'fit' has not been run"):
        study.facts("fit")
    with pytest.raises(StudyError, match=r"media\.parquet is not there yet"):
        study.fingerprint(["media.parquet"])


def test_a_folder_that_is_not_a_study_is_refused(tmp_path: Path, options: RunOptions) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with (
        pytest.raises(StudyError, match="is not empty and not a study; choose another --out"),
        locked(tmp_path / "other"),
    ):
        pass
    assert (tmp_path / "other" / "thesis.txt").read_text() == "mine"
    with pytest.raises(StudyError, match="is not a study"):
        Study(tmp_path / "other")
    with pytest.raises(StudyError, match="is not empty and not a study"), locked(options.table):
        pass


def test_a_study_of_another_table_is_refused(study: Study, tmp_path: Path, options: RunOptions) -> None:
    study.remember_table(options.table, "0" * 64)
    study.save()
    other = tmp_path / "ads.csv"
    other.write_text("image,rating\nb.jpg,2\n")
    with pytest.raises(StudyError, match=r"holds a study of another table, movies\.csv; choose another --out"):
        Study.create(study.folder, options.model_copy(update={"table": other}))
    assert Study.create(study.folder, options).folder == study.folder  # the same table, changed since


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 99, "yoin": "9.9"}'])
def test_a_damaged_or_foreign_manifest_is_one_sentence(study: Study, content: str) -> None:
    (study.folder / "study.json").write_text(content)
    with pytest.raises(StudyError):
        Study(study.folder)


def test_a_study_in_use_names_the_other_process(tmp_path: Path) -> None:
    folder = tmp_path / "movies.yoin"
    script = (
        "import sys; from pathlib import Path; from yoin.study import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StudyError, match=f"is in use by process {holder.pid} on"), locked(folder):
            pass
        holder.kill()
    with locked(folder):  # a killed holder leaves no lock behind
        pass


def test_unfinished_work_of_another_key_is_removed(study: Study) -> None:
    (study.work("fit", "a" * 64) / "fold-0").write_text("half")
    assert list(study.work("fit", "a" * 64).iterdir()) != []
    assert list(study.work("fit", "b" * 64).iterdir()) == []
    assert [path.name for path in (study.folder / "work").iterdir()] == ["fit-" + "b" * 16]


def test_csv_neutralises_formulas(study: Study) -> None:
    study.write_csv("drivers.csv", pd.DataFrame({"concept": ["=HYPERLINK(1)", "two faces"], "lift": [-0.5, 0.5]}))
    assert (study.folder / "drivers.csv").read_text() == "concept,lift\n'=HYPERLINK(1),-0.5\ntwo faces,0.5\n"


def test_options_are_resolved_into_the_manifest(study: Study, options: RunOptions) -> None:
    study.save()
    stored = json.loads((study.folder / "study.json").read_text())
    assert stored["options"]["seed"] == 42
    assert Study(study.folder).options == options


def test_a_run_that_was_killed_in_its_first_moment_left_a_study(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / "study.lock").touch()
    (folder / f".study.json.{'0' * 32}").write_text("{")
    with locked(folder):
        assert [item.name for item in sorted(folder.iterdir())] == ["study.lock", "study.owner"]
    (folder / f".photo.jpg.{'0' * 32}").write_text("somebody's")
    with pytest.raises(StudyError, match="not empty and not a study"), locked(folder):
        pass
    assert (folder / f".photo.jpg.{'0' * 32}").exists()
