import errno
import hashlib
import os
import signal
import threading
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.media.makers import BAD, GOOD, encoded, pixels
from yoin.errors import StudyError
from yoin.ledger import Ledger
from yoin.media import REASONS, collect
from yoin.options import MediaOptions
from yoin.values import Media


class Place:
    """A table's folder and a study beside it."""

    def __init__(self, folder: Path) -> None:
        self.base = folder / "data"
        self.base.mkdir()
        self.study = folder / "study"
        self.study.mkdir()
        self.store = self.study / "media"
        self.progress: list[tuple[int, int, str]] = []

    def write(self, files: dict[str, bytes]) -> None:
        for name, data in files.items():
            (self.base / name).parent.mkdir(parents=True, exist_ok=True)
            (self.base / name).write_bytes(data)

    def collect(self, cells: list[str | None], **options: object) -> Media:
        self.progress.clear()
        images = pd.Series(cells, index=range(100, 100 + len(cells)), dtype="string")
        with Ledger(self.study / "ledger.db") as ledger:
            return collect(
                images,
                store=self.store,
                ledger=ledger,
                options=MediaOptions(base=self.base, **options),
                progress=lambda *counts: self.progress.append(counts),
            )

    def reasons(self, cells: list[str | None], **options: object) -> list[str]:
        return self.collect(cells, **options).rows["reason"].tolist()

    def recorded(self) -> dict[str, str]:
        with Ledger(self.study / "ledger.db") as ledger:
            return {source: record.reason for source, record in ledger.media().items()}


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_good_images_are_known_by_their_bytes_and_kept(place):
    place.write(GOOD)
    media = place.collect(list(GOOD))
    assert media.rows["reason"].tolist() == [""] * len(GOOD)
    assert media.rows["detail"].tolist() == [""] * len(GOOD)
    assert media.rows.index.tolist() == list(range(100, 100 + len(GOOD)))
    assert media.rows.index.name == "row_id"
    for name, media_id in zip(GOOD, media.rows["media_id"], strict=True):
        medium = media.items[media_id]
        assert media_id == hashlib.sha256(GOOD[name]).hexdigest() == medium.media_id
        assert medium.path.read_bytes() == GOOD[name]
        assert medium.path.parent == place.store / media_id[:2]
        assert medium.bytes == len(GOOD[name])
        assert (medium.width, medium.height) == ((30, 40) if name == "sideways.jpg" else (40, 30))
    by_name = {name: media.items[media_id] for name, media_id in zip(GOOD, media.rows["media_id"], strict=True)}
    assert by_name["rgba.jpg"].mime == "image/png"  # by content, not by name
    assert by_name["rgba.jpg"].path.suffix == ".png"
    assert {medium.mime for medium in media.items.values()} == {
        "image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp", "image/tiff",
    }  # fmt: skip
    assert not list(place.store.glob(".*"))


def test_bad_images_are_records_with_a_reason(place):
    place.write({name: data for name, (data, _) in BAD.items()})
    media = place.collect([*BAD, None])
    assert media.rows["reason"].tolist() == [*(reason for _, reason in BAD.values()), "no_image"]
    assert media.rows["media_id"].isna().all()
    assert media.rows["detail"].str.endswith(".").all()
    assert media.items == {}
    assert set(media.rows["reason"]) <= set(REASONS)
    assert place.recorded() == {str(place.base / name): reason for name, (_, reason) in BAD.items()}
    assert place.progress[-1] == (len(BAD), len(BAD), f"{len(BAD)} failed")


def test_names_with_blanks_quotes_and_other_scripts(place):
    names = [
        "a file.png",
        'it\'s "quoted".png',
        "ポスター/夜.png",
        "100%.png",
        "a#b?c.png",
        "~/home.png",
        "..png",
        "a;b,c.png",
    ]
    place.write(dict.fromkeys(names, GOOD["plain.png"]))
    assert place.reasons(names) == [""] * len(names)


def test_blanks_around_a_cell_are_not_part_of_the_name_unless_they_are(place):
    place.write({"a.png": GOOD["plain.png"], " b.png": GOOD["plain.webp"]})
    media = place.collect(["  a.png ", " b.png"])
    assert [media.items[media_id].mime for media_id in media.rows["media_id"]] == ["image/png", "image/webp"]


def test_paths_that_are_no_usable_file(place):
    place.write({"folder/a.png": GOOD["plain.png"]})
    os.mkfifo(place.base / "pipe.png")
    (place.base / "ring.png").symlink_to("ring.png")
    cells = [
        "none.png",
        "folder",
        "folder/a.png/b.png",
        "pipe.png",
        "a\0b.png",
        "x" * 5000 + ".png",
        "ring.png",
        "folder\udcff",
    ]
    images = pd.Series(cells, dtype=object)
    with Ledger(place.study / "ledger.db") as ledger:
        media = collect(images, store=place.store, ledger=ledger, options=MediaOptions(base=place.base))
    expected = [
        "not_found",
        "is_directory",
        "not_found",
        "unreadable",
        "not_found",
        "not_found",
        "not_found",
        "not_found",
    ]
    assert media.rows["reason"].tolist() == expected
    assert media.rows["detail"].str.len().max() < 400


