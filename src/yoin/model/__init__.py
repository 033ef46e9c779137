"""Text regressions from captions to the metric, judged out of fold, and the verdict."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.model.ladder import fit, predictors
    from yoin.model.rivals import cheap_rung, compare_captions
    from yoin.model.shelf import fit_shuffled
    from yoin.model.signal import assess_signal

__all__ = ["assess_signal", "cheap_rung", "compare_captions", "fit", "fit_shuffled", "predictors"]

_HOME = {
    "assess_signal": "yoin.model.signal",
    "cheap_rung": "yoin.model.rivals",
    "compare_captions": "yoin.model.rivals",
    "fit": "yoin.model.ladder",
    "fit_shuffled": "yoin.model.shelf",
    "predictors": "yoin.model.ladder",
}


def __getattr__(name: str) -> object:
    # scikit-learn is slow to import: only who fits waits for it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
