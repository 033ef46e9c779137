"""What is sent of a medium: bytes that every service reads."""

from __future__ import annotations

import io
from pathlib import Path

from yoin.images import open_rgb, save_jpeg
from yoin.values import Medium

_READ_BY_ALL = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def pictures(medium: Medium) -> list[tuple[str, bytes]]:
    """The MIME type and bytes of each image to send: the image or its scaled copy, or a video's frames.

    A JPEG, PNG or WebP goes as it is; anything else as a JPEG, upright, in sRGB and on white.

    Raises:
        ImageError, OSError: the file was lost or exchanged.
    """
    return [_picture(path, medium) for path in medium.views]


def _picture(path: Path, medium: Medium) -> tuple[str, bytes]:
    mime = _READ_BY_ALL.get(path.suffix)
    if mime is not None:
        return mime, path.read_bytes()
    stream = io.BytesIO()
    save_jpeg(open_rgb(path, max_pixels=max(1, medium.width * medium.height)), stream)
    return "image/jpeg", stream.getvalue()
