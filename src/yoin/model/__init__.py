"""Text regressions from captions to the metric, judged out of fold, and the verdict."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.model.card import make_card
    from yoin.model.ladder import fit, predictors
    from yoin.model.leaks import find_leaks
    from yoin.model.recipe import follow_recipe
    from yoin.model.reliability import assess_reliability, interval, reliability_of
    from yoin.model.rivals import cheap_rung, compare_captions
    from yoin.model.shelf import fit_shuffled
    from yoin.model.signal import assess_signal
    from yoin.model.track import require_tracker, track

__all__ = [
    "assess_reliability",
    "assess_signal",
    "cheap_rung",
    "compare_captions",
    "find_leaks",
    "fit",
    "fit_shuffled",
    "follow_recipe",
    "interval",
    "make_card",
    "predictors",
    "reliability_of",
    "require_tracker",
    "track",
]

_HOME = {
    "assess_reliability": "yoin.model.reliability",
    "assess_signal": "yoin.model.signal",
    "cheap_rung": "yoin.model.rivals",
    "compare_captions": "yoin.model.rivals",
    "find_leaks": "yoin.model.leaks",
    "fit": "yoin.model.ladder",
    "fit_shuffled": "yoin.model.shelf",
    "follow_recipe": "yoin.model.recipe",
    "interval": "yoin.model.reliability",
    "make_card": "yoin.model.card",
    "predictors": "yoin.model.ladder",
    "reliability_of": "yoin.model.reliability",
    "require_tracker": "yoin.model.track",
    "track": "yoin.model.track",
}


def __getattr__(name: str) -> object:
    # scikit-learn is slow to import: only who fits waits for it.
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)
