"""A keyring in memory, or a broken one, as a backend of the real package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest


@contextmanager
def keyring_with(keys: Mapping[str, str] | Exception) -> Iterator[list[tuple[str, str]]]:
    """Use a keyring that has these keys of Yoin, or that fails so; yields what it is asked for."""
    keyring = pytest.importorskip("keyring")
    from keyring.backend import KeyringBackend

    asked: list[tuple[str, str]] = []

    class Kept(KeyringBackend):
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            asked.append((service, username))
            if isinstance(keys, Exception):
                raise keys
            return keys.get(username) if service == "yoin" else None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

        def delete_password(self, service: str, username: str) -> None:
            raise NotImplementedError

    before = keyring.get_keyring()
    keyring.set_keyring(Kept())
    try:
        yield asked
    finally:
        keyring.set_keyring(before)
