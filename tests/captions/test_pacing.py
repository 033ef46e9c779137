"""The gate finds what a service takes: tried on services in virtual time, whose ideal rate is known."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.captions.virtual import run_virtually
from yoin.captions.pacing import Bucket, Gate, Ticket

T = TypeVar("T")


class Service:
    """Takes calls from a bucket that refills; refuses the others, or some at random."""

    def __init__(self, rate: float, capacity: float, latency: float, *, says: bool, random_refusals: float = 0) -> None:
        self.rate, self.capacity, self.latency, self.says = rate, capacity, latency, says
        self.level, self.at = capacity, 0.0
        self.random, self.random_refusals = random.Random(1), random_refusals
        self.calls: list[float] = []
        self.refused = 0
        self.last = 0.0

    async def call(self) -> float | None:
        """None where it was answered, else the seconds to wait that it tells."""
        now = asyncio.get_running_loop().time()
        self.calls.append(now)
        self.level = min(self.capacity, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < 1 or self.random.random() < self.random_refusals:
            self.refused += 1
            await asyncio.sleep(0.05)
            return max(0.0, (1 - self.level) / self.rate) if self.says else 0.0
        self.level -= 1
        await asyncio.sleep(self.latency * self.random.uniform(0.8, 1.2))
        self.last = asyncio.get_running_loop().time()
        return None


async def work(service: Service, count: int, most: int, *, rpm: float | None = None) -> Gate:
    """Make calls until ``count`` were answered."""
    gate, left = Gate(most, rpm=rpm), iter(range(count))

    async def consume() -> None:
        for _ in left:
            while True:
                ticket = await gate.enter()
                assert ticket is not None
                wait = await service.call()
                if wait is None:
                    gate.succeeded(ticket, 100)
                    break
                gate.refused(ticket, wait)

    await asyncio.gather(*(consume() for _ in range(most)))
    return gate


def run(work: Coroutine[None, None, T]) -> T:
    return run_virtually(work)[0]


@settings(max_examples=10, deadline=None, derandomize=True)
@given(rate=st.floats(2, 20), burst=st.floats(3, 60), latency=st.floats(0.05, 1.0), says=st.booleans())
def test_an_unstated_quota_is_found(rate: float, burst: float, latency: float, says: bool) -> None:
    capacity, count = rate * burst, 3000
    service = Service(rate, capacity, latency, says=says)
    _, seconds = run_virtually(work(service, count, 32))
    ideal = max((count - capacity) / rate, count * latency / 32)
    assert ideal / seconds >= 0.8
    assert service.refused / len(service.calls) < 0.05


@settings(max_examples=10, deadline=None, derandomize=True)
@given(rate=st.floats(0.5, 20), latency=st.floats(0.05, 1.0), jitter=st.floats(4, 10))
def test_a_stated_quota_is_used_to_the_full(rate: float, latency: float, jitter: float) -> None:
    count, capacity = 1000, max(2.0, jitter * rate)
    service = Service(rate, capacity, latency, says=True)
    run(work(service, count, 32, rpm=rate * 60))
    assert (service.last - latency * 1.2) * rate <= count * 1.05  # what the quota gives in that time, its burst aside
    assert service.refused / len(service.calls) < 0.01


def test_refusals_that_have_nothing_to_do_with_the_rate_do_not_starve_it() -> None:
    service = Service(1e6, 1e6, 0.3, says=False, random_refusals=0.05)
    _, seconds = run_virtually(work(service, 1000, 32))
    assert 1000 / seconds > 3 / 0.3  # more than three calls at a time


def test_it_starts_small_and_grows_to_the_most_and_never_beyond() -> None:
    most, active, seen = 20, 0, []

    async def go() -> None:
        gate = Gate(most)

        async def one() -> None:
            nonlocal active
            ticket = await gate.enter()
            assert ticket is not None
            active += 1
            seen.append(active)
            await asyncio.sleep(1)
            active -= 1
            gate.succeeded(ticket, 1)

        await asyncio.gather(*(one() for _ in range(300)))

    run(go())
    assert max(seen[:4]) == 4
    assert max(seen) == most


def test_without_adapting_all_go_at_once() -> None:
    async def go() -> float:
        gate = Gate(20, adaptive=False)
        for _ in range(20):
            assert await gate.enter() is not None
        return asyncio.get_running_loop().time()

    assert run(go()) == 0


def test_of_a_burst_only_the_first_counts_and_nobody_calls_while_the_service_rests() -> None:
    async def go() -> None:
        clock = asyncio.get_running_loop().time
        gate = Gate(64)
        for _ in range(60):
            ticket = await gate.enter()
            assert ticket is not None
            gate.succeeded(ticket, 1)
        before = gate.limit
        burst: list[Ticket] = []
        for _ in range(10):
            ticket = await gate.enter()
            assert ticket is not None
            burst.append(ticket)
        await asyncio.sleep(1)
        for ticket in burst:
            gate.refused(ticket, 30)
        assert (gate.limit, gate.throttled, gate.bursts) == (before * 0.75, 10, 1)
        refused_at = clock()
        assert await gate.enter() is not None
        assert clock() >= refused_at + 30

    run(go())


def test_a_closed_gate_tells_those_that_wait() -> None:
    async def go() -> list[Ticket | None]:
        gate = Gate(1)
        first = await gate.enter()
        waiting = [asyncio.create_task(gate.enter()) for _ in range(3)]
        await asyncio.sleep(1)
        gate.close()
        return [first, *await asyncio.gather(*waiting)]

    first, *rest = run(go())
    assert first is not None
    assert rest == [None] * 3


def test_tokens_a_minute_are_kept_though_they_are_guessed_before() -> None:
    tokens, used = random.Random(3), []

    async def go() -> float:
        gate = Gate(8, tpm=60_000)

        async def consume() -> None:
            for _ in range(50):
                ticket = await gate.enter()
                assert ticket is not None
                await asyncio.sleep(0.2)
                used.append(tokens.randrange(100, 3000))
                gate.succeeded(ticket, used[-1])

        await asyncio.gather(*(consume() for _ in range(8)))
        return asyncio.get_running_loop().time()

    seconds = run(go())
    assert 0.95 <= sum(used) / 1000 / seconds <= 1.05


@pytest.mark.parametrize("rpm", [1, 7.5, 600])
def test_a_bucket_never_gives_more_than_it_got(rpm: float) -> None:
    given, now, bucket = 0, 0.0, Bucket(rpm / 60, 3.0, 0.0)
    steps = random.Random(2)
    for _ in range(500):
        now += steps.uniform(0, 90 / rpm)
        while not bucket.wait(1.0, now):
            bucket.take(1.0, now)
            given += 1
        assert given <= 3 + now * rpm / 60 + 1e-6
    assert given >= now * rpm / 60 - 1
