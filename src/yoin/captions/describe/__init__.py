"""The describer: the captioner that is embedded, and needs no key and no network.

It writes five or six short sentences from measured quantities only: light, color, composition, frontal
faces, the amount and place of text, and coarse things seen. It is a floor: a vision-language model sees far
more. Importing this package loads nothing: the workers import their half of it, the stage the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yoin.captions.describe.describer import Describer

__all__ = ["Describer"]


def __getattr__(name: str) -> object:
    if name == "Describer":
        from yoin.captions.describe.describer import Describer

        return Describer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
