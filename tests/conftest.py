from __future__ import annotations

import gc
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, and more of them where there is time: -m hypothesis --hypothesis-profile=thorough.
# Ever new ones are for a developer: --hypothesis-profile=default.
settings.register_profile("seeded", derandomize=True, deadline=None, max_examples=50)
settings.register_profile("thorough", settings.get_profile("seeded"), max_examples=300)
settings.load_profile("seeded")

# Before any library reads them: no model hub is asked, and no tokenizer forks.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Workers share the cores: more than one thread a worker would only wait for the others.
if "PYTEST_XDIST_WORKER" in os.environ:
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
# And no key of whoever runs the tests is found.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"


MEMORY = Path("/dev/shm")  # on Linux; what is written there has no disk to wait for
ROOM = 2**30  # the default tests leave a tenth of it behind


def pytest_configure(config: pytest.Config) -> None:
    """Keep the temporary files of the default tests in memory, where there is any; the slow ones write too much."""
    quick = config.getoption("markexpr") == "not slow and not browser"
    if quick and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_collection() -> None:
    """Importing everything makes no garbage worth the search."""
    gc.disable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Of parallel workers, deal each whole files, in order: what the tests of a file share is then made once."""
    from xdist.scheduler import LoadFileScheduling

    if config.getoption("dist") != "load":
        return None
    config.option.loadscopereorder = False  # many tests do not make a long file
    return LoadFileScheduling(config, log)


def pytest_collection_finish() -> None:
    """What is loaded by now stays: it is not searched for garbage again and again, nor is the rest all the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with the real data sets; tests that need it are skipped where it is not there."""
    folder = Path(os.environ.get("YOIN_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real data is not at {folder}; set YOIN_TEST_DATA")
    return folder


# A shell makes what it runs in the background ignore Ctrl-C, and every child inherits that: the tests that
# interrupt a child would wait for nothing.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
