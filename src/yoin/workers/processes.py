"""Worker processes that each load their models once and then answer one request at a time.

Each worker is a plain child that talks over its own pipes. Unlike with the standard library's process pools, a
worker that dies takes only its own item down, the caller's script is not imported a second time (so it needs no
``if __name__ == "__main__"``), and a worker whose parent was killed sees the end of its input and leaves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

# Interrupts are the parent's business. sys.path is handed on because the parent may have changed its own.
_BOOTSTRAP = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from yoin.workers.serve import serve
serve(sys.argv[2])
"""
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
_START_SECONDS = 300.0  # loading from a cold, slow disk


class WorkerDiedError(Exception):
    """The worker process ended, or was ended, before it answered; ``loading`` while it still loaded its models."""

    def __init__(self, says: str, *, loading: bool = False) -> None:
        super().__init__(says)
        self.loading = loading


class WorkerStartError(Exception):
    """The worker process could not load what it needs; says why."""


class WorkError(Exception):
    """The worker could not do this request, or took too long; says why."""


class Workers:
    """Processes that answer requests with the function that ``module:function`` (the target) returns.

    Safe to use from several threads; there are at most as many processes as threads that ask at once.

    Args:
        target: ``module:function``, called without arguments once in each process.
        timeout: seconds a request may take before its worker is ended; None for no limit.
        again: whether a request is tried once more, with a fresh worker, where a worker died on it.
    """

    def __init__(self, target: str, *, timeout: float | None, again: bool = True) -> None:
        self._target, self._timeout, self._again = target, timeout, again
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._closed = False

    def ask(self, request: Mapping[str, object], hear: Callable[[object], None] | None = None) -> dict[str, object]:
        """The answer to ``request``; ``hear`` is given what the target tells before, in the thread that asks.

        Raises:
            WorkError: the target raised for this request, or took too long.
            WorkerDiedError: its worker died (with ``again``: two did), or `close` was called.
            WorkerStartError: the target could not be loaded.
        """
        try:
            answer = self._ask_once(request, hear, fresh=False)
        except WorkerDiedError as first:
            if not self._again:
                raise
            try:
                answer = self._ask_once(request, hear, fresh=True)
            except WorkerDiedError as second:
                if first.loading and second.loading:  # the next request would fare no better
                    raise WorkerStartError(str(second)) from second
                raise
        if "failure" in answer:
            raise WorkError(str(answer["failure"]))
        return answer

    def close(self) -> None:
        """End all workers, those at work too; whoever waits for one of them gets `WorkerDiedError`."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            for worker in self._busy:
                worker.kill()  # its own thread tidies up after it
        for worker in idle:
            worker.end()

    def _ask_once(
        self, request: Mapping[str, object], hear: Callable[[object], None] | None, *, fresh: bool
    ) -> dict[str, object]:
        worker = self._take(fresh=fresh)
        try:
            answer = worker.exchange(request, self._timeout, hear)
        except BaseException:
            with self._lock:
                self._busy.discard(worker)
            worker.end()
            raise
        with self._lock:
            self._busy.discard(worker)
            if not self._closed:
                self._idle.append(worker)
                return answer
        worker.end()
        return answer

    def _take(self, *, fresh: bool) -> _Worker:
        with self._lock:
            if self._closed:
                raise WorkerDiedError("the workers were ended")
            spare = self._idle.pop() if self._idle else None
            worker = spare if spare and not fresh else _Worker(self._target)
            self._busy.add(worker)
        if spare and spare is not worker:
            spare.end()  # else a fresh worker would make one process too many
        return worker


class _Worker:
    """One child process, the parent's side."""

    def __init__(self, target: str) -> None:
        self._ready = self._late = False
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [sys.executable, "-c", _BOOTSTRAP, json.dumps([str(entry) for entry in sys.path]), target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | _ONE_THREAD,
            encoding="utf-8",
        )

    def exchange(
        self, request: Mapping[str, object], timeout: float | None, hear: Callable[[object], None] | None
    ) -> dict[str, object]:
        """Send the request, hear what is told, wait for the answer."""
        if not self._ready:
            with self._limit(_START_SECONDS):
                started = self._read()
            if "failure" in started:
                raise WorkerStartError(str(started["failure"]))
            self._ready = True
        stdin = self._process.stdin
        with self._limit(timeout):
            try:
                if stdin is not None:
                    stdin.write(json.dumps(dict(request)) + "\n")
                    stdin.flush()
                while "told" in (message := self._read()):
                    if hear is not None:
                        hear(message["told"])
                return message
            except OSError as error:  # the pipe's other end is gone
                raise self._death() from error

    def kill(self) -> None:
        """End the process now; it keeps nothing that could be lost."""
        self._process.kill()

    def end(self) -> None:
        """Kill, wait, and close the pipes."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what is still in the buffer has no reader
                    pipe.close()

    def _read(self) -> dict[str, object]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line.endswith("\n"):
            raise self._death()
        message: dict[str, object] = json.loads(line)
        return message

    def _death(self) -> Exception:
        code = self._process.wait()
        if self._late:
            return WorkError("it took too long") if self._ready else WorkerStartError("loading takes too long")
        return WorkerDiedError(f"the worker process ended with code {code}", loading=not self._ready)

    @contextmanager
    def _limit(self, seconds: float | None) -> Iterator[None]:
        if seconds is None:
            yield
            return
        timer = threading.Timer(seconds, self._end_late)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _end_late(self) -> None:
        self._late = True
        self._process.kill()


def cpus() -> int:
    """CPUs that this process may use: fewer than the machine has in a container or a job."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
