"""A creative brief and prompts for text-to-image models, from a study's own drivers and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.brief.make import Brief, make_brief

__all__ = ["Brief", "make_brief"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from yoin.brief import make  # late: it brings the statistics with it, and every command passes through here

    return getattr(make, name)
