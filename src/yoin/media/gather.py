"""Collect every image cell: found or fetched, proven, hashed, stored, and recorded as it happens."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import pandas as pd

from yoin import loop
from yoin.images import ImageError
from yoin.ledger import Ledger, MediumRecord
from yoin.media import derive, files, inline, objects, shelf
from yoin.media.addresses import host_of, is_web, redact, scheme, shown, whole, without_fragment
from yoin.media.reasons import REASONS, Unusable
from yoin.media.schedule import Schedule
from yoin.options import MediaOptions
from yoin.values import Media, Medium, Progress, silent

if TYPE_CHECKING:
    from yoin.media.http import Client
    from yoin.videos import Sample

T = TypeVar("T")
_THREADS = min(4, os.cpu_count() or 1)  # that read files, and that decode
_BACKLOG = 8 * _THREADS  # media waiting to be decoded before new ones are fetched


@dataclass(slots=True, kw_only=True)
class _Job:
    """A medium to be had: how the ledger knows it, how to get it, and the cells that name it.

    ``seen`` is its good record of an earlier run, whose copy is still there.
    """

    kind: Literal["stored", "file", "data", "object", "web"]
    source: str
    cell: str
    host: str = ""
    stamp: str = ""
    file: files.LocalFile | None = None
    seen: MediumRecord | None = None
    cells: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Got:
    """A file fetched; ``unchanged`` where the copy of an earlier run is still the right one."""

    incoming: shelf.Incoming
    unchanged: bool = False
    status: int = 0
    etag: str = ""
    last_modified: str = ""


def collect(
    images: pd.Series, *, store: Path, ledger: Ledger, options: MediaOptions, progress: Progress = silent
) -> Media:
    """Find or fetch every image and video, prove that it decodes, and keep a copy named by its SHA-256.

    A cell that the ledger knows as good, whose file has not changed since and whose copy is there, is not read again;
    with ``options.refresh`` servers are asked whether theirs has changed. One that failed is tried again. What became
    of a cell is committed before the progress call that counts it.

    Args:
        images: paths relative to ``options.base``, or http, https, data, s3, gs and az URLs, indexed by row_id; NA
            where blank.
        store: the folder of the copies, made where it is missing.
        ledger: where outcomes are recorded.
        options: where images may come from, how large they may be, and how servers are treated.
        progress: called with the distinct cells done, how many there are, and the rate and failures so far.

    Returns:
        The outcome of every row; a cell without a usable image has one of `REASONS`, never an exception.

    Raises:
        StudyError: the disk is full.
    """
    shelf.prepare(store)
    cells = [str(cell) for cell in images.unique() if not _is_blank(cell)]
    books = _Books(ledger, len(cells), progress)
    jobs: dict[tuple[str, str], _Job] = {}
    for cell in cells:
        try:
            job = _job(cell, books.known, store, options)
        except Unusable as problem:
            books.note([cell], _failure(_source(cell, options), "", problem))
            continue
        if job.kind == "stored" and job.seen is not None and derive.is_ready(store, job.seen, options):
            books.note([cell], job.seen)
        else:
            # URLs that differ in their credentials alone share a record, but each is asked for
            jobs.setdefault((job.source, job.cell if job.kind == "web" else ""), job).cells.append(cell)
    loop.run(lambda: _Collection(store, options, books).run(list(jobs.values())))
    return Media(rows=_rows(images, books.records), items=_items(books.records.values(), store, options))


def _job(cell: str, known: Mapping[str, MediumRecord], store: Path, options: MediaOptions) -> _Job:
    """How to get at the image of a cell; raises `Unusable` where that is clear without reading anything."""
    name, source = scheme(cell), _source(cell, options)
    job: _Job
    if is_web(cell):
        url = without_fragment(cell)
        try:
            job = _Job(kind="web", source=source, cell=url, host=host_of(url))
        except ValueError as error:
            raise Unusable("bad_url", f"{shown(cell)} is not a proper URL ({error}).") from error
    elif name == "data":
        job = _Job(kind="data", source=source, cell=cell)
    elif name in objects.PACKAGES and "::" not in cell:
        job = _Job(kind="object", source=source, cell=cell, host=objects.bucket(cell.strip()))
    elif name:
        raise Unusable("unsupported_scheme", f"{shown(cell)}: only http, https, data, s3, gs and az URLs are fetched.")
    else:
        file = files.locate(cell, options)
        job = _Job(kind="file", source=source, cell=cell, stamp=file.stamp, file=file)
    seen = known.get(source)
    if seen is not None and _still_good(seen, job.stamp, store, options):
        job.seen = seen
        if not (options.refresh and job.kind in {"web", "object"}):
            job.kind = "stored"
    return job


def _source(cell: str, options: MediaOptions) -> str:
    """How the ledger knows the cell: the absolute path, or the URL without credentials."""
    name = scheme(cell)
    if is_web(cell):
        try:
            return whole(redact(without_fragment(cell)))
        except ValueError:
            return shown(cell)
    if name == "data":
        return inline.source(cell)
    if name:
        return whole(redact(cell.strip()))
    try:
        return whole(str(files.resolve(cell, options)))
    except Unusable:
        return shown(cell)


def _still_good(seen: MediumRecord, stamp: str, store: Path, options: MediaOptions) -> bool:
    return (
        seen.media_id is not None
        and seen.stamp == stamp
        and seen.bytes <= options.max_bytes
        and seen.width * seen.height <= options.max_pixels
        and shelf.holds(shelf.place(store, seen.media_id, seen.mime), seen.bytes)
    )


class _Books:
    """The outcomes: committed in batches, then counted and shown."""

    def __init__(self, ledger: Ledger, total: int, progress: Progress) -> None:
        self.known = ledger.media()
        self.records: dict[str, MediumRecord] = {}
        self._ledger, self._total, self._progress = ledger, total, progress
        self._waiting: list[tuple[list[str], MediumRecord]] = []
        self._writer: asyncio.Task[None] | None = None
        self._failed = self._bytes = 0
        self._began = time.monotonic()

    def note(self, cells: list[str], record: MediumRecord, fetched: int = 0) -> None:
        """Commit one outcome now, and count it; ``fetched`` bytes came for it over the network."""
        if self.known.get(record.source) != record:
            self._ledger.put_media([record])
        self._count(cells, record, fetched)

    async def put(self, cells: list[str], record: MediumRecord, fetched: int) -> None:
        """Hand an outcome to the writer, which commits all that has come while it wrote the last ones.

        Raises:
            StudyError: an earlier one could not be written.
        """
        self._waiting.append((cells, record))
        self._bytes += fetched
        if self._writer is not None and self._writer.done():
            await self._writer
            self._writer = None
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Wait until everything is committed; raise what `put` would."""
        while self._writer is not None:
            writer, self._writer = self._writer, None
            await writer
            if self._waiting:
                self._writer = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await asyncio.to_thread(self._ledger.put_media, [record for _, record in batch])
            for cells, record in batch:
                self._count(cells, record, 0)

    def _count(self, cells: list[str], record: MediumRecord, fetched: int) -> None:
        self._bytes += fetched
        self.records.update(dict.fromkeys(cells, record))
        self._failed += len(cells) if record.media_id is None else 0
        speed = self._bytes / 1e6 / max(time.monotonic() - self._began, 1e-3)
        parts = [f"{speed:.1f} MB/s" if self._bytes else "", f"{self._failed} failed" if self._failed else ""]
        self._progress(len(self.records), self._total, ", ".join(part for part in parts if part))


