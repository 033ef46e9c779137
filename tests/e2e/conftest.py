from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.model.conftest import tiny_bert as tiny_bert
from yoin.cli import main

Yoin = Callable[..., subprocess.CompletedProcess[str]]
KEY = "planted-k3y-that-nobody-may-see"


@pytest.fixture
def yoin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Yoin:
    """The command line, in an empty folder; in this process, for one of its own would import everything anew."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["yoin", *map(str, words)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capfd.readouterr()
        assert "Traceback" not in said.err + said.out
        assert isinstance(end.value.code, int)
        return subprocess.CompletedProcess(sys.argv, end.value.code, said.out, said.err)

    return call


@pytest.fixture
def own_process(tmp_path: Path) -> Yoin:
    """The command line, run as a user runs it, in an empty folder."""

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "yoin", *map(str, words)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        assert "Traceback" not in done.stderr + done.stdout
        return done

    return call


@pytest.fixture
def call(yoin: Yoin, monkeypatch: pytest.MonkeyPatch) -> Yoin:
    """The command line with a key of Gemini’s, which it never shows."""
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)

    def with_key(*words: object) -> subprocess.CompletedProcess[str]:
        done = yoin(*words)
        assert KEY not in done.stdout + done.stderr
        return done

    return with_key


def captions_and_metric(rows: int = 120, seed: int = 0) -> pd.DataFrame:
    """Captions of which "red barn" goes with a higher score; the year matters a little; the rest is noise."""
    random = np.random.default_rng(seed)
    barn, sea, cat = random.random((3, rows)) < 0.5
    year = random.integers(1990, 2020, rows)
    captions = [
        f"{'A red barn' if b else 'A stone wall'} near {'the sea' if s else 'a forest'}. "
        f"{'A sleeping cat' if c else 'An empty bench'} in front, shot {n}."
        for n, (b, s, c) in enumerate(zip(barn, sea, cat, strict=True))
    ]
    score = 5 + 1.5 * barn + 0.02 * (year - 2005) + random.normal(0, 0.5, rows)
    return pd.DataFrame({"caption": captions, "score": score.round(3), "year": year})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "scores.csv"
    captions_and_metric().to_csv(path, index=False)
    return path


def summary_of(study: Path) -> dict:
    return json.loads((study / "summary.json").read_text("utf-8"))
