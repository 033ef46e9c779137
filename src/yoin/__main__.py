"""Where the program begins: ``yoin`` and ``python -m yoin``.

Everything else is imported inside ``main``, so that Ctrl-C is met properly from the first moment.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import weakref
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, once.

    A class of its own, because an interpreter through whose ``exec`` a plain ``KeyboardInterrupt`` has
    passed kills itself at the end, and the exit code is lost.
    """


class _Interruption:
    """What Ctrl-C does: the first one ends the run from inside, the second one at once.

    Raised into a callback that has nobody to raise to (of ctypes, of a weak reference, a ``__del__``), an exception is
    printed and lost, and the run would go on: once it is gone without `main` having met it, it is raised again.
    """

    def __init__(self) -> None:
        self.pressed = self.lost = self.met = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.pressed and not self.lost:
            os._exit(INTERRUPTED)
        self.pressed, self.lost = True, False
        raise self._interrupted()

    def _interrupted(self) -> Interrupted:
        """One whose end is noticed; no frame that it passes through holds it, or it would not end."""
        interrupted = Interrupted()
        weakref.finalize(interrupted, self._gone).atexit = False
        return interrupted

    def _gone(self) -> None:
        if not self.met:
            self.lost = True
            # A little later: this is a callback itself.
            again = threading.Timer(0.05, _press)
            again.daemon = True
            again.start()


def _press() -> None:
    """As if Ctrl-C were pressed; where it can be, so that what the program waits for is interrupted too."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()


def main() -> NoReturn:
    """Run the command line; interrupted, say so and end with 130."""
    interruption = _Interruption()
    # A shell ignores Ctrl-C in what it runs in the background; that stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interruption)
    try:
        from yoin.cli import main as command_line

        command_line()
    except BaseException as end:
        interruption.met = True
        if not interruption.pressed or (isinstance(end, SystemExit) and end.code == 0):
            raise
        # Whatever the interruption became on its way up, an ImportError of half a module say.
        sys.stderr.write("yoin: interrupted; the same command goes on where this one stopped.\n")
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
