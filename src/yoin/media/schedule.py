"""Many jobs at many hosts: fair to each host, never more at a time than it should bear, patient where it asks."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from yoin.media.reasons import Unusable

Job = TypeVar("Job")
_LONGEST_WAIT = 120.0  # seconds a run waits for a host; one that wants more is left for the next run
_LONGEST_BACKOFF = 30.0
_SILENT_ATTEMPTS = 16  # attempts without one answer after which a host counts as dead


@dataclass(slots=True, eq=False)
class _Host(Generic[Job]):
    limit: int
    waiting: deque[tuple[Job, int]] = field(default_factory=deque)  # a job and its attempts so far
    active: int = 0
    rests_until: float = 0.0  # by the event loop's clock
    answered: bool = False
    silent: int = 0  # attempts without an answer
    verdict: Unusable | None = None  # why it is not asked any more
    queued: bool = False


class Schedule(Generic[Job]):
    """Runs jobs, each at a host; a job that may pass is tried again after a pause that grows.

    Args:
        limit: jobs at the same time, over all hosts.
        retries: further attempts of a job whose failure may pass.
        backoff: seconds before the first further attempt at most; doubled with each.
        attempt: does a job once; raises `Unusable` where it fails.
        settle: called once a job with its outcome, the `Unusable` or what ``attempt`` returned, and the number of
            attempts; while `full` it delays new jobs.
        seed: of the jitter of the pauses.
    """

    def __init__(
        self,
        *,
        limit: int,
        retries: int,
        backoff: float,
        attempt: Callable[[Job], Awaitable[object]],
        settle: Callable[[Job, object, int], Awaitable[None]],
        full: Callable[[], bool],
        seed: int,
    ) -> None:
        self._limit, self._retries, self._backoff = limit, retries, backoff
        self._attempt, self._settle, self._full = attempt, settle, full
        self._random = random.Random(seed)  # noqa: S311 - jitter, not secrets
        self._hosts: dict[str, _Host[Job]] = {}
        self._ready: deque[_Host[Job]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._active = 0
        self._left = 0

    def add(self, host: str, job: Job, *, at_once: int) -> None:
        """Put a job in the queue of its host, of which ``at_once`` may run at a time."""
        self._left += 1
        entry = self._hosts.setdefault(host, _Host(limit=at_once))
        entry.waiting.append((job, 0))
        self._offer(entry)

    async def run(self) -> None:
        """Do every job added; an exception other than `Unusable` ends all of them and is raised."""
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._left:
            return
        self._pump()
        try:
            await self._finished
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _offer(self, host: _Host[Job]) -> None:
        if host.waiting and not host.queued and not host.rests_until and host.active < host.limit:
            host.queued = True
            self._ready.append(host)

    def _pump(self) -> None:
        """Start what may start: the hosts take turns."""
        while self._ready and self._active < self._limit and not self._full() and not self._finished.done():
            host = self._ready.popleft()
            host.queued = False
            job, attempts = host.waiting.popleft()
            host.active += 1
            self._active += 1
            self._offer(host)
            task = asyncio.create_task(self._do(host, job, attempts))
            self._tasks.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._finished.done() or task.cancelled():
            return
        error = task.exception()
        if error is not None:
            self._finished.set_exception(error)
        elif not self._left:
            self._finished.set_result(None)
        else:
            self._pump()

    async def _do(self, host: _Host[Job], job: Job, attempts: int) -> None:
        outcome: object
        try:
            if host.verdict is None:
                attempts += 1
                outcome = await self._attempt(job)
                host.answered = True
            else:
                outcome = host.verdict
        except Unusable as problem:
            outcome = problem
            self._learn(host, problem)
        finally:
            host.active -= 1
            self._active -= 1
            self._offer(host)
            self._pump()
        if isinstance(outcome, Unusable) and outcome.passing and attempts <= self._retries and host.verdict is None:
            pause = min(_LONGEST_BACKOFF, self._backoff * 2 ** (attempts - 1))
            self._later(
                max(outcome.wait, pause * self._random.uniform(0.5, 1)), lambda: self._again(host, job, attempts)
            )
            return
        await self._settle(job, outcome, attempts)
        self._left -= 1

    def _learn(self, host: _Host[Job], problem: Unusable) -> None:
        """What a failure says of the whole host."""
        host.answered = host.answered or bool(problem.status)
        host.silent += not problem.status and problem.passing
        if problem.wait > _LONGEST_WAIT:
            host.verdict = Unusable(
                problem.reason, f"The server wants to be left alone for {problem.wait:,.0f} seconds: run again then."
            )
        elif problem.wait:
            self._rest(host, problem.wait)
        elif not host.answered and host.silent >= _SILENT_ATTEMPTS:
            host.verdict = Unusable(
                "connection",
                f"Its server was asked {host.silent} times and did not answer once; run again to try anew.",
            )

    def _rest(self, host: _Host[Job], seconds: float) -> None:
        """Ask nothing of a host for a while; of several wishes the longest counts."""
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        host.rests_until = max(host.rests_until, until)
        if host.queued:
            self._ready.remove(host)
            host.queued = False

        def wake() -> None:
            if clock() >= host.rests_until - 1e-3:
                host.rests_until = 0.0
                self._offer(host)
                self._pump()

        self._later(seconds, wake)

    def _again(self, host: _Host[Job], job: Job, attempts: int) -> None:
        host.waiting.append((job, attempts))
        self._offer(host)
        self._pump()

    def _later(self, seconds: float, do: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, lambda: None if self._finished.done() else do())
