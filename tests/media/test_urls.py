import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pandas as pd
import pytest

from tests.media.makers import GOOD, encoded, pixels
from yoin.ledger import Ledger
from yoin.media import REASONS, collect
from yoin.media.addresses import is_public, redact, scheme
from yoin.options import MediaOptions
from yoin.values import Media

STATUSES = {"/missing": 404, "/gone": 410, "/private": 401, "/forbidden": 403, "/broken": 500, "/busy": 503}


class Images(BaseHTTPRequestHandler):
    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        Images.asked[self.path] += 1
        if self.path in STATUSES:
            self.answer(STATUSES[self.path], b"no")
        elif self.path.startswith("/to/"):
            self.answer(302, b"", Location=self.path.removeprefix("/to/"))
        elif self.path == "/loop":
            self.answer(301, b"", Location="/loop")
        elif self.path == "/empty":
            self.answer(200, b"")
        elif self.path == "/page.jpg":
            self.answer(200, b"<html>not here</html>")
        elif self.path == "/large":
            self.answer(200, bytes(200_000))
        elif self.path == "/undeclared":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(bytes(200_000))
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self.wfile.write(GOOD["plain.png"])
        elif self.path == "/drip":
            self.send_response(200)
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        elif self.path == "/silent":
            time.sleep(1)
        elif self.path.startswith("/seed/"):
            self.answer(200, encoded(pixels(seed=int(self.path[6:]))))
        else:
            self.answer(200, GOOD["plain.png"])

    def answer(self, code: int, body: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep quiet."""

    def handle(self) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):  # the client has seen enough
            super().handle()


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Images) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _nothing_asked_yet():
    Images.asked.clear()


@pytest.fixture
def fetched(tmp_path):
    def fetch(*cells: str, **options: object) -> Media:
        chosen = {"base": tmp_path, "allow_private": True, "timeout": 10.0, "retries": 0} | options
        with Ledger(tmp_path / "ledger.db") as ledger:
            return collect(
                pd.Series(cells, dtype="string"),
                store=tmp_path / "media",
                ledger=ledger,
                options=MediaOptions(**chosen),
            )

    return fetch


def test_images_are_fetched_once_and_never_again(server, fetched):
    cells = [f"http://{server}/seed/{i}" for i in range(12)]
    for _ in range(2):
        media = fetched(*cells, *cells, f"  http://{server}/to/{'/seed/3'} ")
        assert media.rows["reason"].eq("").all()
        assert len(media.items) == 12
        assert media.rows["media_id"].iloc[3] == media.rows["media_id"].iloc[-1]
    assert Images.asked["/seed/0"] == 1
    assert Images.asked["/seed/3"] == 2  # by its own URL, and through the redirection


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/missing", "not_found"), ("/gone", "not_found"), ("/private", "forbidden"), ("/forbidden", "forbidden"),
        ("/broken", "http_error"), ("/busy", "http_error"), ("/loop", "too_many_redirects"), ("/empty", "empty_file"),
        ("/page.jpg", "not_an_image"), ("/large", "too_large"), ("/undeclared", "too_large"), ("/cut", "truncated"),
        ("/to/ftp://example.org/a.png", "unsupported_scheme"), ("/to//missing", "not_found"),
        ("/to/http://[", "bad_url"),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_a_reason(server, fetched, path, reason):
    media = fetched(f"http://{server}{path}", max_bytes=100_000)
    assert media.rows["reason"].tolist() == [reason]
    assert reason in REASONS
    assert media.rows["detail"].iloc[0].endswith(".")


@pytest.mark.parametrize("path", ["/drip", "/silent"])
def test_the_timeout_is_for_the_whole_image(server, fetched, path):
    assert fetched(f"http://{server}{path}", timeout=0.3).rows["reason"].tolist() == ["timeout"]


def test_failures_are_tried_again(server, fetched):
    for times in (1, 2):
        assert fetched(f"http://{server}/busy").rows["reason"].tolist() == ["http_error"]
        assert Images.asked["/busy"] == times


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.1", "169.254.169.254"],
)
def test_private_addresses_are_refused(server, fetched, host):
    port = server.partition(":")[2]
    media = fetched(f"http://{host}:{port}/a.png", allow_private=False)
    assert media.rows["reason"].tolist() == ["refused_address"]
    assert not Images.asked


def test_every_redirection_is_checked(server, fetched, monkeypatch):
    """127.0.0.1 stands in for a public address, 127.0.0.2 is the private one it leads to."""
    monkeypatch.setattr("yoin.media.http.is_public", lambda address: address == "127.0.0.1")
    inside = f"http://127.0.0.2:{server.partition(':')[2]}/a.png"
    for path in (f"/to/{inside}", f"/to//to/{inside}"):
        assert fetched(f"http://{server}{path}", allow_private=False).rows["reason"].tolist() == ["refused_address"]
    assert list(Images.asked) == [f"/to/{inside}", f"/to//to/{inside}"]
    assert fetched(f"http://{server}/a.png", allow_private=False).rows["reason"].tolist() == [""]


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True), ("2606:2800:220:1::1", True), ("::ffff:93.184.216.34", True), ("172.16.0.1", False),
        ("100.64.0.1", False), ("192.168.1.1", False), ("fe80::1%eth0", False), ("fc00::1", False), ("::", False),
        ("224.0.0.1", False), ("::ffff:10.0.0.1", False), ("255.255.255.255", False),
    ],
)  # fmt: skip
def test_public_addresses(address, public):
    assert is_public(address) is public


def test_nothing_listens(fetched):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert fetched(f"http://127.0.0.1:{port}/a.png").rows["reason"].tolist() == ["connection"]


@pytest.mark.parametrize("url", ["http://", "http:///a.png", "http://a b/c", "http://[::1", "http://exa\x7fmple/"])
def test_urls_that_are_none(fetched, url):
    assert fetched(url, allow_private=False).rows["reason"].iloc[0] == "bad_url"


def test_credentials_are_nowhere_to_be_read(server, fetched, tmp_path):
    media = fetched(
        f"http://anna:se@cret@{server}/missing", f"http://anna:secret@{server}/a.png", "ftp://anna:secret@host/x"
    )
    assert media.rows["reason"].tolist() == ["not_found", "", "unsupported_scheme"]
    with Ledger(tmp_path / "ledger.db") as ledger:
        known = repr(ledger.media())
    assert "cret" not in known + media.rows.to_csv()
    assert f"http://***@{server}/missing" in known


def test_what_people_leave_unescaped_is_escaped(server, fetched):
    cells = [f"http://{server}/a b.png", f"http://{server}/ü.png?q=é&a%20b", f"http://{server}/a%20b.png#part"]
    assert fetched(*cells).rows["reason"].tolist() == ["", "", ""]
    assert sorted(Images.asked) == ["/%C3%BC.png?q=%C3%A9&a%20b", "/a%20b.png"]


def test_schemes():
    cells = ["a/b.png", "C:\\a.png", "C://a.png", " HTTPS://x/y", "data:,x", "gs://b/k", "a:b.png", "//host/a.png"]
    assert [scheme(cell) for cell in cells] == ["", "", "", "https", "data", "gs", "", ""]


def test_redaction_leaves_paths_alone():
    assert redact("http://h/a@b?c=d@e") == "http://h/a@b?c=d@e"
    assert redact("see http://u:p@h/ and https://v@h2/x") == "see http://***@h/ and https://***@h2/x"
