"""Every medium is captioned once, whatever happens to some of them."""

from __future__ import annotations

import asyncio
import gc
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given as having
from hypothesis import strategies as st

from tests.captions.scripted import Scripted, media_of
from yoin.captions import call_key, caption, given
from yoin.captions.base import Captioner
from yoin.errors import StudyError, UsageError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import CAPTION_COLUMNS, Caption, Medium

OPTIONS = CaptionOptions(captioner="scripted")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def test_one_row_a_row_in_its_order(ledger: Ledger) -> None:
    captioner: Captioner = Scripted()
    made = caption(media_of("b", None, "a", "b"), ledger=ledger, options=OPTIONS, captioner=captioner)
    assert tuple(made.frame.columns) == CAPTION_COLUMNS
    assert made.frame["row_id"].tolist() == [10, 11, 12, 13]
    assert made.frame["caption"].tolist() == ["A b.", "", "A a.", "A b."]
    assert made.frame["status"].tolist() == ["ok", "missing", "ok", "ok"]
    assert made.frame["reason"].tolist() == ["", "no_file", "", ""]
    assert made.frame["media_id"].isna().tolist() == [False, True, False, False]
    assert set(made.frame["captioner"]) == {"scripted"}
    assert made.frame["model_version"].tolist() == ["scripted-1", "", "scripted-1", "scripted-1"]
    assert (made.captioner, made.calls, made.tokens_in, made.tokens_out, made.cost_usd) == ("scripted", 2, 20, 4, 1.0)


def test_the_same_medium_is_captioned_once_and_never_more_at_once_than_stated(ledger: Ledger) -> None:
    captioner = Scripted()
    caption(media_of(*"abcabcabcdefgh"), ledger=ledger, options=OPTIONS, captioner=captioner)
    assert set(captioner.asked.values()) == {1}
    assert len(captioner.asked) == 8
    assert captioner.most_at_once == 2
    assert captioner.closed == 1


def test_a_second_run_makes_no_calls(ledger: Ledger) -> None:
    media = media_of("a", "b", None)
    first = caption(media, ledger=ledger, options=OPTIONS, captioner=Scripted())
    again = Scripted()
    second = caption(media, ledger=ledger, options=OPTIONS, captioner=again)
    assert not again.asked
    assert (first.calls, second.calls) == (2, 0)
    assert second.tokens_in == first.tokens_in
    pd.testing.assert_frame_equal(first.frame, second.frame)


def test_failures_are_records_and_are_tried_again_next_time(ledger: Ledger) -> None:
    async def act(medium: Medium) -> Caption:
        if str(medium.path) == "bad":
            raise ValueError("cannot\n  read")
        if str(medium.path) == "rude":
            return Caption(text="", status="blocked", reason="SAFETY")
        return Caption(text="Fine.", status="ok")

    media = media_of("a", "bad", "rude", "b")
    made = caption(media, ledger=ledger, options=OPTIONS, captioner=Scripted(act=act))
    assert made.frame["status"].tolist() == ["ok", "failed", "blocked", "ok"]
    assert made.frame["reason"].tolist() == ["", "ValueError: cannot read", "SAFETY", ""]
    better = Scripted()
    made = caption(media, ledger=ledger, options=OPTIONS, captioner=better)
    assert sorted(better.asked) == ["bad"]  # what was blocked would be so again
    assert made.frame["status"].tolist() == ["ok", "ok", "blocked", "ok"]


def test_half_a_character_is_a_question_mark(ledger: Ledger, tmp_path: Path) -> None:
    async def act(medium: Medium) -> Caption:
        if str(medium.path) == "a":
            return Caption(text="A \ud83d cat.", status="ok")
        return Caption(text="", status="failed", reason="\udc00?")

    made = caption(media_of("a", "b"), ledger=ledger, options=OPTIONS, captioner=Scripted(act=act))
    assert made.frame["caption"].tolist() == ["A ? cat.", ""]
    assert made.frame["reason"].tolist() == ["", "??"]
    made.frame.to_parquet(tmp_path / "captions.parquet")


