"""Captions: one text a medium, from a captioner or from a column that is there already."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.captions.base import Captioner, call_key
    from yoin.captions.stage import caption, given

__all__ = ["Captioner", "call_key", "caption", "given"]

_HOME = {"Captioner": "base", "call_key": "base", "caption": "stage", "given": "stage"}


def __getattr__(name: str) -> object:
    # Late, because the describer's workers pass through here and need no pandas.
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
