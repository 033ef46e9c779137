"""The calls for captions: each one paced, tried again where that helps, and its outcome kept the moment it is there.

Every request counts: for the quotas, for the limit of the cost, and in the ledger; a captioner's own further requests
for one caption come by here too (`yoin.captions.base.may_call_again`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial

from yoin import loop
from yoin.amounts import dollars
from yoin.captions import money
from yoin.captions.base import FURTHER, Captioner, Further, Passing, Throttled
from yoin.captions.pacing import Gate, Ticket
from yoin.errors import YoinError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Caption, Medium

_REASON_LENGTH = 300
_STRETCH = 20  # outcomes without a single success after which the stage stops
_BURSTS = 10  # and bursts of refusals
_MOST_REFUSALS = 50  # of one medium
_LONGEST_WAIT = 600.0  # seconds a run waits for a service; one that wants more is left for the next run
_LONGEST_BACKOFF = 30.0
_DAY = timedelta(days=1)
_ASKED_TOKENS = 1000  # of a prompt, and of an answer, before the first one has told


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far the calls are: media done, and a note on money and failures, "" where there is nothing to say."""

    done: int
    note: str


@dataclass(slots=True)
class _Course:
    """One medium's calls: the one that is out, and how many there were.

    ``usd`` and ``tokens`` are those of the calls that came back, ``since`` is how much of it the next count of a
    captioner holds again, and ``reserved`` what the call that is out will probably cost.
    """

    medium: Medium
    ticket: Ticket | None = None
    calls: int = 0
    usd: float = 0.0
    tokens: int = 0
    since: tuple[float, int] = (0.0, 0)
    reserved: float = 0.0
    stopped: bool = False  # a further call was not allowed


