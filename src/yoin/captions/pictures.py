"""What is sent of a medium: bytes that every service reads."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from yoin.images import open_rgb, save_jpeg
from yoin.values import Medium

_READ_BY_SERVICES = {".jpg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_ORIENTATION = 0x0112  # of EXIF


def pictures(medium: Medium, *, plainly: bool = False) -> list[tuple[str, bytes]]:
    """The MIME type and bytes of each image to send: the image or its scaled copy, or a video's frames.

    A JPEG, PNG or WebP goes as it is; anything else as a JPEG, upright, in sRGB and on white.

    Args:
        medium: what is to be seen.
        plainly: for small servers, which read no WebP and show an image that lies on its side as it lies: then those
            go as a JPEG too.

    Raises:
        ImageError, OSError: the file was lost or exchanged.
    """
    return [_picture(path, medium, plainly) for path in medium.views]


def _picture(path: Path, medium: Medium, plainly: bool) -> tuple[str, bytes]:
    mime = _READ_BY_SERVICES.get(path.suffix)
    if mime is not None and not (plainly and (mime == "image/webp" or _is_turned(path))):
        return mime, path.read_bytes()
    stream = io.BytesIO()
    save_jpeg(open_rgb(path, max_pixels=max(1, medium.width * medium.height)), stream)
    return "image/jpeg", stream.getvalue()


def _is_turned(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return bool(image.getexif().get(_ORIENTATION, 1) != 1)
    except UnidentifiedImageError:  # exchanged since: what reads it will say so
        return False
