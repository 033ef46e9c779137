"""What is installed, and which captioners and models are usable and why not."""

from __future__ import annotations

from yoin import registry
from yoin.study import installed_versions


def examine() -> dict[str, dict[str, str]]:
    """Return the captioners and models by name with what keeps each from running ("" if nothing), and versions."""
    found: dict[str, dict[str, str]] = {"versions": installed_versions()}
    kinds: tuple[registry.Kind, ...] = ("captioners", "models")
    for kind in kinds:
        found[kind] = {name: str(registry.missing(kind, name) or "") for name in registry.names(kind)}
    return found
