"""Captions through a service's batch interface: half the price, and an answer within a day.

What is to do goes to the service in jobs. A job is in the ledger before it is sent, so that a process that dies
meanwhile never sends it twice; a later run collects its captions, which are known by the same keys as those of single
calls. What a job has no caption of is to do again.
"""

from __future__ import annotations

import tempfile
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from yoin.amounts import dollars
from yoin.captions import money
from yoin.captions.base import Captioner, Passing
from yoin.errors import PendingError, UsageError, YoinError
from yoin.ledger import BatchJob, Ledger
from yoin.options import CaptionOptions
from yoin.values import Caption, Medium

T = TypeVar("T")

PRICE = 0.5  # of a single call
_EXPECTED_TOKENS = 1000  # of a prompt, and of an answer


@dataclass(frozen=True, slots=True)
class Collected:
    """What came of a job that has ended: captions by media_id, and why it has not all of them, "" where it has."""

    captions: Mapping[str, Caption]
    problem: str = ""


class BatchInterface(Protocol):
    """A service's batch interface, as a captioner's method ``batches`` returns it.

    Attributes:
        most_requests: that a job may hold.
        most_bytes: that a job may hold.
    """

    most_requests: int
    most_bytes: int

    async def line(self, medium: Medium) -> bytes | Caption:
        """The request for a medium, as a line of a job's file; a failed caption where there is none."""
        ...

    async def send(self, job_id: str, path: Path) -> str:
        """Start a job with the requests of a file, marked with ``job_id``; returns what the service calls it.

        Raises:
            Passing: a fault that may pass, after which the job may be there or not.
            yoin.errors.UsageError: the service does not take it.
        """
        ...

    async def find(self, job_id: str) -> str:
        """What the service calls the job marked so; "" where it has none."""
        ...

    async def collect(self, job: str) -> Collected | None:
        """What came of a job; None while it is under way."""
        ...


