"""What becomes of an image whose server, or the way to it, is broken or hostile: its reason, and what was asked."""

from __future__ import annotations

import base64
import email.utils
import hashlib
import json
import math
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.media import faulty, outside
from tests.media.faulty import Answer, FaultServer
from tests.media.makers import encoded, pixels
from yoin.ledger import Ledger
from yoin.media import REASONS, collect
from yoin.options import MediaOptions
from yoin.values import Media

pytestmark = pytest.mark.timeout(60)  # what hangs has failed

JPEG = encoded(pixels(320, 240), "JPEG")
OTHER = encoded(pixels(320, 240, seed=1), "JPEG")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
HTML = b"<!DOCTYPE html><html><body>Sign in to see this picture</body></html>"
LIMIT = 200_000  # bytes of an image
RETRIES = 1


@dataclass(frozen=True)
class Fault:
    """The answers to a URL, and what is to become of it: one of ``reasons``, after ``requests``."""

    answers: tuple[Answer, ...]
    reasons: set[str]
    requests: int = 1


def fault(*answers: Answer, reason: str | set[str], requests: int = 1) -> Fault:
    return Fault(answers, {reason} if isinstance(reason, str) else reason, requests)


TWICE = RETRIES + 1
FAULTS: dict[str, Fault] = {
    "slow": fault(faulty.drip(JPEG, pieces=8, pause=0.05), reason=""),
    "chunked": fault(faulty.chunked(JPEG), reason=""),
    "no length": fault(faulty.body(JPEG, length=None), reason=""),
    "hints first": fault(
        faulty.raw(
            b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(JPEG) + JPEG
        ),
        reason="",
    ),
    "wrong type": fault(faulty.body(JPEG, kind="text/plain"), reason=""),
    "no type": fault(faulty.body(JPEG, kind=""), reason=""),
    "gzip": fault(faulty.gzipped(JPEG), reason=""),
    "500, 200": fault(faulty.status(500), faulty.body(JPEG), reason="", requests=2),
    "502, 200": fault(faulty.status(502), faulty.body(JPEG), reason="", requests=2),
    "503, 200": fault(faulty.status(503), faulty.body(JPEG), reason="", requests=2),
    "504, 200": fault(faulty.status(504), faulty.body(JPEG), reason="", requests=2),
    "408, 200": fault(faulty.status(408), faulty.body(JPEG), reason="", requests=2),
    "425, 200": fault(faulty.status(425), faulty.body(JPEG), reason="", requests=2),
    "reset, 200": fault(faulty.reset(), faulty.body(JPEG), reason="", requests=2),
    "reset in the body, 200": fault(faulty.reset(JPEG, 900), faulty.body(JPEG), reason="", requests=2),
    "cut, 200": fault(faulty.cut(JPEG, 900), faulty.body(JPEG), reason="", requests=2),
    "chunks cut, 200": fault(faulty.chunked(JPEG, whole=False), faulty.body(JPEG), reason="", requests=2),
    "404": fault(faulty.status(404), reason="not_found"),
    "410": fault(faulty.status(410), reason="not_found"),
    "401": fault(faulty.status(401), reason="forbidden"),
    "403": fault(faulty.status(403), reason="forbidden"),
    "429": fault(faulty.status(429), reason="rate_limited", requests=TWICE),
    "400": fault(faulty.status(400), reason="http_error"),
    "418": fault(faulty.status(418), reason="http_error"),
    "501": fault(faulty.status(501), reason="http_error", requests=TWICE),
    "500": fault(faulty.status(500), reason="http_error", requests=TWICE),
    "304 to no condition": fault(faulty.body(b"", code=304, length=None), reason="http_error"),
    "an image with 404": fault(faulty.body(JPEG, code=404), reason="not_found"),
    "reset": fault(faulty.reset(), reason="connection", requests=TWICE),
    "reset in the body": fault(faulty.reset(JPEG, 900), reason={"connection", "truncated"}, requests=TWICE),
    "cut": fault(faulty.cut(JPEG, 900), reason={"connection", "truncated"}, requests=TWICE),
    "declared too long": fault(
        faulty.body(JPEG, length=len(JPEG) + 9), reason={"connection", "truncated"}, requests=TWICE
    ),
    "chunks cut": fault(faulty.chunked(JPEG, whole=False), reason={"connection", "truncated"}, requests=TWICE),
    "declared too short": fault(faulty.body(JPEG, length=len(JPEG) // 2), reason="truncated"),
    "half an image": fault(faulty.body(JPEG[: len(JPEG) // 2]), reason="truncated"),
    "half without length": fault(faulty.body(JPEG[: len(JPEG) // 2], length=None), reason="truncated"),
    "silence": fault(faulty.silence(headers=False), reason="timeout", requests=TWICE),
    "silence after the headers": fault(faulty.silence(headers=True), reason="timeout", requests=TWICE),
    "drip without end": fault(faulty.drip(JPEG, pieces=100, pause=0.3), reason="timeout", requests=TWICE),
    "empty": fault(faulty.body(b""), reason="empty_file"),
    "no content": fault(faulty.body(b"", code=204, length=None), reason={"empty_file", "http_error"}),
    "HTML": fault(faulty.body(HTML), reason="not_an_image"),
    "SVG": fault(faulty.body(SVG, kind="image/svg+xml"), reason="not_an_image"),
    "SVG as a JPEG": fault(faulty.body(SVG), reason="not_an_image"),
    "declared too large": fault(faulty.body(JPEG, length=10**12), reason="too_large"),
    "too large": fault(faulty.body(JPEG + bytes(LIMIT)), reason="too_large"),
    "too large in chunks": fault(faulty.chunked(JPEG + bytes(LIMIT)), reason="too_large"),
    "endless": fault(faulty.endless(JPEG), reason="too_large"),
    "gzip bomb": fault(faulty.gzip_bomb(JPEG, 10_000), reason="too_large"),
    "endless headers": fault(faulty.endless_headers(), reason={"connection", "http_error", "too_large"}, requests=-1),
    "not HTTP": fault(
        faulty.raw(b"SSH-2.0-OpenSSH_9.6\r\n" * 9), reason={"connection", "http_error"}, requests=-1
    ),
    "a length that is none": fault(
        faulty.raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
        reason={"connection", "http_error", "empty_file"}, requests=-1,
    ),
    "gzip that is none": fault(
        faulty.body(JPEG, headers={"Content-Encoding": "gzip"}), reason={"connection", "truncated", "http_error"},
        requests=-1,
    ),
    "redirect to nothing": fault(faulty.status(302), reason={"http_error", "connection"}),
    "redirect to file": fault(faulty.redirect("file:///etc/hostname"), reason="unsupported_scheme"),
    "redirect to ftp": fault(faulty.redirect("ftp://127.0.0.1/a.jpg"), reason="unsupported_scheme"),
    "redirect to gopher": fault(faulty.redirect("gopher://127.0.0.1:6379/_INFO"), reason="unsupported_scheme"),
    "redirect to data": fault(faulty.redirect("data:image/gif;base64,R0lGODlh"), reason="unsupported_scheme"),
    "redirect to s3": fault(faulty.redirect("s3://bucket/a.jpg"), reason="unsupported_scheme"),
}  # fmt: skip


def gather(folder: Path, cells: list[str], progress: list[str] | None = None, **options: object) -> Media:
    """One run of the stage on these cells, with short timeouts."""
    folder.mkdir(exist_ok=True)
    chosen: dict[str, object] = {
        "base": folder, "allow_private": True, "connect_timeout": 2.0, "read_timeout": 10.0, "timeout": 10.0,
        "max_bytes": LIMIT, "retries": RETRIES, "backoff": 0.02,
    }  # fmt: skip
    with Ledger(folder / "ledger.db") as ledger:
        return collect(
            pd.Series(cells, dtype="string"),
            store=folder / "media",
            ledger=ledger,
            options=MediaOptions.model_validate(chosen | options),
            progress=lambda done, total, note: (progress if progress is not None else []).append(note),
        )


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "media").rglob("*") if path.is_file())


def reason(folder: Path, *cells: str, **options: object) -> list[str]:
    return gather(folder, list(cells), **options).rows["reason"].tolist()


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(*(f"127.0.0.{number}" for number in range(1, 9))) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@dataclass(frozen=True)
class Run:
    """One run over every fault, each on a host of its own."""

    folder: Path
    media: Media
    server: FaultServer
    urls: dict[str, str]

    def row(self, name: str) -> pd.Series:
        return self.media.rows.iloc[list(self.urls).index(name)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("faults")
    hosts = [f"127.0.0.{number}" for number in range(1, len(FAULTS) + 1)]
    with FaultServer(*hosts) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("no_proxy", "*")
        urls = {
            name: server.on(f"/{hashlib.md5(name.encode()).hexdigest()}.jpg", *wanted.answers, host=host)
            for (name, wanted), host in zip(FAULTS.items(), hosts, strict=True)
        }
        media = gather(folder, list(urls.values()), read_timeout=1.0, timeout=1.4, connections=100)
    return Run(folder, media, server, urls)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_has_its_reason(run, name):
    row = run.row(name)
    assert row["reason"] in FAULTS[name].reasons
    assert row["reason"] in {"", *REASONS}
    assert row["detail"].endswith(".") if row["reason"] else row["detail"] == ""


@pytest.mark.parametrize("name", [name for name, wanted in FAULTS.items() if wanted.requests > 0])
def test_what_can_pass_is_asked_again_and_nothing_else(run, name):
    path = "/" + run.urls[name].rpartition("/")[2]
    assert run.server.times(path) == FAULTS[name].requests


def test_nothing_is_asked_without_end(run):
    paths = {asked.path for asked in run.server.asked}
    assert max(run.server.times(path) for path in paths) <= TWICE


def test_good_bytes_are_kept_as_they_were(run):
    good = [name for name, wanted in FAULTS.items() if wanted.reasons == {""}]
    assert {run.row(name)["media_id"] for name in good} == {hashlib.sha256(JPEG).hexdigest()}
    (medium,) = run.media.items.values()
    assert medium.path.read_bytes() == JPEG


def test_bodies_without_end_are_left_early(run):
    assert run.server.sent < 30 * LIMIT  # the limit, and what stands in the buffers on the way


def test_no_leftovers_and_no_names_from_urls(run):
    assert [path.stem for path in files(run.folder)] == [hashlib.sha256(JPEG).hexdigest()]


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


def test_retries_are_as_many_as_asked_for(server, tmp_path):
    for retries in (0, 2):
        path = f"/{retries}"
        assert reason(tmp_path, server.on(path, faulty.status(500)), retries=retries) == ["http_error"]
        assert server.times(path) == retries + 1


def test_redirects_are_followed_to_a_limit(server, tmp_path):
    server.on("/image", faulty.body(JPEG))
    server.on("/hop/0", faulty.redirect("/image"))
    for step, code in enumerate((301, 303, 307, 308, *[302] * 40), start=1):
        server.on(f"/hop/{step}", faulty.redirect(str(step - 1), code))
    server.on("/pool", faulty.redirect("/loop"))
    good = [
        server.url("/hop/0"),
        server.url("/hop/4"),  # five redirects
        server.on("/abroad", faulty.redirect(server.url("/image", "127.0.0.2"))),
        server.on("/folder/a", faulty.redirect("../image")),
        server.on("/b", faulty.redirect(f"//127.0.0.3:{server.port}/image")),
    ]
    bad = [
        server.on("/loop", faulty.redirect("/pool")),
        server.on("/self", faulty.redirect("/self")),
        server.url("/hop/40"),
    ]
    assert reason(tmp_path, *good, *bad) == [""] * len(good) + ["too_many_redirects"] * len(bad)
    assert server.times("/loop") + server.times("/pool") <= 21  # to the limit, and not again
    assert server.times("/hop/19") == 0
    assert {"127.0.0.2", "127.0.0.3"} <= {asked.address for asked in server.to("/image")}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "localhost", "2130706433", "0177.0.0.1", "0x7f.1", "0x7f000001", "0",
        "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]",
        "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "169.254.169.254", "2852039166", "[fd00:ec2::254]",
        "[fe80::1]", "224.0.0.1", "[ff02::1]", "255.255.255.255", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "[::127.0.0.1]", "192.0.0.192", "user:secret@127.0.0.1",
    ],
)  # fmt: skip
def test_addresses_inside_are_refused(server, tmp_path, host):
    server.on("/a.jpg", faulty.body(JPEG))
    assert reason(tmp_path, f"http://{host}:{server.port}/a.jpg", allow_private=False) == ["refused_address"]
    assert not server.connections


INSIDE = [
    "http://169.254.169.254/latest/meta-data/", "http://127.0.0.1/a", "http://[::1]/a", "http://2130706433/a", "http://0177.0.0.1/a",
    "http://0x7f.1/a", "http://[::ffff:127.0.0.1]/a", "http://[::ffff:a9fe:a9fe]/a", "http://[fd00:ec2::254]/a",
    "http://10.1.2.3/a", "http://localhost/a", "//127.0.0.1/a", "http://private.example/a", "http://metadata.example/a",
    "http://0/a", "http://public.example@127.0.0.1/a", "http://127.0.0.1#@public.example/a",
]  # fmt: skip


def test_nothing_outside_leads_inside(tmp_path):
    """Public addresses and names that lead to this machine, in a network of their own: see `tests.media.outside`."""
    hosts = (outside.PUBLIC, f"[{outside.PUBLIC6}]")
    runs = {
        "public": (["http://public.example/image", *(f"http://{host}/image" for host in hosts)], {""}),
        "redirects": ([f"http://public.example/r{i} -> {to}" for i, to in enumerate(INSIDE)], {"refused_address"}),
        "hops": (
            [f"http://{hosts[0]}/h -> http://{hosts[1]}/i", "http://public.example/i -> http://10.1.2.3/"],
            {"refused_address"},
        ),
        "names": (["http://private.example/image", "http://metadata.example/image"], {"refused_address"}),
        "unknown names": (
            ["http://no-such-host.example/a", "http://public.example/n -> http://nor-this.example/"],
            {"connection"},
        ),
        "both": ([f"http://both.example/image?{i}" for i in range(3)], {"", "refused_address", "not_found"}),
        "rebinding, first": (["http://rebind.example/then-close"], {""}),
        "rebinding, then": (
            ["http://rebind.example/image", "http://public.example/j -> http://rebind.example/image"],
            {"refused_address"},
        ),
        "swinging": ([f"http://swing.example/image?{i}" for i in range(2)], {"", "refused_address", "not_found"}),
    }
    (tmp_path / "cells.json").write_text(json.dumps([cells for cells, _ in runs.values()]))
    command = outside.command(tmp_path / "cells.json")
    alone = shutil.which("unshare") and shutil.which("ip") and [*command[: command.index(sys.executable)], "true"]
    if not alone or subprocess.run(alone, capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no network of one's own")
    ended = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    found = dict(zip(runs, json.loads(ended.stdout), strict=True))
    for name, run in found.items():
        assert set(run["connected"]) <= {outside.PUBLIC, outside.PUBLIC6}, name
        assert set(run["reasons"]) <= runs[name][1], (name, run)
    assert {address for run in found.values() for address, *_ in run["asked"]} == {outside.PUBLIC, outside.PUBLIC6}
    assert len(found["redirects"]["asked"]) == len(INSIDE)  # the first hop each, and nothing else


def test_a_proxy_from_the_environment_is_no_way_inside(server, tmp_path, monkeypatch):
    server.on("/a.jpg", faulty.body(JPEG))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, server.url(""))
    assert reason(tmp_path, "http://127.0.0.2/a.jpg", allow_private=False) == ["refused_address"]
    assert not server.connections


def test_credentials_stay_with_their_host_and_out_of_every_record(server, tmp_path):
    with FaultServer(server.hosts[0]) as neighbour:  # the same host at another port
        answer = faulty.body(JPEG, headers={"Set-Cookie": "session=c00kie"})
        server.on("/image", answer)
        far = neighbour.on("/image", answer)

        def login(url: str) -> str:
            return url.replace("http://", "http://anna:pa55w0rd@")

        to_port = server.on("/port", faulty.redirect(far))
        to_host = server.on("/host", faulty.redirect(server.url("/image", "127.0.0.2")))
        missing = server.on("/missing", faulty.status(404))
        broken = server.on("/broken", faulty.reset())
        odd = server.on("/odd", faulty.redirect("ftp://anna:pa55w0rd@127.0.0.1/image"))
        notes: list[str] = []
        cells = [login(url) for url in (to_port, to_host, missing, broken, odd)]
        media = gather(tmp_path, cells, notes)
        asked = [*server.asked, *neighbour.asked]
    assert media.rows["reason"].tolist() == ["", "", "not_found", "connection", "unsupported_scheme"]
    token = base64.b64encode(b"anna:pa55w0rd").decode()
    first = [request for request in asked if request.path != "/image"]
    assert {request.headers.get("authorization") for request in first} == {f"Basic {token}"}
    second = [request for request in asked if request.path == "/image"]
    assert len(second) == 2
    assert not {"authorization", "cookie", "referer"} & set().union(*(request.headers for request in second))
    seen = media.rows.to_csv() + repr(media.items) + "".join(notes)
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    for secret in ("anna", "pa55w0rd", token, "c00kie"):
        assert secret not in seen
        assert secret.encode() not in kept


@pytest.mark.parametrize("password", ["two words", "tab\tbed", "a@b", "a:b", "100%", "ü", "a\\b", "\x7f"], ids=repr)
def test_odd_passwords_are_not_shown_either(server, tmp_path, password):
    cells = [server.url("/missing").replace("//", f"//anna:{password}@"), f"ftp://anna:{password}@127.0.0.1/a.jpg"]
    notes: list[str] = []
    media = gather(tmp_path, cells, notes)
    assert media.rows["reason"].iloc[0] in {"not_found", "bad_url"}
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
    seen = media.rows.to_csv() + "".join(notes) + kept.decode("utf-8", "replace")
    assert f":{password}@" not in seen
    assert "anna" not in seen


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


@pytest.mark.parametrize(
    "url", ["http://", "http:///a.jpg", "http://[", "http://a b/", "http://x:99999/", "http://\x00/"]
)
def test_urls_that_are_none(tmp_path, url):
    assert reason(tmp_path, url) == ["bad_url"]


def test_what_a_url_holds_is_sent_as_it_should_be(server, tmp_path):
    sent = {
        "/a b.jpg": "/a%20b.jpg",
        "/ポスター.jpg?q=夜": "/%E3%83%9D%E3%82%B9%E3%82%BF%E3%83%BC.jpg?q=%E5%A4%9C",
        "/a%2Fb.jpg?x=1&y=%20": "/a%2Fb.jpg?x=1&y=%20",
        "/a+b.jpg": "/a+b.jpg",
    }
    for path in sent.values():
        server.on(path, faulty.body(JPEG))
    assert reason(tmp_path, *(server.url(path) for path in sent)) == [""] * len(sent)
    assert reason(tmp_path / "parts", server.url("/a+b.jpg#part")) == [""]
    assert {asked.path for asked in server.asked} == set(sent.values())
    breaks = server.url("/a+b.jpg\r\nX-Injected: yes")
    gather(tmp_path / "breaks", [breaks])
    assert not any("x-injected" in asked.headers for asked in server.asked)
