"""Ctrl-C, wherever it finds the program."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOST_IN = {
    "a finalizer": "class Lost:\n def __del__(self): press()\nLost()",
    "a callback of C code": "import ctypes\nctypes.CFUNCTYPE(None)(press)()",
    "an except clause": "try: press()\nexcept BaseException: pass",
    "another error": "try: press()\nexcept BaseException: raise ImportError('half a module') from None",
}
SCRIPT = """
import os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import yoin.__main__, yoin.cli

def press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)

def command_line():
    exec({lost!r}, {{"press": press}})
    time.sleep(30)
    sys.exit(0)

yoin.cli.main = command_line
yoin.__main__.main()
"""


@pytest.mark.parametrize("where", LOST_IN)
def test_an_interruption_that_is_lost_comes_again(where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(lost=LOST_IN[where])], capture_output=True, text=True, check=False
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.endswith("yoin: interrupted; the same command goes on where this one stopped.\n")


def test_a_program_that_ended_well_although_interrupted_says_so() -> None:
    script = SCRIPT.replace("time.sleep(30)", "")
    done = subprocess.run([sys.executable, "-c", script.format(lost=LOST_IN["an except clause"])], check=False)
    assert done.returncode == 0


def test_a_second_press_ends_at_once() -> None:
    lost = "try: press()\nexcept BaseException as held: press()"
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(lost=lost)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")
