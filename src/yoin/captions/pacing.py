"""Pacing: how many calls at a time, and how many a minute, a service takes.

`Gate` keeps the number of calls at a time by additive increase and multiplicative decrease (AIMD), and the rate of
calls by token buckets: those of stated quotas, and one whose rate is learned where a quota is not stated. Between two
refusals of a service that fills up a quota at a steady rate, it has taken just as many calls as the quota grew by: so
two refusals tell the rate, whatever the quota's size. Time is the event loop's.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from dataclasses import dataclass

START = 4  # calls at a time at first
_FEWEST = 8  # calls taken between two refusals that tell a rate
_RUN = 20  # successes after which the learned rate is raised
_STEP = 1.01  # by which it is raised the first time; the second time by its square, and so on
_MARGIN = 0.95  # of the rate found
_FLOOR = 0.85  # of the rate before, so that an idle stretch does not count for much
_DOUBT = 0.5  # of the highest rate learned, below which it is learned anew
_CUT, _DEEP_CUT = 0.75, 0.5  # of the calls at a time, after a refusal and after one that came soon after another
_BURST = 0.05  # of a minute's quota may go out at once, and no more requests than calls at a time
_LONGEST_REST = 60.0  # seconds, where the service does not say how long
_FIRST_LATENCY = 1.0  # seconds a call is thought to take before one has come back
_FIRST_TOKENS = 1500.0  # and how many tokens
_INSTANT = 1e-6  # seconds not worth a timer
_RECENT = 50  # calls whose tokens tell those of the next


class Bucket:
    """A quota that refills: ``rate`` a second, up to ``capacity``; full at first."""

    def __init__(self, rate: float, capacity: float, now: float) -> None:
        self.rate, self._capacity = rate, capacity
        self._level, self._at = capacity, now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until ``amount`` may be taken, 0 or more; more than the capacity may be owed."""
        self._refill(now)
        lacking = min(amount, self._capacity) - self._level
        return 0.0 if lacking <= 1e-9 else lacking / self.rate

    def take(self, amount: float, now: float) -> None:
        """Take ``amount``, or give it back where it is negative."""
        self._refill(now)
        self._level = min(self._capacity, self._level - amount)

    def set_rate(self, rate: float, now: float) -> None:
        """Refill at another rate from now on."""
        self._refill(now)
        self.rate = rate

    def _refill(self, now: float) -> None:
        self._level = min(self._capacity, self._level + (now - self._at) * self.rate)
        self._at = now


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that was let through: which one it is, when it started and the tokens set aside for it."""

    number: int
    started: float
    tokens: float


class Gate:
    """Lets calls through to one endpoint, in the order in which they ask.

    Args:
        most: calls at the same time, at most.
        rpm: requests a minute that the quota allows.
        tpm: tokens a minute that the quota allows.
        adaptive: whether to find out what the service takes; if not, ``most`` calls go out at a time.
    """

    def __init__(self, most: int, *, rpm: float | None = None, tpm: float | None = None, adaptive: bool = True) -> None:
        now = asyncio.get_running_loop().time()
        self._most, self._adaptive = most, adaptive
        self.limit = float(min(START, most) if adaptive else most)
        self._requests = Bucket(rpm / 60, max(1.0, min(rpm * _BURST, most)), now) if rpm else None
        self._tokens = Bucket(tpm / 60, max(1.0, tpm * _BURST), now) if tpm else None
        self._learned: Bucket | None = None
        self._highest = 0.0  # rate learned
        self._used: deque[float] = deque(maxlen=_RECENT)
        self._latency = 0.0
        self._active = self._number = 0
        self._rests_until = -math.inf
        self._streak = self._run = self._raised = 0
        self._refused_from: Ticket | None = None  # the call whose refusal began the stretch that tells the rate
        self._refused = 0  # calls refused since
        self._cut_at = -math.inf
        self.bursts = 0  # of refusals, one after another with no success between
        self.throttled = 0  # calls refused, in all
        self._closed = False
        self._turn, self._changed = asyncio.Lock(), asyncio.Event()

    async def enter(self) -> Ticket | None:
        """Wait until a call may go out; None once the gate is closed. Its ticket goes to one of the other methods."""
        async with self._turn:
            while not self._closed:
                now = asyncio.get_running_loop().time()
                tokens = self._expected_tokens()
                pause = self._pause(tokens, now)
                if pause <= _INSTANT:
                    return self._let_through(tokens, now)
                self._changed.clear()
                try:
                    async with asyncio.timeout(pause if math.isfinite(pause) else None):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        return None

    def succeeded(self, ticket: Ticket, tokens: int) -> None:
        """The call was answered, and took ``tokens``."""
        now = self._give_back(ticket, tokens)
        self._used.append(tokens)
        took = now - ticket.started
        self._latency += (took - self._latency) * (0.1 if self._latency else 1.0)
        self.bursts = 0
        if not self._adaptive:
            return
        self._streak += 1
        # Before the first refusal the number doubles with each round of calls, then it grows by one with each.
        if self._refused_from is None or self._streak >= self.limit:
            self._streak = 0
            self.limit = min(self.limit + 1, self._most)
        self._run += 1
        if self._learned is not None and self._run >= _RUN:
            self._run, self._raised = 0, self._raised + 1
            self._learned.set_rate(self._learned.rate * _STEP**self._raised, now)

    def failed(self, ticket: Ticket, wait: float = 0.0) -> None:
        """The call failed in another way, and the service wants to be left alone for ``wait`` seconds."""
        self._rest(self._give_back(ticket, 0.0) + wait)

    def refused(self, ticket: Ticket, wait: float) -> None:
        """The call was refused as one too many; nobody calls for ``wait`` seconds. Of a burst only the first counts."""
        now = self._give_back(ticket, 0.0)
        self.throttled += 1
        self._refused += 1
        self._rest(now + wait)
        if not self._adaptive or ticket.started <= self._cut_at:
            return
        self._cut_at = now
        self._streak = self._run = 0
        rate = self._rate_since_last(ticket)
        self.limit = max(1.0, math.floor(self.limit * (_DEEP_CUT if self.bursts else _CUT)))
        if self._refused_from is None or rate is not None:
            self._refused_from, self._refused = ticket, 0
        if rate is not None:
            self._raised = 0
            self._learn(rate * _MARGIN, now)
        if self.bursts or self._learned is None:
            longest = max(wait, self._latency or _FIRST_LATENCY) * 2**self.bursts
            self._rest(now + max(wait, min(_LONGEST_REST, longest)))
        self.bursts += 1

    def close(self) -> None:
        """Let no more calls through; those waiting are told."""
        self._closed = True
        self._changed.set()

    def _expected_tokens(self) -> float:
        return sum(self._used) / len(self._used) if self._used else _FIRST_TOKENS

    def _pause(self, tokens: float, now: float) -> float:
        if self._active >= self.limit:
            return math.inf
        waits = [self._rests_until - now]
        if self._requests is not None:
            waits.append(self._requests.wait(1.0, now))
        if self._learned is not None:
            waits.append(self._learned.wait(1.0, now))
        if self._tokens is not None:
            waits.append(self._tokens.wait(tokens, now))
        return max(waits)

    def _let_through(self, tokens: float, now: float) -> Ticket:
        for bucket, amount in ((self._requests, 1.0), (self._learned, 1.0), (self._tokens, tokens)):
            if bucket is not None:
                bucket.take(amount, now)
        self._active += 1
        self._number += 1
        return Ticket(self._number, now, tokens)

    def _give_back(self, ticket: Ticket, tokens: float) -> float:
        now = asyncio.get_running_loop().time()
        if self._tokens is not None:
            self._tokens.take(tokens - ticket.tokens, now)
        self._active -= 1
        self._changed.set()
        return now

    def _rest(self, until: float) -> None:
        self._rests_until = max(self._rests_until, until)

    def _learn(self, rate: float, now: float) -> None:
        if self._learned is None:
            self._learned = Bucket(rate, 1.0, now)
        rate = max(rate, self._learned.rate * _FLOOR)
        self._highest = max(self._highest, rate)
        if rate < self._highest * _DOUBT:
            # Ever fewer calls and still refusals: it is not the rate that the service minds, or it has a new one.
            self._learned, self._refused_from, self._highest = None, None, 0.0
        else:
            self._learned.set_rate(rate, now)

    def _rate_since_last(self, ticket: Ticket) -> float | None:
        """Calls a second that the service took since the refusal that began the stretch; None while they are few."""
        first = self._refused_from
        if first is None:
            return None
        taken, seconds = ticket.number - first.number - self._refused, ticket.started - first.started
        return taken / seconds if taken >= _FEWEST and seconds > 0 else None
