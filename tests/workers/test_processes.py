"""Worker processes that fail, die, hang, and lose their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from yoin.workers import WorkerDiedError, WorkError, Workers, WorkerStartError

TARGETS = "tests.workers.targets"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def workers() -> Iterator[Workers]:
    made = Workers(f"{TARGETS}:scripted", timeout=60)
    yield made
    made.close()


def wait_until_gone(pid: int) -> None:
    """Return when the process has ended; the test's own time limit is the other way out."""
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")")[1].split()[0]:
        time.sleep(0.05)


def wait_for_pid(marker: Path) -> int:
    while not (marker.exists() and marker.read_text()):
        time.sleep(0.02)
    return int(marker.read_text())


def test_one_process_serves_many_requests_in_one_thread(workers: Workers) -> None:
    first, second = workers.ask({}), workers.ask({})
    assert first["pid"] == second["pid"] != os.getpid()
    assert second["served"] == 2
    assert first["threads"] == "1"


def test_what_libraries_print_does_not_mix_with_the_answers(workers: Workers) -> None:
    assert workers.ask({"do": "print"})["served"] == 1
    assert workers.ask({})["served"] == 2


def test_what_is_told_is_heard_before_the_answer(workers: Workers) -> None:
    heard: list[object] = []
    assert workers.ask({"do": "count"}, heard.append)["served"] == 1
    assert heard == [[0, "ü"], [1, "ü"], [2, "ü"]]
    assert workers.ask({"do": "count"})["served"] == 2  # nobody listens


def test_an_exception_is_that_requests_alone(workers: Workers) -> None:
    pid = workers.ask({})["pid"]
    with pytest.raises(WorkError, match=r"^ValueError: no such thing$"):
        workers.ask({"do": "raise"})
    assert workers.ask({})["pid"] == pid


def test_a_request_that_kills_two_workers_is_given_up_and_the_rest_goes_on(workers: Workers) -> None:
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(workers.ask, {"do": "die" if i == 2 else ""}) for i in range(6)]
    for i, one in enumerate(asked):
        if i == 2:
            with pytest.raises(WorkerDiedError, match="code 9"):
                one.result()
        else:
            assert one.result()["pid"]


def test_a_request_whose_worker_dies_is_tried_once_more(workers: Workers, tmp_path: Path) -> None:
    assert workers.ask({"do": "die once", "marker": str(tmp_path / "died")})["served"] == 1


def test_a_request_may_be_tried_once_only(tmp_path: Path) -> None:
    workers = Workers(f"{TARGETS}:scripted", timeout=None, again=False)
    with pytest.raises(WorkerDiedError, match="code 9"):
        workers.ask({"do": "die once", "marker": str(tmp_path / "died")})
    assert workers.ask({"do": "die once", "marker": str(tmp_path / "died")})["served"] == 1
    workers.close()


def test_a_worker_killed_while_idle_costs_nothing(workers: Workers) -> None:
    pid = int(str(workers.ask({})["pid"]))
    os.kill(pid, signal.SIGKILL)
    wait_until_gone(pid)
    assert workers.ask({})["pid"] != pid


def test_a_request_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    workers = Workers(f"{TARGETS}:scripted", timeout=1.0)
    with pytest.raises(WorkError, match="too long"):
        workers.ask({"do": "hang", "marker": str(tmp_path / "pid")})
    wait_until_gone(wait_for_pid(tmp_path / "pid"))
    workers.close()


def test_close_ends_workers_at_work(workers: Workers, tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(workers.ask, {"do": "hang", "marker": str(tmp_path / "pid")})
        pid = wait_for_pid(tmp_path / "pid")
        workers.close()
        with pytest.raises(WorkerDiedError):
            asked.result()
    wait_until_gone(pid)
    with pytest.raises(WorkerDiedError, match="ended"):
        workers.ask({})


@pytest.mark.parametrize(
    ("target", "error", "says"),
    [
        ("broken", WorkerStartError, "RuntimeError: the weights are not what they should be"),
        ("absent", WorkerStartError, "AttributeError"),
        ("dead", WorkerStartError, "code 3"),
    ],
)
def test_a_target_that_cannot_load_says_why(target: str, error: type[Exception], says: str) -> None:
    workers = Workers(f"{TARGETS}:{target}", timeout=60)
    with pytest.raises(error, match=says):
        workers.ask({})
    workers.close()


def test_workers_leave_when_their_parent_is_killed(tmp_path: Path) -> None:
    # A script without `if __name__ == "__main__"`, as people write them.
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from yoin.workers import Workers\n"
        f"print(Workers('{TARGETS}:scripted', timeout=60).ask({{}})['pid'], flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        parent.kill()
        wait_until_gone(pid)
