"""What a captioner is, and by what its calls are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Protocol

from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium


class Captioner(Protocol):
    """Whatever turns a medium into text; made as ``cls(spec, options)``.

    Attributes:
        name: its registered name.
        model_version: the model asked for; a caption may name the exact one that answered.
        prompt_id: hash of the prompt's text, "" without a prompt.
        concurrency: how many calls it takes at a time.
        settings: its other options that change what is written, such as a length limit.
    """

    name: str
    model_version: str
    prompt_id: str
    concurrency: int
    settings: Mapping[str, str | int | float | bool]

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        """Make it ready; raise `yoin.errors.UsageError` where it cannot work at all."""

    async def caption(self, medium: Medium) -> Caption:
        """The caption of ``medium``.

        What goes wrong with this one medium is a `Caption` with a status and a reason, or an exception that the
        stage turns into one; a `yoin.errors.YoinError` ends the stage, as it concerns every medium.
        """
        ...

    async def aclose(self) -> None:
        """Let go of processes and connections, at once; nothing is called afterwards."""
        ...


def call_key(
    media_id: str,
    *,
    captioner: str,
    base_url: str,
    model: str,
    prompt_id: str,
    settings: Mapping[str, str | int | float | bool],
    repeat: int = 0,
) -> str:
    """What a caption call is known by in the ledger: SHA-256 in hex of all that decides the text.

    Yoin's own version is no part of it, so that an upgrade never pays again.
    """
    parts = [media_id, captioner, base_url, model, prompt_id, dict(settings), repeat]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
