"""Collect every image cell: found or fetched, proven, hashed, stored, and recorded as it happens."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from yoin.images import ImageError, prove
from yoin.ledger import Ledger, MediumRecord
from yoin.media import files, shelf
from yoin.media.addresses import redact, scheme, shown, whole
from yoin.media.reasons import REASONS, Unusable
from yoin.options import MediaOptions
from yoin.values import Media, Medium, Progress, silent

_URL_THREADS = 8
_FILE_THREADS = min(4, os.cpu_count() or 1)
_SMALLEST_SIDE = 8  # pixels


@dataclass(frozen=True, slots=True)
class _Item:
    """An image to be had: how the ledger knows it, and how its bytes are got."""

    source: str
    stamp: str
    get: Callable[[], bytes]
    is_url: bool


def collect(
    images: pd.Series, *, store: Path, ledger: Ledger, options: MediaOptions, progress: Progress = silent
) -> Media:
    """Find or fetch every image, prove that it decodes, and keep a copy named by its SHA-256.

    A cell that the ledger knows as good, whose file has not changed since and whose copy is there, is not read again;
    one that failed is tried again. What became of a cell is committed before the progress call that counts it.

    Args:
        images: paths relative to ``options.base``, or http(s) URLs, indexed by row_id; NA where blank.
        store: the folder of the copies, made where it is missing.
        ledger: where outcomes are recorded.
        options: where images may come from and how large they may be.
        progress: called with the distinct cells done, how many there are, and how many failed.

    Returns:
        The outcome of every row; a cell without a usable image has one of `REASONS`, never an exception.

    Raises:
        StudyError: the disk is full.
    """
    shelf.prepare(store)
    cells = [str(cell) for cell in images.unique() if not _is_blank(cell)]
    known = ledger.media()
    records: dict[str, MediumRecord] = {}
    failed = 0

    def done(names: list[str], record: MediumRecord) -> None:
        nonlocal failed
        if known.get(record.source) != record:
            ledger.put_medium(record)
        records.update(dict.fromkeys(names, record))
        failed += len(names) if record.media_id is None else 0
        progress(len(records), len(cells), f"{failed} failed" if failed else "")

    with ExitStack() as stack:
        download = _downloader(stack, cells, options)
        waiting: dict[str, tuple[_Item, list[str]]] = {}  # what to get, and the cells that name it
        for cell in cells:
            try:
                item = _item(cell, options, download)
            except Unusable as problem:
                done([cell], _failure(_source(cell, options), "", problem))
                continue
            seen = known.get(item.source)
            if seen is not None and _still_good(seen, item, store, options):
                done([cell], seen)
            else:
                waiting.setdefault(cell.strip() if item.is_url else item.source, (item, []))[1].append(cell)
        for names, record in _in_threads(waiting.values(), partial(_acquire, store=store, options=options)):
            done(names, record)
    return Media(rows=_rows(images, records), items=_items(records.values(), store))


def _downloader(stack: ExitStack, cells: Iterable[str], options: MediaOptions) -> Callable[[str], bytes] | None:
    """What fetches a URL; None where no cell is one, so that tables of files need no HTTP client."""
    if not any(scheme(cell) in {"http", "https"} for cell in cells):
        return None
    from yoin.media.fetch import Fetcher

    fetcher = Fetcher(options)
    stack.callback(fetcher.close)
    return fetcher.get


def _item(cell: str, options: MediaOptions, download: Callable[[str], bytes] | None) -> _Item:
    """How to get at the image of a cell; raises `Unusable` where that is clear without reading anything."""
    name = scheme(cell)
    if name in {"http", "https"} and download is not None:
        url = cell.strip()
        return _Item(source=_source(cell, options), stamp="", get=partial(download, url), is_url=True)
    if name:
        raise Unusable("unsupported_scheme", f"{shown(cell)} is not an http or https URL.")
    file = files.locate(cell, options)
    return _Item(
        source=_source(cell, options), stamp=file.stamp, get=partial(files.read_bytes, file, options), is_url=False
    )


def _source(cell: str, options: MediaOptions) -> str:
    """How the ledger knows the cell: the absolute path, or the URL without credentials."""
    if scheme(cell) in {"http", "https"}:
        return whole(redact(cell.strip()))
    try:
        return shown(cell) if scheme(cell) else whole(str(files.resolve(cell, options)))
    except Unusable:
        return shown(cell)


def _still_good(seen: MediumRecord, item: _Item, store: Path, options: MediaOptions) -> bool:
    return (
        seen.media_id is not None
        and seen.stamp == item.stamp
        and seen.bytes <= options.max_bytes
        and seen.width * seen.height <= options.max_pixels
        and shelf.holds(shelf.place(store, seen.media_id, seen.mime), seen.bytes)
    )


def _acquire(item: _Item, *, store: Path, options: MediaOptions) -> MediumRecord:
    """Get, prove, hash and store one image; what is wrong with it becomes its record."""
    try:
        data = item.get()
        if not data:
            raise Unusable("empty_file", "The image has zero bytes.")
        facts = prove(data, max_pixels=options.max_pixels)
        if min(facts.width, facts.height) < _SMALLEST_SIDE:
            raise Unusable("too_small", f"The image has only {facts.width} × {facts.height} pixels.")
    except (Unusable, ImageError) as problem:
        return _failure(item.source, item.stamp, problem)
    media_id = hashlib.sha256(data).hexdigest()
    shelf.put(store, shelf.place(store, media_id, facts.mime), data)
    return MediumRecord(
        source=item.source,
        stamp=item.stamp,
        media_id=media_id,
        mime=facts.mime,
        width=facts.width,
        height=facts.height,
        bytes=len(data),
    )


def _failure(source: str, stamp: str, problem: Unusable | ImageError) -> MediumRecord:
    return MediumRecord(source=source, stamp=stamp, media_id=None, reason=problem.reason, detail=str(problem))


def _in_threads(
    waiting: Iterable[tuple[_Item, list[str]]], acquire: Callable[[_Item], MediumRecord]
) -> Iterator[tuple[list[str], MediumRecord]]:
    """Run ``acquire`` for every item, a few at a time; outcomes come as they are ready.

    Only records pass through here, so that memory holds no more images than there are threads. An error or an
    interruption drops what has not begun.
    """
    with ExitStack() as stack:
        jobs: dict[Future[MediumRecord], list[str]] = {}
        pools: dict[bool, ThreadPoolExecutor] = {}
        for item, names in waiting:
            if item.is_url not in pools:
                pool = ThreadPoolExecutor(_URL_THREADS if item.is_url else _FILE_THREADS, thread_name_prefix="media")
                pools[item.is_url] = pool
                stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            jobs[pools[item.is_url].submit(acquire, item)] = names
        for future in as_completed(jobs):
            yield jobs[future], future.result()


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


def _items(records: Iterable[MediumRecord], store: Path) -> dict[str, Medium]:
    return {
        record.media_id: Medium(
            media_id=record.media_id,
            path=shelf.place(store, record.media_id, record.mime),
            mime=record.mime,
            width=record.width,
            height=record.height,
            bytes=record.bytes,
        )
        for record in records
        if record.media_id is not None
    }
