from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.media.faulty import FaultServer


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer(*(f"127.0.0.{number}" for number in range(1, 9))) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
