"""Coroutines from plain code: in a thread of their own, with Ctrl-C left to the thread that asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from typing import TypeVar

T = TypeVar("T")


class _EndedError(Exception):
    """Carries an end of the program out of the loop."""

    def __init__(self, by: BaseException) -> None:
        self.by = by
        super().__init__(type(by).__name__)


@contextmanager
def carried() -> Iterator[None]:
    """Around what a task of ours does: an end of the program in there (Ctrl-C, ``sys.exit``) is one that `run` raises.

    Left alone, it would break out of the event loop while other tasks are at work, which are then lost with a word of
    asyncio about each.
    """
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as end:
        raise _EndedError(end) from None


def run(work: Callable[[], Coroutine[None, None, T]]) -> T:
    """Run ``work`` to its end and return what it returned.

    Its event loop is not the caller's, which may be running one (a notebook). An interruption arrives in the caller's
    thread, so that it never breaks into the middle of a callback: ``work`` is cancelled, waited for, and it is raised.
    """
    begin: Future[bool] = Future()  # so that nothing runs before this thread is ready to stop it
    cancel: Future[Callable[[], object]] = Future()

    async def cancellable() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        cancel.set_result(lambda: loop.call_soon_threadsafe(task.cancel) if task else None)
        with carried():
            return await work()

    def run_it() -> T:
        if not begin.result():
            raise asyncio.CancelledError
        # The selector loop also on Windows, whose default one cannot watch the sockets of another library.
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            return runner.run(cancellable())

    with ThreadPoolExecutor(1, thread_name_prefix="loop") as executor:
        try:
            running = executor.submit(run_it)
            begin.set_result(True)
            while not running.done():  # a signal just before a wait would not end it
                wait([running], timeout=0.5)
            return running.result()
        except _EndedError as ended:
            raise ended.by from None
        except BaseException as error:
            if not begin.done():
                begin.set_result(False)
            elif not isinstance(error, Exception):
                with suppress(RuntimeError):  # the loop may have closed just now
                    cancel.result()()
            raise
