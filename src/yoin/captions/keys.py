"""Keys of services: read when they are needed, from the environment, else from the keyring; never written anywhere."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from yoin.errors import UsageError

_SERVICE = "yoin"  # under which keys stand in the keyring, by the names of their variables
_read: dict[str, str] = {}  # what was read from the keyring, so that it can be hidden


def key_of(*names: str) -> str | None:
    """The first of these that the environment has, else the first that the keyring has; None without any."""
    return setting_of(*names) or next((value for name in names if (value := _from_keyring(name))), None)


def setting_of(*names: str) -> str | None:
    """The first of these environment variables that is set."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)


def origin_of(name: str) -> str:
    """Where the key of this name comes from: ``environment``, ``keyring``, or "" where there is none."""
    if setting_of(name):
        return "environment"
    return "keyring" if _from_keyring(name) else ""


def hidden(text: str, *names: str) -> str:
    """``text`` without the keys of these names, wherever they come from; the keyring is not asked again."""
    for name in names:
        for secret in filter(None, (setting_of(name), _read.get(name))):
            text = text.replace(secret, "***")
    return text


def _from_keyring(name: str) -> str:
    """The key that was put there with ``keyring set yoin NAME``; "" without one."""
    try:
        import keyring
    except ImportError:
        return ""
    try:
        value = (keyring.get_password(_SERVICE, name) or "").strip()
    except Exception:  # noqa: BLE001 - each backend fails in its own way; then there is no key there
        return ""
    if value:
        _read[name] = value
    return value


def require_safe(base_url: str) -> None:
    """See that a key or an image travels only to https or to this machine.

    Raises:
        UsageError: the URL is neither, is malformed, or holds a user, a password or a query.
    """
    try:
        parts = urlsplit(base_url)
        _ = parts.port
    except ValueError as error:
        raise UsageError(
            f"a captioner's address is no URL ({error})", stage="captions", remedy="write it as https://HOST:PORT/v1"
        ) from error
    if parts.username or parts.password or parts.query or parts.fragment:
        raise UsageError(
            "a captioner's address must not contain a user, a password or a query",
            stage="captions",
            remedy="put the key into the environment variable of the service",
        )
    if parts.scheme == "https" and parts.hostname:
        return
    if parts.scheme == "http" and _is_loopback(parts.hostname or ""):
        return
    raise UsageError(
        "a captioner's address must start with https, or lead to this machine",
        stage="captions",
        remedy="use https://, or http://127.0.0.1 through a tunnel",
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
