"""Drivers: which described elements go with the metric, by how much, and how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.drivers.audit import Missingness, missingness
    from yoin.drivers.estimate import estimate_drivers

__all__ = ["Missingness", "estimate_drivers", "missingness"]

_HOMES = {"Missingness": "audit", "estimate_drivers": "estimate", "missingness": "audit"}


def __getattr__(name: str) -> object:
    """Import what is asked for only then, so that importing the stage is cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
