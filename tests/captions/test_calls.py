"""Calls are tried again, paced and paid for with care; where nothing helps the stage stops and loses nothing."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.captions.scripted import Scripted, media_of, medium
from tests.captions.virtual import run_virtually
from yoin.amounts import dollars
from yoin.captions import caption
from yoin.captions.base import Passing, Throttled, may_call_again
from yoin.captions.calls import Calls, Progressed
from yoin.errors import UsageError, YoinError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Caption, Medium

OPTIONS = CaptionOptions(captioner="scripted")
MODEL = "gemini-2.5-flash"  # has a price
FINE = Caption(text="Fine.", status="ok", model_version=MODEL, tokens_in=1000, tokens_out=100)
COST = 1000 * 0.3e-6 + 100 * 2.5e-6


class Service(Scripted):
    """A captioner of a service that costs."""

    model_version = MODEL
    provider = "google"
    endpoint = "service/model"
    concurrency = 8


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


def work(
    ledger: Ledger, captioner: Scripted, count: int, options: CaptionOptions = OPTIONS
) -> tuple[dict[str, Caption], list[Progressed]]:
    """Caption so many media in virtual time, and put them into the ledger as the stage does."""
    kept: dict[str, Caption] = {}
    told: list[Progressed] = []

    def keep(one: Medium, made: Caption) -> None:
        assert str(one.path) not in kept
        kept[str(one.path)] = made
        ledger.put_caption(one.media_id, one.media_id, captioner.name, captioner.prompt_id, made)

    def send(one: Medium, calls: int, cost_usd: float) -> None:
        ledger.send_calls(one.media_id, captioner.name, calls, cost_usd)

    def lose(one: Medium, calls: int, cost_usd: float) -> None:
        ledger.lose_calls(one.media_id, captioner.name, calls, cost_usd)

    async def go() -> None:
        media = [medium(str(number)) for number in range(count)]
        await Calls(
            captioner, options, media, captioned=0, ledger=ledger, keep=keep, send=send, lose=lose, tell=told.append
        ).run()

    run_virtually(go())
    return kept, told


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10**6), faults=st.floats(0, 0.4), refusals=st.floats(0, 0.2))
def test_faults_that_pass_cost_no_caption(
    tmp_path_factory: pytest.TempPathFactory, seed: int, faults: float, refusals: float
) -> None:
    luck = random.Random(seed)
    calls: Counter[str] = Counter()

    async def act(one: Medium) -> Caption:
        calls[str(one.path)] += 1
        await asyncio.sleep(luck.random())
        drawn = luck.random()
        if drawn < faults:
            raise Passing("fault", wait=luck.choice([0, 3]))
        if drawn < faults + refusals:
            raise Throttled("too many", wait=luck.choice([0, 5]))
        return FINE

    captioner = Service(act=act)
    with Ledger(tmp_path_factory.mktemp("calls") / "ledger.db") as ledger:
        kept, told = work(ledger, captioner, 60, CaptionOptions(captioner="scripted", call_retries=20))
    assert {made.status for made in kept.values()} == {"ok"}
    assert {name: made.attempts for name, made in kept.items()} == dict(calls)
    assert told[-1].done == 60
    assert captioner.most_at_once <= captioner.concurrency
    assert captioner.closed == 1


def test_a_fault_that_stays_is_a_record_after_the_retries(ledger: Ledger) -> None:
    async def act(one: Medium) -> Caption:
        if str(one.path) == "3":
            raise Passing("the server\n answered 500")
        return FINE

    kept, told = work(ledger, Service(act=act), 10, CaptionOptions(captioner="scripted", call_retries=2))
    assert (kept["3"].status, kept["3"].reason, kept["3"].attempts) == ("failed", "the server answered 500", 3)
    assert Counter(made.status for made in kept.values()) == {"ok": 9, "failed": 1}
    assert told[-1].note == f"{dollars(sum([COST] * 9))}, 1 without a caption, 2 tried again"


def test_waits_are_honoured(ledger: Ledger) -> None:
    times: list[float] = []

    async def act(one: Medium) -> Caption:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 1:
            raise Throttled("too many", wait=100)
        if len(times) == 2:
            raise Passing("down", wait=200)
        return FINE

    work(ledger, Service(act=act), 1)
    assert times[1] - times[0] >= 100
    assert times[2] - times[1] >= 200


def test_attempts_of_the_captioner_itself_count(ledger: Ledger) -> None:
    asked = 0

    async def act(one: Medium) -> Caption:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise Passing("down")
        return Caption(text="Fine.", status="ok", attempts=2)

    kept, _ = work(ledger, Service(act=act), 1)
    assert kept["0"].attempts == 3


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Throttled("quota", daily=True), r"quota is used up \(quota\); \d+ captioned, \d+ left; run again tomorrow"),
        (Throttled("quota", daily=True, wait=7200), r"run again after \d{4}-\d\d-\d\d \d\d:\d\d to go on"),
        (Throttled("rest", wait=3600), r"wants to be left alone \(rest\); \d+ captioned, \d+ left; run again after"),
    ],
)  # fmt: skip
def test_a_days_quota_ends_the_run_and_keeps_what_comes_back(ledger: Ledger, error: Throttled, said: str) -> None:
    answered = 0

    async def act(one: Medium) -> Caption:
        nonlocal answered
        await asyncio.sleep(1 + int(str(one.path)) % 3)
        if answered >= 20:
            raise error
        answered += 1
        return FINE

    captioner = Service(act=act)
    with pytest.raises(YoinError, match=said) as caught:
        work(ledger, captioner, 100)
    found = ledger.captions(medium(str(number)).media_id for number in range(100))
    assert len(found) == answered == 20
    assert "20 captioned, 80 left" in str(caught.value)
    assert captioner.closed == 1


def test_where_nothing_succeeds_it_stops_with_the_most_frequent_reason(ledger: Ledger) -> None:
    async def act(one: Medium) -> Caption:
        return Caption(text="", status="failed", reason="odd" if str(one.path) == "0" else "no such thing")

    captioner = Service(act=act)
    with pytest.raises(YoinError, match="not one of the first 20 media got a caption, most often because: no such"):
        work(ledger, captioner, 500)
    assert len(captioner.asked) <= 20 + captioner.concurrency


def test_a_server_that_is_down_stops_it_early(ledger: Ledger) -> None:
    async def act(one: Medium) -> Caption:
        raise Passing("connection refused")

    captioner = Service(act=act)
    with pytest.raises(YoinError, match="calls succeeded, most often because: connection refused; 0 captioned, 500"):
        work(ledger, captioner, 500)
    assert sum(captioner.asked.values()) <= 40 + captioner.concurrency


def test_a_service_that_refuses_everything_stops_it(ledger: Ledger) -> None:
    async def act(one: Medium) -> Caption:
        raise Throttled("limit: 0")

    captioner = Service(act=act)
    with pytest.raises(YoinError, match=r"refuses every call.*limit: 0"):
        work(ledger, captioner, 500)
    assert sum(captioner.asked.values()) <= 40


def test_a_server_that_dies_later_stops_it_too(ledger: Ledger) -> None:
    answered = 0

    async def act(one: Medium) -> Caption:
        nonlocal answered
        if answered >= 30:
            raise Passing("connection refused")
        answered += 1
        return FINE

    with pytest.raises(YoinError, match=r"20 media in a row got no caption.*30 captioned, 470 left"):
        work(ledger, Service(act=act), 500, CaptionOptions(captioner="scripted", call_retries=1))


def test_images_that_fail_one_by_one_do_not_stop_a_captioner_without_an_endpoint(ledger: Ledger) -> None:
    async def act(one: Medium) -> Caption:
        raise ValueError("unreadable")

    kept, _ = work(ledger, Scripted(act=act), 100)
    assert len(kept) == 100


@settings(max_examples=15, deadline=None, derandomize=True)
@given(limit=st.floats(0, 0.05), seed=st.integers(0, 1000))
def test_the_limit_of_the_cost_is_never_exceeded(
    tmp_path_factory: pytest.TempPathFactory, limit: float, seed: int
) -> None:
    luck = random.Random(seed)

    async def act(one: Medium) -> Caption:
        await asyncio.sleep(luck.random())
        return FINE

    options = CaptionOptions(captioner="scripted", max_cost=limit)
    with Ledger(tmp_path_factory.mktemp("cost") / "ledger.db") as ledger:
        for _ in range(2):  # a second run spends nothing more
            with pytest.raises(YoinError, match=r"the limit of \$.*captioned.*higher --max-cost"):
                work(ledger, Service(act=act), 200, options)
            assert ledger.spent("scripted") <= limit
        assert ledger.spent("scripted") > limit - 10 * max(COST, 0.003)


def test_a_limit_needs_a_price(ledger: Ledger) -> None:
    captioner = Service()
    captioner.model_version = "nobody-knows"
    with pytest.raises(UsageError, match=r"the price of nobody-knows is not known.*--max-cost"):
        work(ledger, captioner, 1, CaptionOptions(captioner="scripted", max_cost=1))
    assert not captioner.asked
    assert captioner.closed == 1


def test_costs_are_those_of_the_model_that_answered_else_of_the_one_asked_for(ledger: Ledger) -> None:
    async def act(one: Medium) -> Caption:
        version = {"0": "gemini-2.5-pro", "1": "nobody-knows", "2": ""}[str(one.path)]
        return Caption(text="Fine.", status="ok", model_version=version, tokens_in=1000, tokens_out=100)

    kept, _ = work(ledger, Service(act=act), 3)
    assert kept["1"].cost_usd == kept["2"].cost_usd == pytest.approx(COST)
    assert kept["0"].cost_usd > COST
    assert ledger.spent("scripted") == pytest.approx(sum(made.cost_usd for made in kept.values()))


def test_a_stated_number_of_requests_a_day_counts_earlier_runs(ledger: Ledger) -> None:
    options = CaptionOptions(captioner="scripted", rpd=30)
    ledger.put_caption("k", "m", "scripted", "p", Caption(text="x", status="ok", attempts=5))
    captioner = Service()
    with pytest.raises(YoinError, match=r"the 30 requests a day are used up; 25 captioned, 75 left; run again after"):
        work(ledger, captioner, 100, options)
    assert sum(captioner.asked.values()) == 25


def test_calls_that_a_captioner_makes_without_a_word_are_counted_afterwards(ledger: Ledger) -> None:
    async def act(one: Medium) -> Caption:
        return Caption(text="Fine.", status="ok", attempts=3)

    captioner = Service(act=act)
    options = CaptionOptions(captioner="scripted", rpd=10, workers=1)
    captioner.concurrency = 1
    with pytest.raises(YoinError, match="the 10 requests a day are used up; 4 captioned, 96 left"):
        work(ledger, captioner, 100, options)


def test_a_further_call_waits_its_turn_and_is_retried_by_itself(ledger: Ledger) -> None:
    """Of each medium the first call is cut off; now and then a fault comes between the two."""
    times: list[float] = []
    cut: set[str] = set()

    async def call() -> None:
        times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.5)
        if len(times) % 7 == 0:
            raise Passing("down")

    async def act(one: Medium) -> Caption:
        name = str(one.path)
        if name not in cut:
            await call()
            cut.add(name)
            assert await may_call_again(FINE)
        await call()
        return replace(FINE, tokens_in=2000, tokens_out=200, attempts=2)

    kept, _ = work(ledger, Service(act=act), 100, CaptionOptions(captioner="scripted", rpm=60, max_cost=1.0))
    assert {made.status for made in kept.values()} == {"ok"}
    assert sum(made.attempts for made in kept.values()) == len(times) > 200
    assert ledger.spent("scripted") == pytest.approx(200 * COST)
    assert max(sum(start <= time < start + 60 for time in times) for start in times) <= 60 + 3 + 1


@settings(max_examples=15, deadline=None, derandomize=True)
@given(limit=st.floats(0, 0.05), requests=st.integers(1, 60), seed=st.integers(0, 1000))
def test_with_further_calls_no_limit_is_passed_and_nothing_sent_is_forgotten(
    tmp_path_factory: pytest.TempPathFactory, limit: float, requests: int, seed: int
) -> None:
    luck = random.Random(seed)
    sent = paid = 0

    async def call() -> None:
        nonlocal sent, paid
        sent += 1
        await asyncio.sleep(luck.random())
        if luck.random() < 0.2:
            raise Passing("down")
        paid += 1

    cut: set[str] = set()

    async def act(one: Medium) -> Caption:
        if one.media_id not in cut:
            await call()
            if luck.random() < 0.5:
                return FINE
            if not await may_call_again(FINE):
                return replace(FINE, status="truncated")
        cut.add(one.media_id)
        await call()
        cut.remove(one.media_id)
        return replace(FINE, tokens_in=2000, tokens_out=200, attempts=2)

    options = CaptionOptions(captioner="scripted", max_cost=limit, rpd=requests, call_retries=1)
    with Ledger(tmp_path_factory.mktemp("limits") / "ledger.db") as ledger:
        for _ in range(3):
            cut.clear()
            with pytest.raises(YoinError, match=r"the limit of \$|requests a day are used up"):
                work(ledger, Service(act=act), 200, options)
            assert sent <= requests
            assert ledger.calls_since("scripted", datetime.now(UTC) - timedelta(days=1))[0] == sent
            assert ledger.spent("scripted") == pytest.approx(paid * COST)
            assert paid * COST <= limit + 1e-12


def test_a_stated_number_a_minute_is_kept(ledger: Ledger) -> None:
    times: list[float] = []

    async def act(one: Medium) -> Caption:
        times.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.5)
        return FINE

    work(ledger, Service(act=act), 130, CaptionOptions(captioner="scripted", rpm=60))
    assert max(sum(start <= time < start + 60 for time in times) for start in times) <= 60 + 3 + 1
    assert times[-1] <= 130


def test_the_stage_counts_calls_and_shows_what_they_cost(ledger: Ledger) -> None:
    failed = False
    notes: list[str] = []

    async def act(one: Medium) -> Caption:
        nonlocal failed
        if not failed:
            failed = True
            raise Passing("down")
        return FINE

    made = caption(
        media_of("a", "b", None),
        ledger=ledger,
        options=OPTIONS,
        captioner=Service(act=act),
        progress=lambda done, total, note: notes.append(note),
    )
    assert (made.calls, made.cost_usd) == (3, pytest.approx(2 * COST))
    assert re.fullmatch(r"\$0\.0011, 1 tried again", notes[-1])
