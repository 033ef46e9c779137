"""What becomes of an image whose server, or the way to it, is broken or hostile: its reason, and what was asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from tests.media import faulty
from tests.media.faulty import Answer, FaultServer
from tests.media.stage import JPEG, LIMIT, RETRIES, files, gather, reason
from yoin.media import REASONS
from yoin.values import Media

pytestmark = pytest.mark.timeout(60)  # what hangs has failed

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
HTML = b"<!DOCTYPE html><html><body>Sign in to see this picture</body></html>"


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
