"""Yoin: from a table of images and a metric to the visual elements that move the metric."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.drivers import estimate_drivers
    from yoin.errors import MissingExtraError, NothingLeftError, StudyError, TableError, UsageError, YoinError
    from yoin.explanations import explain
    from yoin.model import assess_signal
    from yoin.pipeline import run
    from yoin.study import Study

__version__ = "0.1.0"

# Where each public name lives; imported when it is first used, so that `import yoin` is quick.
_HOMES = {
    "MissingExtraError": "yoin.errors",
    "NothingLeftError": "yoin.errors",
    "Study": "yoin.study",
    "StudyError": "yoin.errors",
    "TableError": "yoin.errors",
    "UsageError": "yoin.errors",
    "YoinError": "yoin.errors",
    "assess_signal": "yoin.model",
    "estimate_drivers": "yoin.drivers",
    "explain": "yoin.explanations",
    "run": "yoin.pipeline",
}

__all__ = [
    "MissingExtraError",
    "NothingLeftError",
    "Study",
    "StudyError",
    "TableError",
    "UsageError",
    "YoinError",
    "__version__",
    "assess_signal",
    "estimate_drivers",
    "explain",
    "run",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'yoin' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
