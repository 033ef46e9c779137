"""Where the program begins: ``yoin`` and ``python -m yoin``.

Everything else is imported inside ``main``, so that Ctrl-C is met properly from the first moment.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, once.

    A class of its own, because an interpreter through whose ``exec`` a plain ``KeyboardInterrupt`` has
    passed kills itself at the end, and the exit code is lost.
    """


def main() -> NoReturn:
    """Run the command line; interrupted, say so and end with 130."""
    pressed = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            os._exit(INTERRUPTED)  # a second time: at once
        pressed = True
        raise Interrupted

    # A shell ignores Ctrl-C in what it runs in the background; that stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt)
    try:
        from yoin.cli import main as command_line

        command_line()
    except BaseException as end:
        if not pressed or (isinstance(end, SystemExit) and end.code == 0):
            raise
        # Whatever the interruption became on its way up, an ImportError of half a module say.
        sys.stderr.write("yoin: interrupted; the same command goes on where this one stopped.\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
