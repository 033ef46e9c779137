"""Keys of services: read from the environment when they are needed, and never written anywhere."""

from __future__ import annotations

import ipaddress
import os
from urllib.parse import urlsplit

from yoin.errors import UsageError


def key_of(*names: str) -> str | None:
    """The first of these environment variables that is set."""
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)


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
