"""How servers are treated: no more requests than they should bear, patience where they ask for it."""

from __future__ import annotations

import email.utils
import hashlib
import math
import socket
import time

import pytest

from tests.media import faulty
from tests.media.faulty import Answer
from tests.media.makers import encoded, pixels
from tests.media.stage import JPEG, files, gather, reason

OTHER = encoded(pixels(320, 240, seed=1), "JPEG")

pytestmark = pytest.mark.timeout(60)  # what hangs has failed


def test_429_is_asked_again_when_the_server_says_and_its_host_left_alone(server, tmp_path):
    soon = math.ceil(time.time() + 1.2)
    busy = {
        "127.0.0.1": ("1", None),
        "127.0.0.2": (email.utils.formatdate(soon, usegmt=True), soon),
    }
    cells = []
    for host, (after, _) in busy.items():
        cells.append(server.on(f"/busy/{host}", faulty.status(429, retry_after=after), faulty.body(JPEG), host=host))
        cells += [server.on(f"/{host}/{number}", faulty.body(JPEG), host=host) for number in range(5)]
    cells += [server.on(f"/calm/{number}", faulty.body(JPEG), host="127.0.0.3") for number in range(5)]
    began, clock = time.monotonic(), time.time()
    assert reason(tmp_path, *cells, per_host=1) == [""] * len(cells)
    for host, (_, at) in busy.items():
        first, *others = [asked for asked in server.asked if asked.address == host]
        assert first.path == f"/busy/{host}"
        allowed = first.at + 1 if at is None else began + (at - clock)
        assert min(asked.at for asked in others) >= allowed - 0.01
        assert server.times(f"/busy/{host}") == 2
    calm = [asked.at for asked in server.asked if asked.address == "127.0.0.3"]
    assert max(calm) < min(server.to(f"/busy/{host}")[1].at for host in busy)  # others do not wait with it


def test_503_with_retry_after_waits_as_well(server, tmp_path):
    url = server.on("/a", faulty.status(503, retry_after="1"), faulty.body(JPEG))
    assert reason(tmp_path, url) == [""]
    first, second = server.to("/a")
    assert second.at >= first.at + 1


def test_of_two_waits_the_longer_one_counts(server, tmp_path):
    def answers(after: str) -> tuple[Answer, Answer]:
        return faulty.body(b"", code=429, pause=0.05, headers={"Retry-After": after}), faulty.body(JPEG)

    cells = [server.on("/short", *answers("1")), server.on("/long", *answers("2"))]
    cells += [server.on(f"/{number}", faulty.body(JPEG)) for number in range(5)]
    assert reason(tmp_path, *cells, per_host=2) == [""] * len(cells)
    first, second, *others = server.asked
    assert {first.path, second.path} == {"/short", "/long"}
    assert min(asked.at for asked in others) >= server.to("/long")[0].at + 2


@pytest.mark.parametrize("after", ["86400", "Fri, 31 Dec 2999 23:59:59 GMT", "9" * 30])
def test_a_wait_that_is_too_long_is_not_waited_for(server, tmp_path, after):
    url = server.on("/a", faulty.status(429, retry_after=after))
    assert reason(tmp_path, url) == ["rate_limited"]
    assert server.times("/a") == 1


@pytest.mark.parametrize("after", ["soon", "-5", "0", "Fri, 31 Dec 1999 23:59:59 GMT", "1e400", "٣", "NaN"])
def test_a_wait_that_says_nothing_is_a_usual_one(server, tmp_path, after):
    header = f"HTTP/1.1 429 No\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n".encode()
    url = server.on("/a", faulty.raw(header), faulty.body(JPEG))
    assert reason(tmp_path, url) == [""]
    assert server.times("/a") == 2


def test_limits_are_held_and_reached(server, tmp_path):
    server_wide, here = 5, 2
    cells = []
    for host in server.hosts:
        for number in range(6):
            path = f"/{host}/{number}"
            cells.append(server.on(path, faulty.meeting(JPEG, server_wide), host=host))
    assert reason(tmp_path, *cells, connections=server_wide, per_host=here) == [""] * len(cells)
    assert not server.lonely
    assert max(asked.in_flight for asked in server.asked) == server_wide
    assert max(asked.in_flight_here for asked in server.asked) <= here