class _Collection:
    """One run over the jobs: fetched in an event loop, read and decoded in threads."""

    def __init__(self, store: Path, options: MediaOptions, books: _Books) -> None:
        self._store, self._options, self._books = store, options, books
        self._backlog = 0
        self._client: Client | None = None

    async def run(self, jobs: list[_Job]) -> None:
        """Do every job and commit its outcome."""
        options = self._options
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._books.close)
            self._readers = stack.enter_context(_pool(max(_THREADS, _count(jobs, "object", options)), "read"))
            self._decoders = stack.enter_context(_pool(_THREADS, "decode"))
            if any(job.kind == "web" for job in jobs):
                from yoin.media.http import Client

                self._client = Client(options)
                stack.push_async_callback(self._client.aclose)
            schedule = Schedule[_Job](
                limit=max(options.connections, _THREADS),
                retries=options.retries,
                backoff=options.backoff,
                attempt=self._attempt,
                settle=self._settle,
                full=lambda: self._backlog >= _BACKLOG,
                seed=options.seed,
            )
            for job in jobs:
                at_once = min(options.per_host, options.connections) if job.kind in {"web", "object"} else _THREADS
                schedule.add(job.host, job, at_once=at_once)
            await schedule.run()

    async def _attempt(self, job: _Job) -> _Got | None:
        """Get the bytes once; None where they are in the store already."""
        if job.kind == "stored":
            return None
        incoming = shelf.Incoming(self._store, self._options.max_bytes, shown(job.cell))
        try:
            return await self._fetch(job, incoming)
        except BaseException:
            incoming.drop()
            raise

    async def _fetch(self, job: _Job, incoming: shelf.Incoming) -> _Got:
        seen = job.seen
        if job.kind == "web" and self._client is not None:
            answer = await self._client.get(
                job.cell,
                incoming,
                etag=seen.etag if seen else "",
                last_modified=seen.last_modified if seen else "",
            )
            return _Got(incoming, answer.unchanged, answer.status, answer.etag, answer.last_modified)
        if job.kind == "object":
            limit, version = self._options.max_bytes, seen.etag if seen else ""
            etag = await self._read(lambda: objects.read(job.cell, incoming, limit=limit, version=version))
            return _Got(incoming, unchanged=bool(version) and etag == version, etag=etag)
        if job.file is not None:
            file = job.file
            await self._read(lambda: files.read(file, incoming))
        else:
            await self._read(lambda: inline.read(job.cell, incoming))
        return _Got(incoming)

    async def _read(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, work)

    async def _settle(self, job: _Job, outcome: object, attempts: int) -> None:
        self._backlog += 1
        try:
            record = await asyncio.get_running_loop().run_in_executor(
                self._decoders, self._outcome, job, outcome, attempts
            )
        finally:
            self._backlog -= 1
            if isinstance(outcome, _Got):
                outcome.incoming.drop()  # where the run ends before it was kept
        over_network = job.kind in {"web", "object"} and not isinstance(outcome, Unusable)
        await self._books.put(job.cells, record, record.bytes if over_network else 0)

    def _outcome(self, job: _Job, outcome: object, attempts: int) -> MediumRecord:
        """The record of a finished job, once the medium and all that is made of it lie in the store."""
        asked = attempts if job.kind in {"web", "object"} else 0
        try:
            if isinstance(outcome, Unusable):
                raise outcome
            record, sample = self._keep(job, outcome, asked) if isinstance(outcome, _Got) else (job.seen, None)
            if record is None:
                raise TypeError("a stored medium has a record")
            derive.make_views(self._store, record, self._options, sample)
        except (Unusable, ImageError) as problem:
            if job.seen is not None and job.kind != "stored" and problem.reason != "not_found":
                return replace(job.seen, detail=f"The copy of an earlier run is used. {problem}")
            return replace(
                _failure(job.source, job.stamp, problem),
                attempts=asked,
                status=problem.status if isinstance(problem, Unusable) else getattr(outcome, "status", 0),
            )
        return record

    def _keep(self, job: _Job, got: _Got, attempts: int) -> tuple[MediumRecord, Sample | None]:
        with got.incoming as incoming:
            if got.unchanged and job.seen is not None:
                fresh = replace(job.seen, status=got.status, attempts=attempts, detail="")
                return replace(
                    fresh,
                    etag=got.etag or job.seen.etag,
                    last_modified=got.last_modified or job.seen.last_modified,
                ), None
            proof = derive.examine(incoming, self._options)
            size = incoming.bytes
            media_id = incoming.keep(proof.mime)
        record = MediumRecord(
            source=job.source,
            stamp=job.stamp,
            media_id=media_id,
            mime=proof.mime,
            width=proof.width,
            height=proof.height,
            bytes=size,
            seconds=proof.seconds,
            status=got.status,
            attempts=attempts,
            etag=got.etag,
            last_modified=got.last_modified,
        )
        return record, proof.sample


