"""One self-contained HTML file, and everything it says as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.report.html import render

__all__ = ["render"]


def __getattr__(name: str) -> object:
    if name == "render":  # late: reading a summary needs no template engine
        from yoin.report.html import render

        return render
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