class Calls:
    """Captions media, each once; a captioner with an endpoint is paced, and given up where nothing succeeds.

    Args:
        captioner: it is closed at the end.
        options: retries, quotas and the limit of the cost.
        to_do: the media.
        captioned: how many others are captioned already.
        ledger: tells what has been spent and asked before.
        keep: called once a medium, with its caption.
        send: called before each request that a quota may count, with the calls for its medium, this one too, and what
            they probably cost.
        lose: called where the stage stops before a medium has one, with the same.
        tell: called after each, and where a call was refused or failed.
        backoff: seconds before the first retry at most; doubled with each.
    """

    def __init__(
        self,
        captioner: Captioner,
        options: CaptionOptions,
        to_do: Sequence[Medium],
        *,
        captioned: int,
        ledger: Ledger,
        keep: Callable[[Medium, Caption], None],
        send: Callable[[Medium, int, float], None],
        lose: Callable[[Medium, int, float], None],
        tell: Callable[[Progressed], None],
        backoff: float = 1.0,
    ) -> None:
        self._captioner, self._options, self._ledger = captioner, options, ledger
        self._queue, self._total, self._captioned = iter(to_do), len(to_do), captioned
        self._keep, self._send, self._lose, self._tell, self._backoff = keep, send, lose, tell, backoff
        self._remote = bool(captioner.endpoint)
        self._random = random.Random(42)  # noqa: S311 - jitter, not secrets
        self._done = self._good = self._lost = self._again = self._in_a_row = self._faults = 0
        self._reasons: Counter[str] = Counter()
        self._cost = self._dearest = 0.0
        self._reserved = 0.0  # what calls in flight will probably cost
        self._calls_left: int | None = None  # of a stated quota a day
        self._stop: tuple[str, str] | None = None  # why, and what to do

    async def run(self) -> None:
        """Caption all of them.

        Raises:
            YoinError: the captioner's own; or the stage stops here, once the calls in flight have come back.
        """
        try:
            await self._run()
        finally:
            await self._captioner.aclose()

    async def _run(self) -> None:
        if not self._total:
            return
        options, captioner = self._options, self._captioner
        self._stopped = asyncio.Event()
        if self._remote:
            self._gate = Gate(captioner.concurrency, rpm=options.rpm, tpm=options.tpm)
        else:
            self._gate = Gate(captioner.concurrency, adaptive=False)
        if options.max_cost is not None:
            money.require_price(captioner.provider, captioner.model_version)
            self._spent_before = self._ledger.spent(captioner.name)
        if options.rpd is not None and self._remote:
            self._day_began = datetime.now(UTC)
            made, first = self._ledger.calls_since(captioner.name, self._day_began - _DAY)
            self._day_began = first or self._day_began
            self._calls_left = int(options.rpd) - made
        consumers = [asyncio.create_task(self._consume()) for _ in range(min(captioner.concurrency, self._total))]
        try:
            await asyncio.gather(*consumers)
        finally:
            for consumer in consumers:
                consumer.cancel()
            await asyncio.gather(*consumers, return_exceptions=True)
        if self._stop is not None:
            raise self._ended(*self._stop)

    async def _consume(self) -> None:
        with loop.carried():
            await self._caption_all()

    async def _caption_all(self) -> None:
        for medium in self._queue:  # shared: each consumer takes the next one
            course, made = _Course(medium), None
            try:
                made = await self._caption(course)
            finally:
                if made is None and course.calls and self._remote:
                    self._lose(medium, course.calls, course.usd + course.reserved)
            if made is None:
                return
            self._keep(medium, made)
            self._settled(made)

    async def _caption(self, course: _Course) -> Caption | None:
        """The outcome for one medium, after as many attempts as it takes; None where the stage stops first."""
        faults = refusals = 0
        while await self._enter(course, self._expected_cost(course.medium)):
            outcome = await self._attempt(course)
            if isinstance(outcome, Caption):
                calls = max(course.calls, faults + refusals + outcome.attempts)
                self._count(calls - course.calls)  # those that a captioner made without a word
                if course.stopped and outcome.status != "ok":
                    reason = "the run stopped before it was asked once more"
                    outcome = replace(outcome, text="", status="failed", reason=reason)
                return replace(outcome, attempts=calls)
            refused = isinstance(outcome, Throttled)
            refusals, faults = refusals + refused, faults + (not refused)
            self._watch(outcome)
            if self._stop is not None:
                break
            if faults > self._options.call_retries or refusals >= _MOST_REFUSALS:
                reason = _one_line(outcome.reason)
                return Caption(text="", status="failed", reason=reason, attempts=course.calls, cost_usd=course.usd)
            self._again += 1
            self._say()
            if not refused:  # after a refusal the gate itself rests
                pause = min(_LONGEST_BACKOFF, self._backoff * 2 ** (faults - 1)) * self._random.uniform(0.5, 1)
                await self._sleep(max(outcome.wait, pause))
        return None

    async def _enter(self, course: _Course, expected: float) -> bool:
        """Wait until a call may go out that will probably cost ``expected``; False where the stage stops."""
        ticket = await self._gate.enter()
        if ticket is None or not self._allowed(ticket, expected):
            return False
        course.ticket, course.reserved = ticket, expected
        course.calls += 1
        self._reserved += expected
        if self._remote:
            self._send(course.medium, course.calls, course.usd + expected)
        return True

    def _back(self, course: _Course) -> Ticket | None:
        """The ticket of the call that is out; None where none is."""
        ticket, course.ticket = course.ticket, None
        self._reserved -= course.reserved
        course.reserved = 0.0
        return ticket

    async def _attempt(self, course: _Course) -> Caption | Passing:
        """One call through the gate, or several: the caption, or why it may be made again."""
        further = FURTHER.set(partial(self._further, course))
        try:
            made = self._priced(await self._captioner.caption(course.medium))
        except Throttled as error:
            if ticket := self._back(course):
                self._gate.refused(ticket, 0.0 if error.daily else min(error.wait, _LONGEST_WAIT))
            return error
        except Passing as error:
            if ticket := self._back(course):
                self._gate.failed(ticket, min(error.wait, _LONGEST_WAIT))
            return error
        except YoinError:
            self._back(course)
            raise
        except Exception as error:  # noqa: BLE001 - one medium's failure is its record
            if ticket := self._back(course):
                self._gate.failed(ticket)
            says = " ".join(str(error).split())
            reason = f"{type(error).__name__}: {says}" if says else type(error).__name__
            return Caption(text="", status="failed", reason=_one_line(reason), cost_usd=course.usd)
        finally:
            FURTHER.reset(further)
        self._pay(course, made, (course.usd, course.tokens))
        return made

    async def _further(self, course: _Course, asked: Further) -> bool:
        """Whether a captioner may send another request for its medium, once the one before it is counted."""
        made, expected = asked.made, self._expected_cost(course.medium)
        if made is None:
            if ticket := self._back(course):
                self._gate.failed(ticket)
        else:
            made = self._priced(made)
            usd, tokens = self._pay(course, made, course.since)
            course.since = (0.0, 0) if asked.anew else (course.since[0] + usd, course.since[1] + tokens)
            if asked.room:
                at_most = money.cost(
                    self._captioner.provider, self._captioner.model_version, made.tokens_in, asked.room
                )
                expected = max(expected, at_most)
        course.stopped = not await self._enter(course, expected)
        return not course.stopped

    def _priced(self, made: Caption) -> Caption:
        return money.with_cost(made, self._captioner.provider, self._captioner.model_version)

    def _pay(self, course: _Course, made: Caption, before: tuple[float, int]) -> tuple[float, int]:
        """Count what the call that came back took: US dollars and tokens of ``made`` beyond those ``before``."""
        usd, tokens = max(0.0, made.cost_usd - before[0]), max(0, self._quota_tokens(made) - before[1])
        if ticket := self._back(course):
            if made.status == "failed":
                self._gate.failed(ticket)
            else:
                self._gate.succeeded(ticket, tokens)
        course.usd, course.tokens = course.usd + usd, course.tokens + tokens
        self._cost += usd
        self._dearest = max(self._dearest, usd)
        return usd, tokens

    def _count(self, calls: int) -> None:
        if self._calls_left is not None:
            self._calls_left -= calls

    def _allowed(self, ticket: Ticket, expected: float) -> bool:
        """Whether quota and money allow this call; if not, the stage stops."""
        limit = self._options.max_cost
        if limit is not None:
            spent = self._spent_before + self._cost
            if spent + self._reserved + expected > limit:
                self._stop_with(
                    f"the next call could exceed the limit of {dollars(limit)}: {dollars(spent)} are spent",
                    "run again with a higher --max-cost to go on",
                )
        if self._calls_left is not None and self._calls_left <= 0:
            self._stop_with(
                f"the {self._options.rpd:,.0f} requests a day are used up",
                f"run again {_when(self._day_began + _DAY)} to go on",
            )
        if self._stop is not None:
            self._gate.failed(ticket)
            return False
        self._count(1)
        return True

    def _watch(self, problem: Passing) -> None:
        """What a failed call says of all those to come."""
        self._reasons[_one_line(problem.reason)] += 1
        if problem.wait > _LONGEST_WAIT or (isinstance(problem, Throttled) and problem.daily):
            daily = isinstance(problem, Throttled) and problem.daily
            what = "the day's quota is used up" if daily else "the service wants to be left alone"
            # How a service counts its days it seldom says; Google's end at midnight in California.
            later = datetime.now(UTC) + timedelta(seconds=problem.wait)
            day = "tomorrow" + (" (its day ends at midnight Pacific time)" if self._google() else "")
            when = _when(later) if problem.wait else day
            self._stop_with(f"{what} ({_one_line(problem.reason)})", f"run again {when} to go on")
        elif self._gate.bursts >= _BURSTS:
            self._give_up(f"the service refuses every call, {self._gate.throttled:,} so far")
        elif not self._good and not isinstance(problem, Throttled):
            self._faults += 1
            if self._faults >= 2 * _STRETCH:
                self._give_up(f"not one of the first {self._faults} calls succeeded")

    def _settled(self, made: Caption) -> None:
        """Count an outcome that was kept."""
        self._done += 1
        self._good += made.status == "ok"
        self._lost += made.status != "ok"
        self._in_a_row = self._in_a_row + 1 if made.status == "failed" else 0
        if made.status != "ok":
            self._reasons[_one_line(made.reason or made.status)] += 1
        self._say()
        if self._remote and self._done < self._total and self._stop is None:
            if not self._good and self._done >= _STRETCH:
                self._give_up(f"not one of the first {self._done} media got a caption")
            elif self._in_a_row >= _STRETCH:
                self._give_up(f"{self._in_a_row} media in a row got no caption")

    def _give_up(self, what: str) -> None:
        reason, _ = self._reasons.most_common(1)[0]
        self._stop_with(f"{what}, most often because: {reason}", "run again once that is mended")

    def _stop_with(self, why: str, remedy: str) -> None:
        """Make no more calls; those in flight are waited for."""
        if self._stop is None:
            self._stop = why, remedy
            self._gate.close()
            self._stopped.set()

    def _ended(self, why: str, remedy: str) -> YoinError:
        captioned, left = self._captioned + self._good, self._total - self._good
        return YoinError(f"{why}; {captioned:,} captioned, {left:,} left", stage="captions", remedy=remedy)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopped.wait()
        except TimeoutError:
            pass

    def _expected_cost(self, medium: Medium) -> float:
        if self._dearest:
            return self._dearest
        provider, model = self._captioner.provider, self._captioner.model_version
        tokens = money.medium_tokens(medium, provider, model, self._options.media_resolution)
        return money.cost(provider, model, tokens + _ASKED_TOKENS, _ASKED_TOKENS)

    def _quota_tokens(self, made: Caption) -> int:
        return made.tokens_in + (0 if self._google() else made.tokens_out)  # Google's quota counts the input

    def _google(self) -> bool:
        return self._captioner.provider.startswith("google")

    def _say(self) -> None:
        notes = [
            dollars(self._cost) if self._cost and self._captioner.provider else "",
            f"{self._lost} without a caption" if self._lost else "",
            f"{self._again} tried again" if self._again else "",
            f"{self._gate.throttled} refused as too many" if self._gate.throttled else "",
        ]
        self._tell(Progressed(self._done, ", ".join(filter(None, notes))))


def _one_line(reason: str) -> str:
    return " ".join(reason.split())[:_REASON_LENGTH]


def _when(time: datetime) -> str:
    return f"after {time.astimezone():%Y-%m-%d %H:%M}"
