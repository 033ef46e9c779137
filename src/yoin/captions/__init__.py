"""Captions: one text a medium, from a captioner or from a column that is there already."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.captions.base import Captioner, call_key
    from yoin.captions.elsewhere import brought
    from yoin.captions.repeats import repeat
    from yoin.captions.stage import caption, captioner_of, given, require_consent, unmade
    from yoin.captions.transfer import export_captions, import_captions
    from yoin.captions.writing import write

__all__ = [
    "Captioner", "brought", "call_key", "caption", "captioner_of", "export_captions", "given", "import_captions",
    "repeat", "require_consent", "unmade", "write",
]  # fmt: skip

_HOME = {
    "Captioner": "base",
    "brought": "elsewhere",
    "call_key": "base",
    "caption": "stage",
    "captioner_of": "stage",
    "export_captions": "transfer",
    "given": "stage",
    "import_captions": "transfer",
    "repeat": "repeats",
    "require_consent": "stage",
    "unmade": "stage",
    "write": "writing",
}


def __getattr__(name: str) -> object:
    # Late, because the describer's workers pass through here and need no pandas.
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
