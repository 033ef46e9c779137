"""What is installed, and which captioners and models are usable and why not."""

from __future__ import annotations

from yoin import registry
from yoin.captions.gemini_answers import KEYS
from yoin.captions.keys import key_of, origin_of
from yoin.errors import YoinError
from yoin.options import CaptionOptions, Spec
from yoin.study import installed_versions

_NEEDED = {"gemini": KEYS, "anthropic": ("ANTHROPIC_API_KEY",)}  # openai may lead to a server that wants none
_KNOWN = (*KEYS, "OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_SECONDS = 15.0  # that a service may take to say which models there are


def examine(*, gemini: str = "gemini") -> dict[str, dict[str, str]]:
    """Return the captioners and models by name with what keeps each from running ("" if nothing), and versions.

    ``services`` says which models a Gemini key that is set can see; only for that is the network used. ``keys`` says
    where each key comes from, the environment or the keyring, and nothing more of it.

    Args:
        gemini: the captioner's spec, for another address than the service's own.
    """
    found: dict[str, dict[str, str]] = {"versions": installed_versions(), "services": {}}
    kinds: tuple[registry.Kind, ...] = ("captioners", "models")
    for kind in kinds:
        found[kind] = {name: str(registry.missing(kind, name) or "") for name in registry.names(kind)}
    found["keys"] = {name: origin for name in _KNOWN if (origin := origin_of(name))}
    for name, variables in _NEEDED.items():
        if found["captioners"].get(name) == "" and key_of(*variables) is None:
            found["captioners"][name] = f"there is no key; set {' or '.join(variables)}"
    if found["captioners"].get("gemini") == "":
        found["services"]["gemini"] = _models(Spec.parse(gemini))
    return found


def _models(spec: Spec) -> str:
    from yoin.captions.base import Passing
    from yoin.captions.gemini import models

    try:
        return "the key can use: " + ", ".join(models(spec, CaptionOptions(call_timeout=_SECONDS)))
    except (Passing, YoinError) as error:
        return str(error)
