import hashlib
from importlib.util import find_spec

import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from tests.media.makers import GOOD
from yoin.ledger import Ledger
from yoin.media import collect
from yoin.options import MediaOptions
from yoin.values import Media


@pytest.fixture
def storage(monkeypatch):
    """A bucket in memory behind every scheme of object storage, which notes what is opened."""

    class Noted(MemoryFileSystem):
        opened: list[str] = []  # noqa: RUF012 - one list for the test
        refuses = False

        def _open(self, path, *rest, **more):
            self.opened.append(path)
            if self.refuses:
                raise PermissionError(path)
            return super()._open(path, *rest, **more)

    for scheme in ("s3", "gs", "az"):
        monkeypatch.setitem(_registry, scheme, Noted)
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    return Noted()


@pytest.fixture
def fetched(tmp_path):
    def fetch(*cells: str, **options: object) -> Media:
        with Ledger(tmp_path / "ledger.db") as ledger:
            return collect(
                pd.Series(cells, dtype="string"),
                store=tmp_path / "media",
                ledger=ledger,
                options=MediaOptions(base=tmp_path, backoff=0.0, **options),
            )

    return fetch


def test_objects_are_read_once_and_known_by_their_bytes(storage, fetched):
    for url in ("s3://bucket/a.png", "gs://bucket/deep/b.png", "az://box/c.png"):
        storage.pipe(url, GOOD["plain.png"])
    storage.opened.clear()
    for _ in range(2):
        media = fetched("s3://bucket/a.png", " gs://bucket/deep/b.png", "az://box/c.png", "s3://bucket/a.png")
        assert media.rows["media_id"].tolist() == [hashlib.sha256(GOOD["plain.png"]).hexdigest()] * 4
    assert len(storage.opened) == 3


def test_what_goes_wrong_is_a_reason(storage, fetched):
    storage.pipe("s3://bucket/large.png", bytes(2000))
    storage.pipe("s3://bucket/text.png", b"just words")
    storage.pipe("s3://bucket/empty.png", b"")
    media = fetched(
        "s3://bucket/none.png", "s3://bucket/large.png", "s3://bucket/text.png", "s3://bucket/empty.png", max_bytes=1000
    )
    assert media.rows["reason"].tolist() == ["not_found", "too_large", "not_an_image", "empty_file"]
    storage.pipe("s3://bucket/a.png", GOOD["plain.png"])
    type(storage).refuses = True
    assert fetched("s3://bucket/a.png").rows["reason"].tolist() == ["forbidden"]


def test_a_refresh_reads_what_has_changed(storage, fetched):
    storage.pipe("s3://bucket/a.png", GOOD["plain.png"])
    fetched("s3://bucket/a.png")
    storage.opened.clear()
    fetched("s3://bucket/a.png", refresh=True)
    assert not storage.opened  # the same version
    storage.pipe("s3://bucket/a.png", GOOD["plain.webp"])
    (medium,) = fetched("s3://bucket/a.png", refresh=True).items.values()
    assert medium.mime == "image/webp"


@pytest.mark.skipif(find_spec("s3fs") is not None, reason="s3fs is installed here")
def test_a_missing_package_is_named(fetched):
    media = fetched("s3://bucket/a.png")
    assert media.rows["reason"].tolist() == ["missing_package"]
    assert media.rows["detail"].iloc[0] == "s3://bucket/a.png needs a package: pip install s3fs"


def test_no_other_protocol_and_no_chain(storage, fetched):
    cells = ["memory://a.png", "s3://b/a.zip::file:///etc/passwd", "zip://a.png::s3://b/a.zip", "github://o:r@/a.png"]
    assert set(fetched(*cells).rows["reason"]) == {"unsupported_scheme"}
    assert not storage.opened