def _pool(threads: int, name: str) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix=name)


def _count(jobs: Iterable[_Job], kind: str, options: MediaOptions) -> int:
    return min(sum(job.kind == kind for job in jobs), options.connections)


def _failure(source: str, stamp: str, problem: Unusable | ImageError) -> MediumRecord:
    return MediumRecord(source=source, stamp=stamp, media_id=None, reason=problem.reason, detail=str(problem))


def _is_blank(cell: object) -> bool:
    return not (isinstance(cell, str) and cell.strip())


def _rows(images: pd.Series, records: Mapping[str, MediumRecord]) -> pd.DataFrame:
    blank = MediumRecord(source="", stamp="", media_id=None, reason="no_image", detail=REASONS["no_image"])
    outcomes = [blank if _is_blank(cell) else records[str(cell)] for cell in images]
    columns = {
        "media_id": [record.media_id for record in outcomes],
        "reason": [record.reason for record in outcomes],
        "detail": [record.detail for record in outcomes],
    }
    return pd.DataFrame(columns, index=images.index, dtype="string").rename_axis(index="row_id")


def _items(records: Iterable[MediumRecord], store: Path, options: MediaOptions) -> dict[str, Medium]:
    distinct = {record.media_id: record for record in records if record.media_id is not None}
    return {media_id: derive.as_medium(store, record, options) for media_id, record in distinct.items()}
