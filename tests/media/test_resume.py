"""What a later run asks for: what is missing, what failed, what may have changed, and nothing else."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.media import faulty
from tests.media.faulty import FaultServer
from tests.media.makers import encoded, pixels
from yoin.ledger import Ledger
from yoin.media import collect
from yoin.options import MediaOptions
from yoin.values import Media

pytestmark = pytest.mark.timeout(120)

OLD, NEW = (encoded(pixels(320, 240, seed=seed), "JPEG") for seed in (0, 1))
YESTERDAY, TODAY = "Sun, 01 Mar 2026 10:00:00 GMT", "Mon, 02 Mar 2026 10:00:00 GMT"


def gather(folder: Path, *cells: str, **options: object) -> Media:
    chosen: dict[str, object] = {"base": folder, "allow_private": True, "retries": 0, "timeout": 10.0}
    with Ledger(folder / "ledger.db") as ledger:
        return collect(
            pd.Series(cells, dtype="string"),
            store=folder / "media",
            ledger=ledger,
            options=MediaOptions.model_validate(chosen | options),
        )


def named(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def ids(media: Media) -> list[str]:
    return media.rows["media_id"].fillna("").tolist()


def kept(folder: Path) -> list[str]:
    """The names of all files in the store, by content."""
    return sorted(path.name.split(".")[0] for path in (folder / "media").rglob("*") if path.is_file())


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as running:
        yield running


def test_what_is_there_is_not_asked_for_again(server, tmp_path):
    cells = [server.on(f"/{number}", faulty.versioned(OLD, etag='"1"')) for number in range(10)]
    first = gather(tmp_path, *cells[:6])
    second = gather(tmp_path, *cells)
    assert ids(first) == [named(OLD)] * 6
    assert ids(second) == [named(OLD)] * 10
    assert [server.times(f"/{number}") for number in range(10)] == [1] * 10


def test_what_failed_is_asked_for_again(server, tmp_path):
    cells = [
        server.on("/404", faulty.status(404), faulty.body(OLD)),
        server.on("/500", faulty.status(500), faulty.body(OLD)),
        server.on("/cut", faulty.cut(OLD, 500), faulty.body(OLD)),
        server.on("/html", faulty.body(b"<html>"), faulty.body(OLD)),
        server.on("/long", faulty.body(OLD, length=10**12), faulty.body(OLD)),
        server.on("/still", faulty.status(403)),
    ]
    first = gather(tmp_path, *cells)
    assert "" not in first.rows["reason"].tolist()
    second = gather(tmp_path, *cells)
    assert second.rows["reason"].tolist() == [""] * 5 + ["forbidden"]
    assert ids(second) == [named(OLD)] * 5 + [""]
    assert len(server.asked) == 12


@pytest.mark.parametrize(
    ("validators", "header"),
    [
        ({"etag": '"v1"'}, ("if-none-match", '"v1"')),
        ({"etag": 'W/"v1"'}, ("if-none-match", 'W/"v1"')),
        ({"modified": YESTERDAY}, ("if-modified-since", YESTERDAY)),
        ({"etag": '"v1"', "modified": YESTERDAY}, ("if-none-match", '"v1"')),
    ],
)
def test_a_refresh_shows_what_it_has_and_keeps_it(server, tmp_path, validators, header):
    url = server.on("/a", faulty.versioned(OLD, **validators))
    gather(tmp_path, url)
    for _ in range(2):  # 304 need not name the validators again
        assert ids(gather(tmp_path, url, refresh=True)) == [named(OLD)]
    first, *others = server.asked
    assert header[0] not in first.headers
    assert [asked.headers[header[0]] for asked in others] == [header[1]] * 2
    assert kept(tmp_path) == [named(OLD)]


def test_a_refresh_takes_what_has_changed(server, tmp_path):
    answers = {
        "/etag": [faulty.versioned(OLD, etag='"1"'), faulty.versioned(NEW, etag='"2"')],
        "/date": [faulty.versioned(OLD, modified=YESTERDAY), faulty.versioned(NEW, modified=TODAY)],
        "/same etag": [faulty.versioned(OLD, etag='"1"'), faulty.body(NEW, headers={"ETag": '"1"'})],
        "/neither": [faulty.body(OLD), faulty.body(NEW)],
    }
    cells = [server.on(path.replace(" ", "_"), *scripted) for path, scripted in answers.items()]
    assert ids(gather(tmp_path, *cells)) == [named(OLD)] * 4
    assert ids(gather(tmp_path, *cells)) == [named(OLD)] * 4
    media = gather(tmp_path, *cells, refresh=True)
    assert ids(media) == [named(NEW)] * 4
    assert {medium.path.read_bytes() for medium in media.items.values()} == {NEW}
    assert ids(gather(tmp_path, *cells)) == [named(NEW)] * 4
    assert len(server.asked) == 8
    server.on("/etag", faulty.versioned(NEW, etag='"2"'))
    gather(tmp_path, cells[0], refresh=True)
    assert server.asked[-1].headers["if-none-match"] == '"2"'  # the new one, not the first


@pytest.mark.parametrize(
    "answer",
    [
        faulty.status(500), faulty.status(429), faulty.reset(), faulty.cut(NEW, 500), faulty.silence(headers=True),
        faulty.body(NEW[:900]), faulty.body(b"<html>come back later</html>"), faulty.body(b""),
    ],
    ids=["500", "429", "reset", "cut", "silence", "half an image", "HTML", "empty"],
)  # fmt: skip
def test_a_refresh_that_fails_loses_nothing(server, tmp_path, answer):
    url = server.on("/a", faulty.versioned(OLD, etag='"1"'), answer, faulty.versioned(OLD, etag='"1"'))
    gather(tmp_path, url)
    media = gather(tmp_path, url, refresh=True, timeout=1.0)
    assert ids(media) == [named(OLD)]
    assert media.rows["reason"].tolist() == [""]
    assert kept(tmp_path) == [named(OLD)]
    assert ids(gather(tmp_path, url)) == [named(OLD)]
    assert len(server.asked) == 2
    gather(tmp_path, url, refresh=True)
    assert server.asked[-1].headers["if-none-match"] == '"1"'


def test_a_refresh_asks_in_full_for_a_copy_that_is_lost(server, tmp_path):
    url = server.on("/a", faulty.versioned(OLD, etag='"1"', modified=YESTERDAY))
    (medium,) = gather(tmp_path, url).items.values()
    for damage in (medium.path.unlink, lambda: medium.path.write_bytes(OLD[:99])):
        damage()
        assert ids(gather(tmp_path, url, refresh=True)) == [named(OLD)]
        assert medium.path.read_bytes() == OLD
        assert not {"if-none-match", "if-modified-since"} & set(server.asked[-1].headers)


def test_validators_of_what_failed_are_not_shown(server, tmp_path):
    page = faulty.body(b"<html>", headers={"ETag": '"page"'})
    url = server.on("/a", page, faulty.versioned(OLD, etag='"image"'))
    gather(tmp_path, url)
    assert ids(gather(tmp_path, url, refresh=True)) == [named(OLD)]
    assert "if-none-match" not in server.asked[-1].headers


def test_validators_are_those_of_the_last_hop(server, tmp_path):
    server.on("/image", faulty.versioned(OLD, etag='"image"'))
    url = server.on("/a", faulty.body(b"", code=302, headers={"Location": "/image", "ETag": '"hop"'}))
    gather(tmp_path, url)
    assert ids(gather(tmp_path, url, refresh=True)) == [named(OLD)]
    assert [asked.headers.get("if-none-match") for asked in server.to("/image")] == [None, '"image"']


@pytest.mark.parametrize("etag", ['"caf\u00e9"', '"' + "x" * 9000 + '"', '"a\x01b"', "unquoted", '""'])
def test_odd_validators_do_no_harm(server, tmp_path, etag):
    head = f"HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {len(OLD)}\r\n\r\n".encode("latin-1")
    url = server.on("/a", faulty.raw(head + OLD))
    gather(tmp_path, url)
    assert ids(gather(tmp_path, url, refresh=True)) == [named(OLD)]


_RUN = """
import sys
from pathlib import Path
import pandas as pd
from yoin.ledger import Ledger
from yoin.media import collect
from yoin.options import MediaOptions