def test_progress_counts_distinct_media(ledger: Ledger) -> None:
    seen: list[tuple[int, int, str]] = []

    async def act(medium: Medium) -> Caption:
        if str(medium.path) == "bad":
            raise ValueError
        return Caption(text="Fine.", status="ok")

    caption(media_of("a"), ledger=ledger, options=OPTIONS, captioner=Scripted(act=act))
    caption(
        media_of("a", "a", "b", "bad", None),
        ledger=ledger,
        options=OPTIONS,
        captioner=Scripted(act=act),
        progress=lambda done, total, note: seen.append((done, total, note)),
    )
    assert [(done, total) for done, total, _ in seen] == [(1, 3), (2, 3), (3, 3)]
    assert seen[-1][2] == "1 without a caption"


def test_an_error_that_concerns_every_medium_ends_the_stage(ledger: Ledger) -> None:
    async def act(medium: Medium) -> Caption:
        if str(medium.path) == "b":
            raise UsageError("the key is wrong", stage="captions")
        await asyncio.sleep(0.01)
        return Caption(text="Fine.", status="ok")

    captioner = Scripted(act=act)
    with pytest.raises(UsageError, match="the key is wrong"):
        caption(media_of(*"abcdefgh"), ledger=ledger, options=OPTIONS, captioner=captioner)
    assert captioner.closed == 1
    assert len(captioner.asked) < 8


