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
        "not_an_image": "The content is not an image or a video that Yoin reads.",
        "truncated": "The image is cut off or damaged.",
        "bomb": "The image has more pixels than the limit.",
        "too_large": "The file has more bytes than the limit.",
        "too_small": "A side of the image is shorter than 8 pixels.",
        "bad_url": "The URL cannot be understood.",
        "unsupported_scheme": "Only http, https, data, s3, gs and az URLs are fetched.",
        "missing_package": "A package that reads from this storage is not installed.",
        "refused_address": "The URL leads to a private or local address.",
        "forbidden": "Access is not allowed.",
        "too_many_redirects": "The server redirects too often.",
        "rate_limited": "The server wants fewer requests.",
        "timeout": "The server took too long.",
        "http_error": "The server answered with an error.",
        "connection": "The server could not be reached, or the connection broke.",
    }
)
MAY_PASS: Final = frozenset({"missing_package", "rate_limited", "timeout", "http_error", "connection"})
"""Reasons that the next run may find gone."""


class Unusable(Exception):  # noqa: N818 - it is the outcome of one cell, recorded and never an error of the run
    """One cell has no usable image: a reason of `REASONS` and one plain sentence.

    Attributes:
        passing: whether asking again may help.
        wait: seconds that the server wants to be left alone; 0 where it did not say.
        status: the HTTP status, 0 where there was none.
    """

    def __init__(self, reason: str, detail: str, *, passing: bool = False, wait: float = 0.0, status: int = 0) -> None:
        self.reason = reason
        self.passing = passing
        self.wait = wait
        self.status = status
        super().__init__(detail)