folder, cells = Path(sys.argv[1]), Path(sys.argv[2]).read_text().split()
options = MediaOptions(base=folder, allow_private=True, connections=8, per_host=8)
with Ledger(folder / "ledger.db") as ledger:
    media = collect(pd.Series(cells), store=folder / "media", ledger=ledger, options=options)
print(len(media.items), set(media.rows["reason"]))
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(3))
def test_kill_at_ten_random_moments(server, tmp_path, seed):
    chance = random.Random(seed)
    images = [encoded(pixels(90, 60, seed=number), "PNG") for number in range(280)]
    images += chance.sample(images, 20)  # the same bytes under two URLs
    chance.shuffle(images)
    cells = [
        server.on(f"/{number}", faulty.body(data, pause=chance.uniform(0, 0.02))) for number, data in enumerate(images)
    ]
    (tmp_path / "cells").write_text("\n".join(cells))
    command = [sys.executable, "-c", _RUN, str(tmp_path), str(tmp_path / "cells")]
    again: list[set[str]] = []  # after each kill: committed before it, and asked for after it
    marks: list[tuple[int, set[str]]] = []  # the server's log and the ledger, as each kill left them
    for moment in range(10):
        begun = len(server.asked)
        wanted = begun + (0 if moment == 4 else chance.randint(5, 27))  # one before anything is asked
        with subprocess.Popen(command) as process:
            while len(server.asked) < wanted and process.poll() is None:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.03))
            process.kill()
        assert process.returncode == -9, "the run ended before the kill"
        with Ledger(tmp_path / "ledger.db") as ledger:
            done = {source for source, record in ledger.media().items() if record.media_id is not None}
        marks.append((len(server.asked), done))
    assert marks[-1][1], "nothing was committed before the last kill"
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ended.stdout == f"{len(set(images))} {{''}}\n"
    for seen, done in marks:
        again.append({server.url(asked.path) for asked in server.asked[seen:]} & done)
    assert again == [set()] * 10
    assert kept(tmp_path) == sorted({named(data) for data in images})  # each once, and nothing half-written
    for path in (tmp_path / "media").rglob("*.png"):
        assert named(path.read_bytes()) == path.stem
    before = len(server.asked)
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == ended.stdout
    assert len(server.asked) == before