def test_a_ledger_that_cannot_be_written_ends_the_stage(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
            other.execute("DROP TABLE captions")
            other.execute("CREATE TABLE captions (key)")
        with pytest.raises(StudyError):
            caption(media_of("a"), ledger=ledger, options=OPTIONS, captioner=Scripted())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_an_interrupt_passes_and_what_was_made_stays(
    ledger: Ledger, error: type[BaseException], caplog: pytest.LogCaptureFixture
) -> None:
    async def act(medium: Medium) -> Caption:
        if str(medium.path) == "c":
            raise error
        await asyncio.sleep(0)
        return Caption(text="Fine.", status="ok")

    captioner = Scripted(act=act)
    with pytest.raises(error):
        caption(media_of(*"abcdefgh"), ledger=ledger, options=OPTIONS, captioner=captioner)
    assert captioner.closed == 1
    gc.collect()  # asyncio speaks of a task that nobody asked for its exception when the task goes
    assert not caplog.records
    resumed = Scripted()
    made = caption(media_of(*"abcdefgh"), ledger=ledger, options=OPTIONS, captioner=resumed)
    assert not {"a", "b"} <= set(resumed.asked)
    assert made.frame["status"].tolist() == ["ok"] * 8


def test_it_works_inside_a_running_event_loop(ledger: Ledger) -> None:
    async def notebook() -> list[str]:
        made = caption(media_of("a", "b"), ledger=ledger, options=OPTIONS, captioner=Scripted())
        return made.frame["caption"].tolist()

    async def act(medium: Medium) -> Caption:
        raise UsageError("the key is wrong", stage="captions")

    async def failing() -> None:
        caption(media_of("c"), ledger=ledger, options=OPTIONS, captioner=Scripted(act=act))

    assert asyncio.run(notebook()) == ["A a.", "A b."]
    with pytest.raises(UsageError, match="the key is wrong"):
        asyncio.run(failing())


def test_an_unknown_captioner_is_one_sentence(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match=r"no captioner named 'descirbe'.*describe"):
        caption(media_of("a"), ledger=ledger, options=CaptionOptions(captioner="descirbe"))


INTERRUPTED = """
import asyncio, sys
from pathlib import Path
from tests.captions.scripted import Scripted, media_of
from yoin.captions import caption
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Caption

async def act(medium):
    await asyncio.sleep(0.02)
    with open("answered", "a") as log:
        log.write(f"{medium.path}\\n")
    return Caption(text="Fine.", status="ok")

def main():
    with Ledger(Path("ledger.db")) as ledger:
        media = media_of(*map(str, range(int(sys.argv[1]))))
        caption(media, ledger=ledger, options=CaptionOptions(captioner="scripted"), captioner=Scripted(act=act))

async def notebook():
    main()

if sys.argv[2:] == ["notebook"]:
    asyncio.new_event_loop().run_until_complete(notebook())  # as a notebook's kernel does
else:
    main()
"""


def run_until_answers(folder: Path, *arguments: str, answers: int, end: signal.Signals) -> tuple[int, str]:
    """Run `INTERRUPTED` and end it after so many answers; returns its code and what it said on stderr."""
    (folder / "script.py").write_text(f"import sys\nsys.path.insert(0, {str(ROOT)!r})\n{INTERRUPTED}")
    with subprocess.Popen(
        [sys.executable, "script.py", "200", *arguments], cwd=folder, stderr=subprocess.PIPE, text=True
    ) as process:
        log = folder / "answered"
        while not log.exists() or len(log.read_text().splitlines()) < answers:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(end)
        said = process.communicate()[1]
    return process.returncode, said


def test_a_killed_run_loses_at_most_what_was_in_flight(tmp_path: Path) -> None:
    run_until_answers(tmp_path, answers=20, end=signal.SIGKILL)
    answered = len((tmp_path / "answered").read_text().splitlines())
    resumed = Scripted()
    with Ledger(tmp_path / "ledger.db") as ledger:
        made = caption(media_of(*map(str, range(200))), ledger=ledger, options=OPTIONS, captioner=resumed)
    assert made.frame["status"].eq("ok").all()
    assert 200 - answered <= made.calls <= 200 - answered + Scripted.concurrency


@pytest.mark.parametrize("where", ["script", "notebook"])
def test_ctrl_c_ends_the_run_at_once_and_it_resumes(tmp_path: Path, where: str) -> None:
    code, said = run_until_answers(tmp_path, where, answers=10, end=signal.SIGINT)
    assert code != 0
    assert said.rstrip().endswith("KeyboardInterrupt")
    answered = len((tmp_path / "answered").read_text().splitlines())
    assert answered < 200
    resumed = Scripted()
    with Ledger(tmp_path / "ledger.db") as ledger:
        made = caption(media_of(*map(str, range(200))), ledger=ledger, options=OPTIONS, captioner=resumed)
    assert 200 - answered <= made.calls <= 200 - answered + Scripted.concurrency


def test_given_captions_keep_their_rows() -> None:
    column = pd.Series(["A cat.", None, "  ", " 猫。", float("nan")], index=[3, 5, 6, 8, 9])
    made = given(column)
    assert tuple(made.frame.columns) == CAPTION_COLUMNS
    assert made.frame["row_id"].tolist() == [3, 5, 6, 8, 9]
    assert made.frame["caption"].tolist() == ["A cat.", "", "", " 猫。", ""]
    assert made.frame["status"].tolist() == ["ok", "missing", "missing", "ok", "missing"]
    assert made.frame["reason"].tolist() == ["", "no_caption", "no_caption", "", "no_caption"]
    assert made.frame["media_id"].isna().all()
    assert (made.captioner, made.calls) == ("given", 0)
    assert set(made.frame["captioner"]) == {"given"}


def test_given_reads_pandas_own_blanks() -> None:
    assert given(pd.Series(["x", pd.NA], dtype="string")).frame["status"].tolist() == ["ok", "missing"]
    assert len(given(pd.Series([], dtype="string")).frame) == 0


PARTS = {"captioner": "c", "base_url": "http://x", "model": "m", "prompt_id": "p"}


def test_a_call_is_known_by_all_that_decides_its_text() -> None:
    same = call_key("a", **PARTS, settings={"x": 1, "y": 2})
    assert same == call_key("a", **PARTS, settings={"y": 2, "x": 1})
    others = {call_key("a", **{**PARTS, part: "other"}, settings={"x": 1, "y": 2}) for part in PARTS}
    others |= {call_key("b", **PARTS, settings={"x": 1, "y": 2}), call_key("a", **PARTS, settings={"x": 1, "y": 3})}
    others |= {call_key("a", **PARTS, settings={"x": 1, "y": 2}, repeat=1)}
    assert len(others) == 7
    assert same not in others


@having(st.text(), st.text(), st.text())
def test_neighbouring_parts_do_not_run_together(one: str, two: str, three: str) -> None:
    def key(model: str, prompt: str) -> str:
        return call_key("a", captioner="c", base_url="", model=model, prompt_id=prompt, settings={})

    assert (key(one + two, three) == key(one, two + three)) == (two == "")
