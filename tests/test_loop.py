import asyncio
import gc
import signal
import threading

import pytest

from yoin import loop


def test_what_it_returns_and_raises():
    async def good():
        await asyncio.sleep(0)
        return 7

    async def bad():
        raise KeyError("x")

    assert loop.run(good) == 7
    with pytest.raises(KeyError):
        loop.run(bad)


def test_inside_a_running_loop():
    async def inner():
        return threading.current_thread() is threading.main_thread()

    async def outer():
        return loop.run(inner)

    assert asyncio.run(outer()) is False


def test_an_interruption_cancels_and_waits():
    ended = threading.Event()

    async def work():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        loop.run(work)
    assert ended.is_set()


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("tasks", [0, 1, 2])
def test_an_end_from_within_waits_for_the_rest_and_leaves_no_word(end, tasks, caplog):
    ended = threading.Event()

    async def ending():
        with loop.carried():
            await asyncio.sleep(0)
            raise end

    async def work():
        try:
            await asyncio.gather(*(ending() for _ in range(tasks)))
            raise end
        finally:
            await asyncio.sleep(0.01)
            ended.set()

    with pytest.raises(end):
        loop.run(work)
    assert ended.is_set()
    gc.collect()  # asyncio speaks of a task whose exception nobody took when the task goes
    assert not caplog.records
