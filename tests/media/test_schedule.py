import asyncio
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin.media.reasons import Unusable
from yoin.media.schedule import Schedule


class Rehearsal:
    """Runs scripted jobs, each a host and its outcomes in turn, and notes what was done and when."""

    def __init__(self, jobs, *, limit=4, at_once=2, retries=2, backlog=100):
        self.jobs, self.limit, self.at_once, self.retries, self.backlog = jobs, limit, at_once, retries, backlog
        self.tries = Counter()
        self.settled = {}
        self.now = Counter()
        self.most = Counter()
        self.times = defaultdict(list)
        self.settling = self.most_settling = 0

    async def attempt(self, number):
        host, outcomes = self.jobs[number]
        turn = self.tries[number]
        self.tries[number] += 1
        self.times[host].append(asyncio.get_running_loop().time())
        for name in (host, "all"):
            self.now[name] += 1
            self.most[name] = max(self.most[name], self.now[name])
        try:
            await asyncio.sleep(0.001)
        finally:
            for name in (host, "all"):
                self.now[name] -= 1
        outcome = outcomes[min(turn, len(outcomes) - 1)]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def settle(self, number, outcome, attempts):
        assert number not in self.settled
        self.settling += 1
        self.most_settling = max(self.most_settling, self.settling)
        await asyncio.sleep(0.001)
        self.settling -= 1
        self.settled[number] = (outcome, attempts)

    def run(self):
        async def go():
            schedule = Schedule(
                limit=self.limit,
                retries=self.retries,
                backoff=0.001,
                attempt=self.attempt,
                settle=self.settle,
                full=lambda: self.settling >= self.backlog,
                seed=0,
            )
            for number, (host, _) in enumerate(self.jobs):
                schedule.add(host, number, at_once=self.at_once)
            await schedule.run()

        asyncio.run(go())
        return self


def passing(status=500, wait=0.0):
    return Unusable("http_error", "No.", passing=True, status=status, wait=wait)


def final():
    return Unusable("not_found", "No.", status=404)


outcomes = st.lists(st.sampled_from(["good", "passing", "final"]), min_size=1, max_size=4)


@given(
    jobs=st.lists(st.tuples(st.sampled_from("abc"), outcomes), max_size=20),
    limit=st.integers(1, 6),
    at_once=st.integers(1, 4),
    retries=st.integers(0, 3),
    backlog=st.integers(1, 3),
)
def test_every_job_is_settled_once_with_the_outcome_it_must_have(jobs, limit, at_once, retries, backlog):
    make = {"good": lambda: "good", "passing": passing, "final": final}
    scripts = [(host, [make[name]() for name in names]) for host, names in jobs]
    seen = Rehearsal(scripts, limit=limit, at_once=at_once, retries=retries, backlog=backlog).run()
    assert sorted(seen.settled) == list(range(len(jobs)))
    for number, (_, names) in enumerate(jobs):
        turns = [names[min(turn, len(names) - 1)] for turn in range(retries + 1)]
        expected = next((turn for turn, name in enumerate(turns) if name != "passing"), retries)
        outcome, attempts = seen.settled[number]
        assert attempts == seen.tries[number] == expected + 1
        assert outcome == "good" if turns[expected] == "good" else isinstance(outcome, Unusable)
    assert seen.most["all"] <= limit
    assert all(seen.most[host] <= at_once for host in "abc")
    # a host's attempts under way may all end once the decoders are full
    assert seen.most_settling <= backlog + limit


def test_hosts_take_turns():
    seen = Rehearsal([("a", ["good"])] * 30 + [("b", ["good"])] * 3, limit=2, at_once=1).run()
    assert seen.times["b"][-1] < seen.times["a"][5]


def test_a_host_that_asks_for_a_pause_gets_it():
    seen = Rehearsal([("a", [passing(429, wait=0.2), "good"])] + [("a", ["good"])] * 4, at_once=1).run()
    first, second, *_ = seen.times["a"]
    assert second - first >= 0.2
    assert [outcome for outcome, _ in seen.settled.values()] == ["good"] * 5


def test_a_host_that_asks_for_too_long_a_pause_is_left_for_the_next_run():
    seen = Rehearsal([("a", [Unusable("rate_limited", "No.", passing=True, status=429, wait=1e4)])] * 50).run()
    assert sum(seen.tries.values()) <= 2
    assert {outcome.reason for outcome, _ in seen.settled.values()} == {"rate_limited"}
    assert len(seen.settled) == 50


def test_a_host_that_never_answers_is_given_up():
    silent = Unusable("connection", "No.", passing=True)
    seen = Rehearsal([("dead", [silent])] * 200 + [("a", ["good"])] * 20).run()
    assert sum(seen.tries[number] for number in range(200)) <= 20
    assert {outcome.reason for outcome, _ in seen.settled.values() if outcome != "good"} == {"connection"}
    assert [seen.settled[number][0] for number in range(200, 220)] == ["good"] * 20


def test_a_host_that_answered_once_is_not_given_up():
    silent = Unusable("connection", "No.", passing=True)
    seen = Rehearsal([("a", ["good"])] + [("a", [silent])] * 60, retries=0).run()
    assert all(seen.tries[number] == 1 for number in range(61))


def test_an_error_of_the_run_ends_it():
    seen = Rehearsal([("a", [OSError("full")])] + [("a", ["good"])] * 50, at_once=1)
    with pytest.raises(OSError, match="full"):
        seen.run()
    assert not seen.settled


def test_nothing_to_do():
    assert Rehearsal([]).run().settled == {}