def test_the_limit_of_a_host_is_reached(server, tmp_path):
    cells = [server.on(f"/{number}", faulty.meeting(JPEG, 4)) for number in range(20)]
    assert reason(tmp_path, *cells, per_host=4) == [""] * len(cells)
    assert not server.lonely  # the first does not hold up the others
    assert max(asked.in_flight for asked in server.asked) == 4


def test_the_limit_of_a_host_holds_for_what_is_redirected_to_it(server, tmp_path):
    many, popular = server.hosts[:7], server.hosts[7]
    cells = []
    for number in range(28):
        to = server.on(f"/image/{number}", faulty.body(JPEG, pause=0.02), host=popular)
        cells.append(server.on(f"/{number}", faulty.redirect(to), host=many[number % 7]))
    assert reason(tmp_path, *cells, connections=14, per_host=2) == [""] * len(cells)
    assert max(asked.in_flight_here for asked in server.asked if asked.address == popular) == 2


def test_connections_are_used_again(server, tmp_path):
    cells = [server.on(f"/{number}", faulty.body(JPEG)) for number in range(80)]
    cells += [server.on(f"/none/{number}", faulty.status(404)) for number in range(20)]
    gather(tmp_path, cells, per_host=4)
    assert len(server.asked) == 100
    assert server.connections.total() <= 4


def test_one_url_in_a_thousand_rows_is_asked_for_once(server, tmp_path):
    url, gone = server.on("/a", faulty.body(JPEG)), server.on("/gone", faulty.status(410))
    notes: list[str] = []
    media = gather(tmp_path, [url, gone] * 500, notes)
    assert media.rows["reason"].tolist() == ["", "not_found"] * 500
    assert len(server.asked) == 2


def test_the_same_bytes_under_two_urls_are_stored_once(server, tmp_path):
    cells = [server.on(f"/{name}.jpg", faulty.body(JPEG), host=f"127.0.0.{name}") for name in (1, 2, 3)]
    cells.append(server.on("/poster.jpg", faulty.body(OTHER)))
    media = gather(tmp_path, cells)
    assert media.rows["media_id"].tolist() == [hashlib.sha256(data).hexdigest() for data in [JPEG] * 3 + [OTHER]]
    assert sorted(path.stem for path in files(tmp_path)) == sorted(media.items)


def test_a_dead_host_does_not_hold_up_the_rest(server, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.9", 0))
        dead = f"http://127.0.0.9:{free.getsockname()[1]}"
    alive = [server.on(f"/{number}", faulty.body(JPEG)) for number in range(20)]
    media = gather(tmp_path, [*(f"{dead}/{number}" for number in range(200)), *alive], retries=3)
    assert media.rows["reason"].tolist() == ["connection"] * 200 + [""] * 20


def test_a_host_that_hangs_up_on_everyone_is_left_alone(server, tmp_path):
    cells = [server.on(f"/{number}", faulty.reset()) for number in range(200)]
    assert reason(tmp_path, *cells, retries=3) == ["connection"] * 200
    assert len(server.asked) < 40


def test_a_host_that_never_takes_up_the_connection(server, tmp_path):
    """A listener whose queue is full: the kernel drops what comes."""
    with socket.socket() as full:
        full.bind(("127.0.0.9", 0))
        full.listen(0)
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        deaf = f"http://127.0.0.9:{full.getsockname()[1]}"
        alive = [server.on(f"/{number}", faulty.body(JPEG)) for number in range(5)]
        media = gather(tmp_path, [*(f"{deaf}/{number}" for number in range(40)), *alive], connect_timeout=0.3)
        for caller in callers:
            caller.close()
    assert set(media.rows["reason"][:40]) <= {"timeout", "connection"}
    assert media.rows["reason"].tolist()[40:] == [""] * 5
