from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from yoin.errors import StudyError
from yoin.ledger import BatchJob, Ledger, MediumRecord, disk_errors
from yoin.values import Caption

CAPTION = Caption(
    text="Two faces.",
    status="ok",
    model_version="m-1",
    tokens_in=3,
    tokens_out=2,
    cost_usd=0.5,
    seconds=1.5,
    attempts=3,
)


def test_what_was_put_is_found_again(tmp_path: Path) -> None:
    record = MediumRecord("/a/b c.jpg", "10:20", "ab" * 32, mime="image/jpeg", width=4, height=5, bytes=10)
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.put_media([record])
        ledger.put_caption("key", "ab", "describe", "", CAPTION)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.media() == {record.source: record}
        assert ledger.captions(["other", "key", "key"]) == {"key": CAPTION}


def test_a_later_outcome_replaces_an_earlier_one(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.put_caption("key", "ab", "describe", "", Caption(text="", status="failed", reason="timeout"))
        ledger.put_caption("key", "ab", "describe", "", CAPTION)
        assert ledger.captions(["key"])["key"].status == "ok"


def test_what_replaced_captions_cost_is_not_forgotten(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        for _ in range(3):
            ledger.put_caption("key", "ab", "gemini", "", CAPTION)
        ledger.put_caption("other", "ab", "describe", "", CAPTION)
        assert ledger.spent("gemini") == 1.5
        assert ledger.spent("nobody") == 0


def test_calls_are_counted_from_a_time_on(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.put_caption("one", "ab", "gemini", "", CAPTION)
        ledger.put_caption("two", "ab", "gemini", "", CAPTION)
        calls, first = ledger.calls_since("gemini", now - timedelta(seconds=5))
        assert calls == 6
        assert first is not None
        assert abs(first - now) < timedelta(minutes=1)
        assert ledger.calls_since("gemini", now + timedelta(hours=1)) == (0, None)


def test_calls_of_which_no_caption_came_are_counted_too(tmp_path: Path) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.lose_calls("one", "gemini", 2, 0.25)
        assert (ledger.spent("gemini"), ledger.calls_since("gemini", since)[0]) == (0.25, 2)
        for _ in range(2):
            ledger.put_caption("one", "ab", "gemini", "", CAPTION)
        ledger.put_caption("two", "ab", "gemini", "", CAPTION)
        assert ledger.spent("gemini") == 0.25 + 3 * CAPTION.cost_usd
        assert ledger.calls_since("gemini", since)[0] == 2 + 3 * CAPTION.attempts
        assert ledger.spent_besides(["one", "one", "none"]) == 0.25 + CAPTION.cost_usd
        assert ledger.spent_besides(["two"]) == 0
        assert ledger.calls_since("describe", since) == (0, None)


def test_calls_that_were_sent_and_never_settled_are_counted_too(tmp_path: Path) -> None:
    since = datetime.now(UTC) - timedelta(hours=1)
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.lose_calls("captioned", "gemini", 1, 0.5)  # of an earlier run
        for key in ("captioned", "lost", "killed"):
            ledger.send_calls(key, "gemini", 1, 0.25)
            ledger.send_calls(key, "gemini", 2, 1.0)
        assert (ledger.spent("gemini"), ledger.calls_since("gemini", since)[0]) == (3.5, 7)
        ledger.put_caption("captioned", "ab", "gemini", "", CAPTION)
        ledger.lose_calls("lost", "gemini", 2, 0.75)
        ledger.lose_calls("lost", "gemini", 1, 0.0)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.spent_besides(["captioned"]) == 0.5
        assert ledger.spent("gemini") == 0.5 + CAPTION.cost_usd + 0.75 + 1.0
        assert ledger.calls_since("gemini", since)[0] == 1 + CAPTION.attempts + 3 + 2


def test_a_ledger_of_an_earlier_version_gets_the_new_columns(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as old, old:
        old.execute(
            "CREATE TABLE captions (key TEXT PRIMARY KEY, media_id TEXT NOT NULL, captioner TEXT NOT NULL,"
            " prompt_id TEXT NOT NULL, text TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,"
            " model_version TEXT NOT NULL, tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL,"
            " cost_usd REAL NOT NULL, seconds REAL NOT NULL, at TEXT NOT NULL) WITHOUT ROWID"
        )
        old.execute("INSERT INTO captions VALUES ('k', 'm', 'gemini', '', 'A cat.', 'ok', '', 'v', 1, 2, 0.5, 1, 'x')")
    for _ in range(2):
        with Ledger(tmp_path / "ledger.db") as ledger:
            found = ledger.captions(["k"])["k"]
            assert (found.text, found.attempts, ledger.spent("gemini")) == ("A cat.", 1, 0.5)
            ledger.put_caption("key", "ab", "describe", "", CAPTION)
            assert ledger.captions(["key"]) == {"key": CAPTION}


def test_more_keys_than_sqlite_binds(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        for number in range(3):
            ledger.put_caption(f"k{number}", "ab", "describe", "", CAPTION)
        assert set(ledger.captions(f"k{number}" for number in range(40_000))) == {"k0", "k1", "k2"}


def test_threads_share_it(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger, ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: ledger.put_media([MediumRecord(str(n), "", None, "not_found")]), range(50)))
        assert len(ledger.media()) == 50


def test_what_is_committed_survives_a_kill(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from yoin.ledger import Ledger; from yoin.values import Caption\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for n in range(10**6):\n"
        "    ledger.put_caption(str(n), 'ab', 'describe', '', Caption(text='t', status='ok'))\n"
        "    print(n, flush=True)\n"
    )
    path = tmp_path / "ledger.db"
    with subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [int(next(writer.stdout)) for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
    with Ledger(path) as ledger:
        assert set(ledger.captions(map(str, told))) == {str(number) for number in told}


def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"<html>" * 1000)
    with pytest.raises(StudyError, match=r"ledger\.db is not a ledger or is damaged; move it away"):
        Ledger(tmp_path / "ledger.db")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence() -> None:
    with pytest.raises(StudyError, match="the disk is full; free some space"), disk_errors("study"):
        Path("/dev/full").write_text("x")


def test_a_batch_job_is_remembered_before_it_is_sent_and_holds_its_calls_until_it_is_closed(tmp_path: Path) -> None:
    job = BatchJob("ours", "", "gemini", "host/model", "p", {"k1": "m1", "k2": "m2"})
    with Ledger(tmp_path / "ledger.db") as ledger:
        ledger.intend_batch(job)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.open_batches() == [job]
        with pytest.raises(StudyError, match="in a batch job already"):
            ledger.intend_batch(BatchJob("second", "", "gemini", "host/model", "p", {"k3": "m3", "k2": "m2"}))
        ledger.name_batch("ours", "batches/1")
        assert ledger.open_batches() == [replace(job, job="batches/1")]
        ledger.close_batch("ours", "expired")
        assert ledger.open_batches() == []
        again = BatchJob("third", "", "gemini", "host/model", "p", {"k2": "m2"})
        ledger.intend_batch(again)
        assert ledger.open_batches() == [again]
