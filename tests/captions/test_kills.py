"""Runs that are killed at random moments: what was paid for is kept."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from tests.captions.gemini_server import GeminiServer, caption
from yoin import loop
from yoin.captions import call_key
from yoin.captions.gemini import Gemini
from yoin.ledger import Ledger
from yoin.options import CaptionOptions, Spec

KILLS = 20
MEDIA = 800
AT_ONCE = 8

RUN = """
import sys
from pathlib import Path
import pandas as pd
from yoin.captions import caption
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Media, Medium

url, workers = sys.argv[1], int(sys.argv[2])
items = {
    path.stem: Medium(media_id=path.stem, path=path, mime="image/png", width=4, height=4, bytes=path.stat().st_size)
    for path in sorted(Path("media").iterdir())
}
rows = pd.DataFrame({"media_id": list(items), "reason": "", "detail": ""}, dtype="string").rename_axis("row_id")
with Ledger(Path("ledger.db")) as ledger:
    options = CaptionOptions(captioner=f"gemini@{url}", workers=workers)
    made = caption(Media(rows=rows, items=items), ledger=ledger, options=options)
print((made.frame["status"] == "ok").sum())
"""


def committed(folder: Path, keys: dict[str, str]) -> set[str]:
    """The media whose captions the ledger holds."""
    with Ledger(folder / "ledger.db") as ledger:
        known = ledger.captions(keys.values())
    return {media_id for media_id, key in keys.items() if key in known}


def calls_on_record(folder: Path) -> int:
    """Those too that were in flight when their run was killed."""
    with Ledger(folder / "ledger.db") as ledger:
        return ledger.calls_since("gemini", datetime.fromtimestamp(0, UTC))[0]


@pytest.mark.slow
def test_killed_at_twenty_random_moments_nothing_that_was_kept_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key-of-the-tests")
    (tmp_path / "media").mkdir()
    (tmp_path / "run.py").write_text(RUN, "utf-8")
    contents: dict[bytes, str] = {}
    for number in range(MEDIA):
        path = tmp_path / "media" / "new.png"
        Image.new("RGB", (4, 4), (number % 256, number // 256, 0)).save(path)
        content = path.read_bytes()
        contents[content] = hashlib.sha256(content).hexdigest()
        path.rename(path.with_name(f"{contents[content]}.png"))
    assert len(contents) == MEDIA

    chance = random.Random(7)
    with GeminiServer() as server:
        server.on(caption("A plain square.", pause=0.05))
        captioner = Gemini(Spec.parse(f"gemini@{server.url}"), CaptionOptions())
        loop.run(captioner.aclose)
        parts = {"captioner": "gemini", "base_url": server.url, "model": captioner.model_version}
        keys = {
            media_id: call_key(media_id, **parts, prompt_id=captioner.prompt_id, settings=captioner.settings)
            for media_id in contents.values()
        }
        command = [sys.executable, "run.py", server.url, str(AT_ONCE)]
        for kills in range(1, KILLS + 1):
            asked = len(server.calls)
            with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as run:
                # At a random moment after the first answer: calls are in flight, others are being committed.
                until = asked + 1 + chance.randrange(16)
                while len(server.calls) < until and run.poll() is None:
                    time.sleep(0.002)
                time.sleep(chance.uniform(0, 0.06))
                assert run.poll() is None
                os.kill(run.pid, signal.SIGKILL)
            # Whatever was asked and is not kept was in flight when a run was killed.
            assert len(server.calls) - len(committed(tmp_path, keys)) <= kills * AT_ONCE
            assert len(server.calls) <= calls_on_record(tmp_path) <= len(server.calls) + kills * AT_ONCE
        kept = committed(tmp_path, keys)
        assert 0 < len(kept) < MEDIA
        asked = len(server.calls)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == str(MEDIA)
        last = Counter(contents[medium] for call in server.calls[asked:] for _, medium in call.media)
        assert not kept & last.keys()
        assert kept | last.keys() == set(contents.values())
        assert sum(last.values()) - len(last) <= AT_ONCE  # the last kill's, heard late
    assert committed(tmp_path, keys) == set(contents.values())