class Batches:
    """The jobs of a captioner, sent and collected.

    Args:
        captioner: the stage closes it.
        options: the limit of the cost.
        ledger: remembers the jobs.
        keep: called with a key, a media_id, a prompt_id and the caption, as jobs are collected and for media that
            cannot be sent.
    """

    def __init__(
        self,
        captioner: Captioner,
        options: CaptionOptions,
        ledger: Ledger,
        *,
        keep: Callable[[str, str, str, Caption], None],
    ) -> None:
        self._captioner, self._options, self._ledger = captioner, options, ledger
        self._keep = keep
        self._interface: BatchInterface | None = None

    def open(self) -> list[BatchJob]:
        """The captioner's jobs that are not collected."""
        ours = (self._captioner.name, self._captioner.endpoint)
        return [job for job in self._ledger.open_batches() if (job.captioner, job.endpoint) == ours]

    async def collect(self) -> None:
        """Keep the captions of every job that has ended.

        Raises:
            YoinError: the service cannot be asked, or a job has failed as a whole.
        """
        failed: Counter[str] = Counter()
        for job in self.open():
            name = job.job or await self._reached(self._service().find(job.id))
            if not name:  # the process died before it was sent
                self._ledger.close_batch(job.id, "not sent")
                continue
            if not job.job:
                self._ledger.name_batch(job.id, name)
            found = await self._reached(self._service().collect(name))
            if found is None:
                continue
            for key, media_id in job.calls.items():
                if media_id in found.captions:
                    self._keep(key, media_id, job.prompt_id, self._half_priced(found.captions[media_id]))
            self._ledger.close_batch(job.id, found.problem or "collected")
            if found.problem and not found.captions:
                failed[found.problem] += 1
        if failed:
            (problem, jobs), *_ = failed.most_common(1)
            raise YoinError(
                f"{jobs} batch {'job has' if jobs == 1 else 'jobs have'} failed: {problem}",
                stage="captions",
                remedy="see to it, then send them again with --batch, or leave --batch out",
            )

    async def send(self, to_do: Sequence[Medium], keys: Mapping[str, str]) -> int:
        """Send what is to do, in as many jobs as it takes; returns how many media the limit of the cost left out.

        Raises:
            YoinError: the service does not take a job, or the limit leaves nothing to send.
        """
        within = self._within_limit(to_do)
        if to_do and not within:
            limit = self._options.max_cost or 0.0
            raise YoinError(
                f"the first batch could exceed the limit of {dollars(limit)}",
                stage="captions",
                remedy="run again with a higher --max-cost to go on",
            )
        service, waiting = self._service(), list(within)
        with tempfile.TemporaryDirectory(prefix="yoin-batch-") as folder:
            while waiting:
                path = Path(folder) / "requests.jsonl"
                with path.open("wb") as file:
                    inside = await self._fill(file, waiting, keys)
                if inside:
                    await self._send_one(service, path, {keys[medium.media_id]: medium.media_id for medium in inside})
        return len(to_do) - len(within)

    async def _fill(self, file: BinaryIO, waiting: list[Medium], keys: Mapping[str, str]) -> list[Medium]:
        """Write the requests of one job; what it takes goes from ``waiting`` into what is returned."""
        service, inside, size = self._service(), list[Medium](), 0
        while waiting and len(inside) < service.most_requests:
            medium = waiting[0]
            line = await service.line(medium)
            if isinstance(line, bytes) and len(line) > service.most_bytes:
                line = Caption(text="", status="failed", reason="too large for the batch interface")
            if isinstance(line, bytes):
                if size + len(line) > service.most_bytes:
                    break
                file.write(line)
                inside.append(medium)
                size += len(line)
            else:
                self._keep(keys[medium.media_id], medium.media_id, self._captioner.prompt_id, line)
            del waiting[0]
        return inside

    async def _send_one(self, service: BatchInterface, path: Path, calls: Mapping[str, str]) -> None:
        captioner = self._captioner
        job = BatchJob(uuid.uuid4().hex, "", captioner.name, captioner.endpoint, captioner.prompt_id, calls)
        self._ledger.intend_batch(job)
        try:
            name = await service.send(job.id, path)
        except Passing as error:  # the next run finds out whether it is there
            raise _unreached(error) from None
        except YoinError:
            self._ledger.close_batch(job.id, "not taken")
            raise
        self._ledger.name_batch(job.id, name)

    async def _reached(self, work: Awaitable[T]) -> T:
        try:
            return await work
        except Passing as error:
            raise _unreached(error) from None

    def _service(self) -> BatchInterface:
        if self._interface is None:
            make = getattr(self._captioner, "batches", None)
            if make is None:
                raise UsageError(
                    f"{self._captioner.name} has no batch interface", stage="captions", remedy="leave out --batch"
                )
            self._interface = make()
        return self._interface

    def _half_priced(self, made: Caption) -> Caption:
        priced = money.with_cost(made, self._captioner.provider, self._captioner.model_version)
        return replace(priced, cost_usd=priced.cost_usd * PRICE)

    def _within_limit(self, to_do: Sequence[Medium]) -> Sequence[Medium]:
        """The first media whose captions will probably cost no more than is left."""
        limit = self._options.max_cost
        if limit is None:
            return to_do
        provider, model = self._captioner.provider, self._captioner.model_version
        money.require_price(provider, model)

        def expected(medium: Medium) -> float:
            tokens = money.medium_tokens(medium, provider, model, self._options.media_resolution)
            return PRICE * money.cost(provider, model, tokens + _EXPECTED_TOKENS, _EXPECTED_TOKENS)

        # Captions under way are taken to be as dear as the dearest of these.
        under_way = sum(len(job.calls) for job in self.open()) * max(map(expected, to_do), default=0.0)
        left = limit - self._ledger.spent(self._captioner.name) - under_way
        for number, medium in enumerate(to_do):
            left -= expected(medium)
            if left < 0:
                return to_do[:number]
        return to_do


def pending(jobs: Sequence[BatchJob], captioned: int, left_out: int) -> PendingError:
    """The end of a run whose captions are under way."""
    calls = sum(len(job.calls) for job in jobs)
    how_many = "one batch job" if len(jobs) == 1 else f"{len(jobs):,} batch jobs"
    limited = f"; {left_out:,} were not sent, as they could exceed --max-cost" if left_out else ""
    return PendingError(
        f"{calls:,} captions are under way in {how_many}, {captioned:,} are there{limited}",
        stage="captions",
        remedy="run the same command again later to collect them; a batch may take a day",
    )


def _unreached(error: Passing) -> YoinError:
    return YoinError(
        f"the batch interface did not answer as it should ({error.reason})",
        stage="captions",
        remedy="run the same command again: no job is sent twice",
    )
