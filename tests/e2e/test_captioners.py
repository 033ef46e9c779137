"""A captioner behind an API, from the command line, against a server on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import yoin
from tests.captions.answers import by_prompt, planted
from tests.captions.gemini_server import GeminiServer, blocked, caption
from tests.e2e.conftest import KEY, Yoin, summary_of

ROWS = 40


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A table of images; red ones have the higher score."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(ROWS):
        red = number % 2
        Image.new("RGB", (16, 16), (200 if red else 20, number, 60)).save(tmp_path / f"{number}.png")
        rows.append({"image": f"{number}.png", "score": round(5 + 2 * red + random.normal(0, 0.3), 3)})
    path = tmp_path / "pictures.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_captions_that_cost_money(pictures: Path, tmp_path: Path, call: Yoin, own_process: Yoin) -> None:
    with GeminiServer(keys=[KEY]) as server:
        for number in range(ROWS):
            content = (tmp_path / f"{number}.png").read_bytes()
            text = f"A {'red' if number % 2 else 'dark'} square, calm and plain."
            server.on(blocked("SAFETY") if number == 4 else caption(text), media=content)
        command = ("run", pictures.name, "--image", "image", "--metric", "score", "--model", "tfidf", "--explain", 0,
                   "--captioner", f"gemini@{server.url}", "--out", "s")  # fmt: skip

        refused = own_process(*command)
        assert KEY not in refused.stdout + refused.stderr
        assert refused.returncode == 2
        assert "40 captions by gemini" in refused.stderr
        assert "agree with --yes" in refused.stderr
        assert not server.asked

        done = call(*command, "--yes")
        assert done.returncode == 0, done.stderr
        assert len(server.asked) == ROWS
        again = call(*command)
        assert again.returncode == 0, again.stderr
        assert "nothing to do" in again.stdout
        # Another prompt asks anew; the first one's captions are still there, and cost nothing.
        assert call(*command, "--prompt", "thumbnail", "--yes").returncode == 0
        assert len(server.asked) == 2 * ROWS
        assert call(*command).returncode == 0
        assert len(server.asked) == 2 * ROWS

        # A new image: captioned as the others were, and a known one costs nothing.
        asked = len(server.asked)
        Image.new("RGB", (16, 16), (201, 99, 61)).save(tmp_path / "new.png")
        server.on(caption("A red square, calm and plain."), media=(tmp_path / "new.png").read_bytes())
        assert call("score", "s", "new.png").returncode == 2
        assert len(server.asked) == asked
        new = json.loads(call("score", "s", "new.png", "--yes", "--json").stdout)
        known = call("score", "s", "2.png")
        assert len(server.asked) == asked + 1
    assert new["rows"][0]["caption"] == "A red square, calm and plain."
    assert new["rows"][0]["prediction"] == pytest.approx(7, abs=0.5)
    assert new["rows"][0]["low"] < new["rows"][0]["prediction"] < new["rows"][0]["high"]
    assert any("red" in span["text"] and span["value"] > 0.2 for span in new["spans"])
    assert float(known.stdout.removeprefix("2.png: score ").split()[0]) == pytest.approx(5, abs=0.5)
    assert "lower it: " in known.stdout

    summary = summary_of(tmp_path / "s")
    captions = pd.read_parquet(tmp_path / "s" / "captions.parquet")
    assert summary["captions"]["blocked"] == 1
    assert "SAFETY" in captions.loc[captions["status"] == "blocked", "reason"].iloc[0]
    assert summary["captions"]["ok"] == ROWS - 1
    assert summary["captions"]["tokens_in"] > 0
    assert summary["captions"]["cost_usd"] > 0
    assert summary["signal"]["verdict"] == "signal"
    told = [path for path in (tmp_path / "s").rglob("*") if path.is_file()]
    assert not [path.name for path in told if KEY.encode() in path.read_bytes()]


def test_a_wrong_key_and_a_limit_stop_at_once(pictures: Path, tmp_path: Path, call: Yoin) -> None:
    with GeminiServer(keys=["another key"]) as server:
        command = ("run", pictures.name, "--image", "image", "--metric", "score", "--model", "tfidf", "--yes",
                   "--captioner", f"gemini@{server.url}", "--out", "s")  # fmt: skip
        limited = call(*command, "--max-cost", "0.0001")
        assert limited.returncode == 2
        assert "higher --max-cost" in limited.stderr
        assert not server.asked
        wrong = call(*command)
        assert wrong.returncode == 2
        assert "key" in wrong.stderr
        assert len(server.asked) <= 8  # those in flight


@pytest.mark.slow
def test_captions_go_from_study_to_study(pictures: Path, tmp_path: Path, call: Yoin) -> None:
    run = ("run", pictures.name, "--image", "image", "--metric", "score", "--model", "tfidf", "--explain", 0)
    with GeminiServer(keys=[KEY]) as server:
        for number in range(ROWS):
            content = (tmp_path / f"{number}.png").read_bytes()
            server.on(caption(f"A {'red' if number % 2 else 'dark'} square, calm and plain."), media=content)
        asking = (*run, "--captioner", f"gemini@{server.url}", "--yes")
        assert call(*asking, "--out", "first").returncode == 0
        assert len(server.asked) == ROWS

        # Through the ledger: the second study asks nothing.
        assert "40 captions written" in call("export", "first", "paid.parquet").stdout
        others = ("--captions", "first/captions.parquet", "--limit", 30, "--out", "second")
        assert call(*run, *others).returncode == 0
        assert "40 captions taken over" in call("import", "second", "paid.parquet").stdout
        assert call(*asking, "--out", "second").returncode == 0
        assert len(server.asked) == ROWS
    damaged = call("import", "second", pictures.name)
    assert damaged.returncode == 2
    assert "cannot be read as Parquet" in damaged.stderr

    # As a file of captions: no captioner, and the same result.
    brought = call(*run, "--captions", "first/captions.parquet", "--out", "third")
    assert brought.returncode == 0, brought.stderr
    first, third = summary_of(tmp_path / "first"), summary_of(tmp_path / "third")
    assert third["captions"]["captioner"] == "given"
    assert third["captions"]["calls"] == 0
    assert third["signal"] == first["signal"]
    nearly = call(*run, "--captions", "first/caption.parquet", "--out", "third")
    assert nearly.returncode == 2
    assert "captions.parquet" in nearly.stderr


@pytest.mark.slow
def test_prompts_are_compared_and_the_best_one_goes_on_without_the_rows_that_chose(tmp_path: Path, call: Yoin) -> None:
    table, telling, idle = planted(tmp_path, 90)
    words = {"what draws the eye": telling, "": idle}  # the first stands in the prompt for advertising alone
    with GeminiServer(keys=[KEY]) as server:
        server.on(by_prompt({word: seen.__getitem__ for word, seen in words.items()}))
        run = ("run", table.name, "--image", "image", "--metric", "score", "--model", "tfidf", "--explain", 0,
               "--captioner", f"gemini@{server.url}", "--out", "s")  # fmt: skip
        assert call(*run).returncode == 2  # not agreed to; the images are there now
        compare = ("prompts", "compare", "s", "real-estate", "advertising", "--sample", 40)
        refused = call(*compare)
        assert refused.returncode == 2
        assert "120 captions by gemini" in refused.stderr
        assert not server.calls
        done = call(*compare, "--yes")
        assert done.returncode == 0, done.stderr
        assert len(server.calls) == 120
        assert "advertising is ahead on the 40 rows that choose" in done.stdout
        assert "--prompt advertising" in done.stdout
        again = json.loads(call(*compare[:1], *compare[2:], "--json").stdout)
        assert again["ranked"][0]["prompt"] == "advertising"
        assert again["r2_low"] > 0

        went_on = call(*run, "--prompt", "advertising", "--repeat", 2, "--repeat-sample", 5, "--yes")
        assert went_on.returncode == 0, went_on.stderr
        assert len(server.calls) == 120 + 10 + 5  # the rows neither side had drawn, and the repeats
    summary = summary_of(tmp_path / "s")
    assert summary["rows"]["used"] == 50
    assert summary["rows"]["dropped"] == {"chose_prompt": 40}
    assert summary["choice"]["judged"] == 40
    assert summary["captions"]["repeats"] == 5
    assert pd.read_parquet(tmp_path / "s" / "caption_repeats.parquet")["repeat"].tolist() == [1] * 5


def test_another_number_of_repeats_makes_neither_captions_nor_models_anew(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    with GeminiServer(keys=[KEY]) as server:

        def run(repeat: int, sample: int) -> tuple[str, ...]:
            options = {"captioner": f"gemini@{server.url}", "model": "tfidf", "explain": 0}
            return yoin.run(
                pictures,
                image="image",
                metric="score",
                out=tmp_path / "s",
                repeat=repeat,
                repeat_sample=sample,
                **options,
            ).ran

        run(1, 100)
        assert len(server.calls) == ROWS
        assert run(3, 4) == ("repeat", "report")
        assert len(server.calls) == ROWS + 8
        assert run(2, 6) == ("repeat", "report")
        assert len(server.calls) == ROWS + 8 + 2
        assert len(yoin.Study(tmp_path / "s").frame("caption_repeats.parquet")) == 6
        assert run(1, 6) == ("repeat", "report")
        assert len(yoin.Study(tmp_path / "s").frame("caption_repeats.parquet")) == 0
        assert len(server.calls) == ROWS + 8 + 2