def test_paths_may_not_leave_the_folder(place):
    (place.base.parent / "secret.png").write_bytes(GOOD["plain.png"])
    place.write({"own.png": GOOD["plain.png"]})
    (place.base / "link.png").symlink_to(place.base.parent / "secret.png")
    (place.base / "fine.png").symlink_to("own.png")
    absolute = str(place.base / "own.png")
    cells = [
        "../secret.png",
        "link.png",
        absolute,
        f" {absolute}",
        "../nothing.png",
        "../data/own.png",
        "fine.png",
        "own.png",
    ]
    assert place.reasons(cells) == ["outside_folder"] * 5 + [""] * 3
    assert place.reasons(cells, allow_anywhere=True) == ["", "", "", "", "not_found", "", "", ""]


def test_limits(place):
    place.write({"a.png": encoded(pixels(100, 100))})
    assert place.reasons(["a.png"]) == [""]
    assert place.reasons(["a.png"], max_pixels=9999) == ["bomb"]  # what is on record does not slip past a new limit
    assert place.reasons(["a.png"], max_bytes=50) == ["too_large"]
    assert place.reasons(["a.png"], max_pixels=10_000) == [""]


def test_an_unreadable_file(place):
    place.write({"a.png": GOOD["plain.png"]})
    (place.base / "a.png").chmod(0)
    if os.access(place.base / "a.png", os.R_OK):
        pytest.skip("this user may read everything")
    assert place.reasons(["a.png"]) == ["unreadable"]


@pytest.mark.parametrize(
    "cell",
    [
        "ftp://a/b.png",
        "file:///etc/passwd",
        "memory://a.png",
        "simplecache::s3://bucket/key.png",
        "s3://bucket/key.png::file:///etc/passwd",
        "zip://a.png::http://example.org/b.zip",
    ],
)
def test_other_schemes(place, cell):
    assert place.reasons([cell]) == ["unsupported_scheme"]


def test_the_same_bytes_are_one_medium(place):
    place.write({"a.png": GOOD["plain.png"], "b.png": GOOD["plain.png"]})
    media = place.collect(["a.png", "b.png", "./a.png", "a.png"])
    assert media.rows["media_id"].nunique() == 1
    assert len(media.items) == 1
    assert place.progress[-1] == (3, 3, "")


def test_what_is_known_and_unchanged_is_not_read_again(place):
    place.write({"a.png": GOOD["plain.png"], "b.png": b"no image"})
    first = place.collect(["a.png", "b.png"])
    status = (place.base / "a.png").stat()
    place.write({"a.png": b"x" * status.st_size, "b.png": GOOD["plain.webp"]})
    os.utime(place.base / "a.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    second = place.collect(["a.png", "b.png"])
    assert second.rows["media_id"].iloc[0] == first.rows["media_id"].iloc[0]  # same stamp: trusted
    assert second.rows["reason"].tolist() == ["", ""]  # a failure is tried again
    place.write({"a.png": GOOD["plain.gif"]})
    third = place.collect(["a.png", "b.png"])
    assert third.items[third.rows["media_id"].iloc[0]].mime == "image/gif"


def test_a_lost_copy_is_made_again(place):
    place.write({"a.png": GOOD["plain.png"]})
    (medium,) = place.collect(["a.png"]).items.values()
    medium.path.write_bytes(b"short")
    assert place.reasons(["a.png"]) == [""]
    assert medium.path.read_bytes() == GOOD["plain.png"]


def test_what_a_killed_run_left_half_written_is_cleared(place):
    place.store.mkdir()
    (place.store / ".incoming-abc").write_bytes(b"half")
    place.write({"a.png": GOOD["plain.png"]})
    place.collect(["a.png"])
    assert not list(place.store.glob(".incoming-*"))


def test_outcomes_are_committed_before_they_are_counted(place):
    place.write({f"{i}.png": encoded(pixels(seed=i)) for i in range(150)})

    def stop(done: int, total: int, note: str) -> None:
        if done == 7:
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    with Ledger(place.study / "ledger.db") as ledger, pytest.raises(KeyboardInterrupt):
        collect(
            pd.Series([f"{i}.png" for i in range(150)]),
            store=place.store,
            ledger=ledger,
            options=MediaOptions(base=place.base),
            progress=stop,
        )
    assert 7 <= len(place.recorded()) < 150
    assert threading.active_count() == 1, threading.enumerate()
    assert place.reasons([f"{i}.png" for i in range(150)]) == [""] * 150


def test_a_full_disk_ends_the_run_with_its_one_sentence(place, monkeypatch):
    place.write({f"{i}.png": encoded(pixels(seed=i)) for i in range(5)})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match="the disk is full; free some space and run the same command again"):
        place.collect([f"{i}.png" for i in range(5)])
    assert not [path for path in place.store.rglob("*") if path.is_file()]
    monkeypatch.undo()
    assert place.reasons([f"{i}.png" for i in range(5)]) == [""] * 5


def test_no_images_at_all(place):
    media = place.collect([None, " "])
    assert media.rows["reason"].tolist() == ["no_image", "no_image"]
    assert place.collect([]).rows.empty


def test_many_large_images_do_not_pile_up_a_warning(place):
    place.write({f"{i}.png": encoded(Image.new("1", (9500, 9500), i)) for i in range(2)})
    assert place.reasons(["0.png", "1.png"]) == ["", ""]
