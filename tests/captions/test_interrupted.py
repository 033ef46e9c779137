"""Runs that are ended while calls are in flight: at most one sentence, and every request that went out is on record."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.captions import anthropic_server, gemini_server, openai_server
from yoin.ledger import Ledger

SAID = "yoin: interrupted; the same command goes on where this one stopped.\n"
ANSWERED, IN_FLIGHT = 3, 2  # calls when the end comes, at least
KEYS = dict.fromkeys(("GOOGLE_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"), "a-key-of-the-tests")
SERVERS = {
    "openai:tiny": (openai_server.OpenAIServer, openai_server.says("A cat."), openai_server.drips(0.05)),
    "anthropic:tiny": (anthropic_server.AnthropicServer, anthropic_server.says("A cat."), openai_server.drips(0.05)),
    "gemini": (gemini_server.GeminiServer, gemini_server.caption("A cat."), gemini_server.silence()),
}


@pytest.mark.parametrize(
    ("end", "code", "sentence"),
    [(signal.SIGINT, 130, SAID), (signal.SIGKILL, -signal.SIGKILL, "")],
    ids=["Ctrl-C", "killed"],
)
@pytest.mark.parametrize(
    "captioner", ["openai:tiny", *(pytest.param(name, marks=pytest.mark.slow) for name in ("anthropic:tiny", "gemini"))]
)
def test_one_sentence_and_every_request_is_on_record(
    tmp_path: Path, captioner: str, end: signal.Signals, code: int, sentence: str
) -> None:
    for number in range(40):
        Image.new("RGB", (32, 32), (number, 0, 0)).save(tmp_path / f"{number}.png")
    table = pd.DataFrame({"image": [f"{number}.png" for number in range(40)], "score": range(40)})
    table.to_csv(tmp_path / "t.csv", index=False)
    kind, answered, unanswered = SERVERS[captioner]
    with kind() as server:
        server.on(*[answered] * ANSWERED, unanswered)
        command = [sys.executable, "-m", "yoin", "run", "t.csv", "--image", "image", "--metric", "score", "--yes"]
        with subprocess.Popen(
            [*command, "--captioner", f"{captioner}@{server.url}"], cwd=tmp_path, env=os.environ | KEYS,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        ) as run:  # fmt: skip
            while len(server.asked) < ANSWERED + IN_FLIGHT:
                assert run.poll() is None
                time.sleep(0.01)
            run.send_signal(end)
            _, said = run.communicate()
        assert (run.returncode, said) == (code, sentence)
        with Ledger(tmp_path / "t.yoin" / "ledger.db") as ledger:
            calls, _ = ledger.calls_since(captioner.partition(":")[0], datetime.fromtimestamp(0, UTC))
            assert len(ledger.caption_rows()[1]) <= ANSWERED
        assert calls >= len(server.asked)
