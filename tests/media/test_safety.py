"""What a table of URLs can never make Yoin do: reach inside the network, or tell a password."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import faulty, outside
from tests.media.faulty import FaultServer
from tests.media.stage import JPEG, gather, reason

pytestmark = pytest.mark.timeout(60)  # what hangs has failed


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
