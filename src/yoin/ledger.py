"""The ledger: what became of every image and every caption call, committed as it happens.

SQLite in WAL mode with ``synchronous=FULL``: what `put_media` or `put_caption` has returned for survives
a kill or a power cut. Safe to use from several threads.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from yoin.errors import StudyError
from yoin.values import Caption

_SCHEMA = """
CREATE TABLE IF NOT EXISTS media (
    source TEXT PRIMARY KEY, stamp TEXT NOT NULL, media_id TEXT, reason TEXT NOT NULL, detail TEXT NOT NULL,
    mime TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, bytes INTEGER NOT NULL, at TEXT NOT NULL,
    seconds REAL NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
    etag TEXT NOT NULL DEFAULT '', last_modified TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS captions (
    key TEXT PRIMARY KEY, media_id TEXT NOT NULL, captioner TEXT NOT NULL, prompt_id TEXT NOT NULL,
    text TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, model_version TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, cost_usd REAL NOT NULL, seconds REAL NOT NULL,
    at TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 1, earlier_usd REAL NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lost_calls (
    key TEXT NOT NULL, captioner TEXT NOT NULL, calls INTEGER NOT NULL, cost_usd REAL NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS batch_jobs (
    id TEXT PRIMARY KEY, job TEXT NOT NULL, captioner TEXT NOT NULL, endpoint TEXT NOT NULL,
    prompt_id TEXT NOT NULL, state TEXT NOT NULL, at TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch_calls (
    key TEXT PRIMARY KEY, id TEXT NOT NULL REFERENCES batch_jobs, media_id TEXT NOT NULL
) WITHOUT ROWID;
"""
_ADDED = {
    "seconds": "REAL NOT NULL DEFAULT 0",
    "status": "INTEGER NOT NULL DEFAULT 0",
    "attempts": "INTEGER NOT NULL DEFAULT 0",
    "etag": "TEXT NOT NULL DEFAULT ''",
    "last_modified": "TEXT NOT NULL DEFAULT ''",
}  # columns of media that ledgers of the first version lack
_ADDED_TO_CAPTIONS = {
    "attempts": "INTEGER NOT NULL DEFAULT 1",
    "earlier_usd": "REAL NOT NULL DEFAULT 0",  # what captions cost that this one replaced
}
_CAPTION_COLUMNS = (
    "text", "status", "reason", "model_version", "tokens_in", "tokens_out", "cost_usd", "seconds", "attempts",
)  # fmt: skip
ROW_COLUMNS = ("key", "media_id", "captioner", "prompt_id", *_CAPTION_COLUMNS, "at")  # of a caption
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in ROW_COLUMNS[1:]) + (
    ", earlier_usd = captions.earlier_usd + captions.cost_usd"
)
_PUT_CAPTION = (
    f"INSERT INTO captions ({', '.join(ROW_COLUMNS)}) VALUES ({','.join('?' * len(ROW_COLUMNS))})"  # noqa: S608
    f" ON CONFLICT (key) DO UPDATE SET {_REPLACED}"
)
_LOSE_CALLS = "INSERT OR REPLACE INTO lost_calls (rowid, key, captioner, calls, cost_usd, at) VALUES (?, ?, ?, ?, ?, ?)"
_LOSE_REPLACED = (  # its cost is in earlier_usd
    "INSERT INTO lost_calls (key, captioner, calls, cost_usd, at) SELECT key, captioner, attempts, 0, at FROM captions"
    " WHERE key = ?"
)
_CHUNK = 500  # keys a query: below SQLite's limit on bound values


@dataclass(frozen=True, slots=True)
class MediumRecord:
    """What became of one image cell.

    ``source`` is the absolute path or the URL (credentials redacted), ``stamp`` changes when a file does
    (size and modification time; "" for URLs), ``media_id`` is None where ``reason`` says why. ``seconds`` is the length
    of a video. ``status`` is the HTTP status (0 without one), ``attempts`` how often it was asked for; ``etag`` and
    ``last_modified`` are what the server is shown when asked again.
    """

    source: str
    stamp: str
    media_id: str | None
    reason: str = ""
    detail: str = ""
    mime: str = ""
    width: int = 0
    height: int = 0
    bytes: int = 0
    seconds: float = 0.0
    status: int = 0
    attempts: int = 0
    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class BatchJob:
    """A job of a provider's batch interface whose results are not collected.

    ``id`` is our own, by which the job is found again where the process died before it learned ``job``, the
    provider's ("" until then). ``calls`` is the media_id of each call key that it holds.
    """

    id: str
    job: str
    captioner: str
    endpoint: str
    prompt_id: str
    calls: Mapping[str, str]


_MEDIUM_COLUMNS = tuple(field.name for field in fields(MediumRecord))


class Ledger:
    """The study's ``ledger.db``, opened for reading and writing; a context manager.

    Raises:
        StudyError: the file is not a ledger, or the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._sent: dict[str, int] = {}  # the row of lost_calls that stands for a key's calls, until they are settled
        with self._translated():
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            for table, added in (("media", _ADDED), ("captions", _ADDED_TO_CAPTIONS)):
                present = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
                for name, kind in added.items():
                    if name not in present:
                        self._db.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._db.close()

    def media(self) -> dict[str, MediumRecord]:
        """Every recorded image cell by its source."""
        rows = self._query(f"SELECT {', '.join(_MEDIUM_COLUMNS)} FROM media", ())  # noqa: S608 - constant text
        return {row[0]: MediumRecord(*row) for row in rows}

    def put_media(self, records: Iterable[MediumRecord]) -> None:
        """Commit what became of some image cells at once, replacing what was known."""
        marks = ",".join("?" * (len(_MEDIUM_COLUMNS) + 1))
        statement = f"INSERT OR REPLACE INTO media ({', '.join(_MEDIUM_COLUMNS)}, at) VALUES ({marks})"  # noqa: S608
        rows = [(*astuple(record), _now()) for record in records]
        with self._transaction():
            self._db.executemany(statement, rows)

    def captions(self, keys: Iterable[str]) -> dict[str, Caption]:
        """The captions on record among ``keys``, by key."""
        wanted = list(dict.fromkeys(keys))
        columns = ", ".join(("key", *_CAPTION_COLUMNS))
        found = {}
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            query = f"SELECT {columns} FROM captions WHERE key IN ({marks})"  # noqa: S608 - marks only
            for key, *values in self._query(query, chunk):
                found[key] = Caption(**dict(zip(_CAPTION_COLUMNS, values, strict=True)))
        return found

    def put_caption(self, key: str, media_id: str, captioner: str, prompt_id: str, caption: Caption) -> None:
        """Commit a caption, replacing an earlier one of the same key, whose calls and cost are kept."""
        with self._transaction():
            self._db.execute(_LOSE_REPLACED, (key,))
            self._db.execute(_PUT_CAPTION, _caption_values(key, media_id, captioner, prompt_id, caption, _now()))
            self._db.execute("DELETE FROM lost_calls WHERE rowid = ?", (self._sent.get(key),))
        self._sent.pop(key, None)

    def send_calls(self, key: str, captioner: str, calls: int, cost_usd: float) -> None:
        """Note the calls for the caption of a key, the one that goes out now too, and what they probably cost.

        `put_caption` or `lose_calls` settles them; where neither comes, because the process was killed, they are on
        record as lost. The note does not wait for the disk, so that only a power cut may take it away.
        """
        with self._lock, self._translated():
            self._db.execute("PRAGMA synchronous=NORMAL")
            try:
                self._lose(key, captioner, calls, cost_usd)
            finally:
                self._db.execute("PRAGMA synchronous=FULL")

    def lose_calls(self, key: str, captioner: str, calls: int, cost_usd: float) -> None:
        """Commit calls for the caption of a key that were sent and of which none came, because the run stopped."""
        with self._lock, self._translated():
            self._lose(key, captioner, calls, cost_usd)
            del self._sent[key]

    def spent(self, captioner: str) -> float:
        """US dollars that the calls of this captioner cost, also those whose captions were replaced or never came."""
        rows = self._query(
            "SELECT (SELECT TOTAL(cost_usd + earlier_usd) FROM captions WHERE captioner = ?1)"
            " + (SELECT TOTAL(cost_usd) FROM lost_calls WHERE captioner = ?1)",
            (captioner,),
        )
        return float(rows[0][0])

    def spent_besides(self, keys: Iterable[str]) -> float:
        """US dollars that calls for these keys cost beside those of the captions on record."""
        wanted, spent = list(dict.fromkeys(keys)), 0.0
        for start in range(0, len(wanted), _CHUNK):
            chunk = wanted[start : start + _CHUNK]
            marks = ",".join("?" * len(chunk))
            for table, column in (("captions", "earlier_usd"), ("lost_calls", "cost_usd")):
                query = f"SELECT TOTAL({column}) FROM {table} WHERE key IN ({marks})"  # noqa: S608 - marks only
                spent += float(self._query(query, chunk)[0][0])
        return spent

    def calls_since(self, captioner: str, since: datetime) -> tuple[int, datetime | None]:
        """Calls on record that ended since then, whatever came of them, and when the first of them did."""
        rows = self._query(
            "SELECT SUM(calls), MIN(at) FROM (SELECT attempts AS calls, at, captioner FROM captions"
            " UNION ALL SELECT calls, at, captioner FROM lost_calls) WHERE captioner = ? AND at >= ?",
            (captioner, since.astimezone(UTC).isoformat(timespec="seconds")),
        )
        calls, first = rows[0]
        return int(calls or 0), datetime.fromisoformat(first) if first else None

    def caption_rows(self) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Every caption on record as a row, in the order of its key, and the columns' names."""
        return ROW_COLUMNS, self._query(f"SELECT {', '.join(ROW_COLUMNS)} FROM captions ORDER BY key", ())  # noqa: S608

    def add_caption_rows(self, rows: Iterable[tuple[Any, ...]]) -> int:
        """Commit rows like those of `caption_rows` at once; an ok caption on record stays. Returns how many it took."""
        marks = ",".join("?" * len(ROW_COLUMNS))
        statement = (
            f"INSERT INTO captions ({', '.join(ROW_COLUMNS)}) VALUES ({marks})"  # noqa: S608 - constant text
            f" ON CONFLICT (key) DO UPDATE SET {_REPLACED}"
            " WHERE captions.status != 'ok' AND excluded.status = 'ok'"
        )
        with self._transaction():
            before = self._db.total_changes
            self._db.executemany(statement, rows)
            return self._db.total_changes - before

    def intend_batch(self, job: BatchJob) -> None:
        """Commit a job before it is sent.

        Raises:
            StudyError: one of its calls is in another job whose results are not collected, or the id is taken.
        """
        with self._transaction():
            try:
                self._db.execute(
                    "INSERT INTO batch_jobs (id, job, captioner, endpoint, prompt_id, state, at)"
                    " VALUES (?, ?, ?, ?, ?, 'open', ?)",
                    (job.id, job.job, job.captioner, job.endpoint, job.prompt_id, _now()),
                )
                self._db.executemany(
                    "INSERT INTO batch_calls (key, id, media_id) VALUES (?, ?, ?)",
                    [(key, job.id, media_id) for key, media_id in job.calls.items()],
                )
            except sqlite3.IntegrityError as error:
                raise StudyError("some of these calls are in a batch job already", stage="ledger") from error

    def name_batch(self, id_: str, job: str) -> None:
        """Commit what the provider calls the job."""
        self._write("UPDATE batch_jobs SET job = ? WHERE id = ?", (job, id_))

    def close_batch(self, id_: str, state: str) -> None:
        """Commit that nothing more comes of the job, once its captions are; its calls may be sent again."""
        with self._transaction():
            self._db.execute("DELETE FROM batch_calls WHERE id = ?", (id_,))
            self._db.execute("UPDATE batch_jobs SET state = ? WHERE id = ?", (state, id_))

    def open_batches(self) -> list[BatchJob]:
        """The jobs whose results are not collected, the first one first."""
        rows = self._query(
            "SELECT id, job, captioner, endpoint, prompt_id FROM batch_jobs WHERE state = 'open' ORDER BY at, id", ()
        )
        jobs = []
        for id_, job, captioner, endpoint, prompt_id in rows:
            calls = self._query("SELECT key, media_id FROM batch_calls WHERE id = ? ORDER BY key", (id_,))
            jobs.append(BatchJob(id_, job, captioner, endpoint, prompt_id, dict(calls)))
        return jobs

    def _lose(self, key: str, captioner: str, calls: int, cost_usd: float) -> None:
        """In the row that stands for a key's calls, or a new one."""
        values = (self._sent.get(key), key, captioner, calls, cost_usd, _now())
        self._sent[key] = self._db.execute(_LOSE_CALLS, values).lastrowid or 0

    def _query(self, statement: str, values: Iterable[str]) -> list[tuple[Any, ...]]:
        with self._lock, self._translated(), closing(self._db.execute(statement, tuple(values))) as cursor:
            return cursor.fetchall()

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        with self._lock, self._translated():
            self._db.execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """What is written inside is committed at once, or none of it is."""
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "full" in str(error) or "disk I/O" in str(error):
                raise disk_full("ledger") from error
            raise StudyError(f"{self._path.name} cannot be used: {error}", stage="ledger") from error
        except sqlite3.DatabaseError as error:
            raise StudyError(
                f"{self._path.name} is not a ledger or is damaged",
                stage="ledger",
                remedy="move it away and run again: what it held is then made anew",
            ) from error


def disk_full(stage: str) -> StudyError:
    """The error for a full disk."""
    return StudyError("the disk is full", stage=stage, remedy="free some space and run the same command again")


@contextmanager
def disk_errors(stage: str) -> Iterator[None]:
    """Translate a full disk while writing into its one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full(stage) from error
        raise


def _caption_values(
    key: str, media_id: str, captioner: str, prompt_id: str, caption: Caption, at: str
) -> tuple[object, ...]:
    return (key, media_id, captioner, prompt_id, *(getattr(caption, name) for name in _CAPTION_COLUMNS), at)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
