"""Images written into the table itself, as data: URLs."""

from __future__ import annotations

import base64
import binascii
import hashlib
from urllib.parse import unquote_to_bytes

from yoin.media.reasons import Unusable
from yoin.media.shelf import Incoming


def source(cell: str) -> str:
    """How the ledger knows the cell: by a hash, as the cell may be long."""
    return f"data:{hashlib.sha256(cell.encode('utf-8', 'replace')).hexdigest()}"


def read(cell: str, incoming: Incoming) -> None:
    """Decode a data: URL (RFC 2397) into ``incoming``.

    Raises:
        Unusable: it is not a proper one, or too large.
        StudyError: the disk is full.
    """
    head, comma, body = cell.strip().partition(",")
    if not comma:
        raise Unusable("bad_url", "The data: URL has no comma, so that it holds nothing.")
    try:
        content = unquote_to_bytes(body)
        if head.lower().rstrip().endswith(";base64"):
            packed = b"".join(content.split())
            content = base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unusable("bad_url", "The data: URL is not proper base64.") from error
    incoming.write(content)
