"""The calls for captions: each one paced, tried again where that helps, and its outcome kept the moment it is there."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from yoin.amounts import dollars
from yoin.captions import money
from yoin.captions.base import Captioner, Passing, Throttled
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


class Calls:
    """Captions media, each once; a captioner with an endpoint is paced, and given up where nothing succeeds.

    Args:
        captioner: it is closed at the end.
        options: retries, quotas and the limit of the cost.
        to_do: the media.
        captioned: how many others are captioned already.
        ledger: tells what has been spent and asked before.
        keep: called once a medium, with its caption.
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
        tell: Callable[[Progressed], None],
        backoff: float = 1.0,
    ) -> None:
        self._captioner, self._options, self._ledger = captioner, options, ledger
        self._queue, self._total, self._captioned = iter(to_do), len(to_do), captioned
        self._keep, self._tell, self._backoff = keep, tell, backoff
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
        for medium in self._queue:  # shared: each consumer takes the next one
            made = await self._caption(medium)
            if made is None:
                return
            self._keep(medium, made)
            self._settled(made)

    async def _caption(self, medium: Medium) -> Caption | None:
        """The outcome for one medium, after as many attempts as it takes; None where the stage stops first."""
        attempts = faults = refusals = 0
        while (ticket := await self._gate.enter()) is not None and self._allowed(ticket, medium):
            attempts += 1
            outcome = await self._attempt(ticket, medium)
            if isinstance(outcome, Caption):
                return replace(outcome, attempts=attempts - 1 + outcome.attempts)
            refused = isinstance(outcome, Throttled)
            refusals, faults = refusals + refused, faults + (not refused)
            self._watch(outcome)
            if self._stop is not None:
                break
            if faults > self._options.call_retries or refusals >= _MOST_REFUSALS:
                return Caption(text="", status="failed", reason=_one_line(outcome.reason), attempts=attempts)
            self._again += 1
            self._say()
            if not refused:  # after a refusal the gate itself rests
                pause = min(_LONGEST_BACKOFF, self._backoff * 2 ** (faults - 1)) * self._random.uniform(0.5, 1)
                await self._sleep(max(outcome.wait, pause))
        return None

    async def _attempt(self, ticket: Ticket, medium: Medium) -> Caption | Passing:
        """One call through the gate: its caption, or why it may be made again."""
        expected = self._expected_cost(medium)
        self._reserved += expected
        try:
            made = await self._captioner.caption(medium)
            made = money.with_cost(made, self._captioner.provider, self._captioner.model_version)
        except Throttled as error:
            self._gate.refused(ticket, 0.0 if error.daily else min(error.wait, _LONGEST_WAIT))
            return error
        except Passing as error:
            self._gate.failed(ticket, min(error.wait, _LONGEST_WAIT))
            return error
        except YoinError:
            raise
        except Exception as error:  # noqa: BLE001 - one medium's failure is its record
            self._gate.failed(ticket)
            says = " ".join(str(error).split())
            reason = f"{type(error).__name__}: {says}" if says else type(error).__name__
            return Caption(text="", status="failed", reason=_one_line(reason))
        finally:
            self._reserved -= expected
        if made.status == "failed":
            self._gate.failed(ticket)
        else:
            self._gate.succeeded(ticket, self._quota_tokens(made))
        self._cost += made.cost_usd
        self._dearest = max(self._dearest, made.cost_usd)
        return made

    def _allowed(self, ticket: Ticket, medium: Medium) -> bool:
        """Whether quota and money allow this call; if not, the stage stops."""
        limit = self._options.max_cost
        if limit is not None:
            spent = self._spent_before + self._cost
            if spent + self._reserved + self._expected_cost(medium) > limit:
                self._stop_with(
                    f"the next call could exceed the limit of {dollars(limit)}: {dollars(spent)} are spent",
                    "run again with a higher --max-cost to go on",
                )
        if self._calls_left is not None:
            if self._calls_left <= 0:
                self._stop_with(
                    f"the {self._options.rpd:,.0f} requests a day are used up",
                    f"run again {_when(self._day_began + _DAY)} to go on",
                )
            self._calls_left -= 1
        if self._stop is not None:
            self._gate.failed(ticket)
        return self._stop is None

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
        if self._options.max_cost is None:
            return 0.0
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
