import asyncio
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
