"""What an image cell is: a path or a URL, and how it may be shown."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"\s*(?:([a-z][a-z0-9+.-]+)://|(data):)", re.IGNORECASE)  # one letter is a Windows drive
_CREDENTIALS = re.compile(r"(?<=//)[^/?#\s]*@")
_LONGEST = 300  # characters shown


def scheme(cell: str) -> str:
    """The URL scheme of the cell, lower-case; "" for a path."""
    match = _SCHEME.match(cell)
    return (match[1] or match[2]).lower() if match else ""


def redact(text: str) -> str:
    """``text`` without the user names and passwords of the URLs in it."""
    return _CREDENTIALS.sub("***@", text)


def shown(cell: str) -> str:
    """The cell as it may stand in a sentence: no credentials, no half characters, not endless."""
    safe = whole(redact(cell))
    return safe if len(safe) <= _LONGEST else safe[: _LONGEST - 1] + "…"


def whole(text: str) -> str:
    """``text`` with every half of a surrogate pair replaced: such text can be neither stored nor shown."""
    return text.encode("utf-8", "replace").decode()
