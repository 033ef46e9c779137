"""Why an image cell has no usable image."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

REASONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "no_image": "The image cell is blank.",
        "not_found": "There is no such image.",
        "is_directory": "The path is a folder, not an image.",
        "outside_folder": "The path is absolute or leaves the table's folder; allow that with --allow-anywhere.",
        "unreadable": "The file cannot be read.",
        "empty_file": "The file has zero bytes.",
        "not_an_image": "The content is not a JPEG, PNG, WebP, GIF, BMP or TIFF image.",
        "truncated": "The image is cut off or damaged.",
        "bomb": "The image has more pixels than the limit.",
        "too_large": "The file has more bytes than the limit.",
        "too_small": "A side of the image is shorter than 8 pixels.",
        "unsupported_scheme": "Only http and https URLs are fetched.",
        "refused_address": "The URL leads to a private or local address.",
        "forbidden": "The server does not allow access (status 401 or 403).",
        "timeout": "The server took too long.",
        "http_error": "The server answered with an error.",
        "connection": "The server could not be reached, or the connection broke.",
    }
)


class Unusable(Exception):  # noqa: N818 - it is the outcome of one cell, recorded and never an error of the run
    """One cell has no usable image: a reason of `REASONS` and one plain sentence."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)
