"""What a captioner is, and by what its calls are known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium


class Passing(Exception):  # noqa: N818 - not an error of the run
    """A call failed in a way that may pass: a fault of the server or of the way to it, or a timeout.

    Attributes:
        reason: one line, as it is recorded where no further attempt helps.
        wait: seconds that the service asked for; 0 where it did not say.
    """

    def __init__(self, reason: str, *, wait: float = 0.0) -> None:
        self.reason = reason
        self.wait = wait
        super().__init__(reason)


class Throttled(Passing):
    """The service wants fewer calls.

    Attributes:
        daily: whether what is used up is a day's quota, so that waiting minutes does not help.
    """

    def __init__(self, reason: str, *, wait: float = 0.0, daily: bool = False) -> None:
        self.daily = daily
        super().__init__(reason, wait=wait)


class Captioner(Protocol):
    """Whatever turns a medium into text; made as ``cls(spec, options)``.

    Attributes:
        name: its registered name.
        model_version: the model asked for; a caption may name the exact one that answered.
        prompt_id: hash of the prompt's text, "" without a prompt.
        concurrency: how many calls it takes at a time.
        settings: its other options that change what is written, such as a length limit.
        provider: whose price list counts, as genai-prices names it ("google", "openai"); "" where calls are free.
        endpoint: what calls share a quota, such as the host and the model.

    One that has ``takes_attributes = True`` fills in ``options.attributes``, where they are given: with
    `yoin.captions.attributes.asked` it adds their instruction to what it asks, and has their id under "attributes" in
    its settings. Its caption is then the model's answer, JSON, which the stage reads.
    """

    name: str
    model_version: str
    prompt_id: str
    concurrency: int
    settings: Mapping[str, str | int | float | bool]
    provider: str
    endpoint: str

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        """Make it ready; raise `yoin.errors.UsageError` where it cannot work at all."""

    async def caption(self, medium: Medium) -> Caption:
        """The caption of ``medium``.

        One attempt: the stage tries again, and paces the calls; where it takes a further call all the same,
        `may_call_again` comes first. What is wrong with this one medium or its caption is a `Caption` with a status
        and a reason.

        Raises:
            Throttled: the service wants fewer calls.
            Passing: the call failed in a way that may pass.
            yoin.errors.YoinError: it concerns every medium (a wrong key, no credit): the stage ends.
        """
        ...

    async def aclose(self) -> None:
        """Let go of processes and connections, at once; nothing is called afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class Further:
    """A further call that is asked for: what the calls before it came to, and how much longer its answer may be.

    Attributes:
        made: what came of the calls for this caption so far, with all their tokens; ``None`` of one turned away.
        room: tokens that the answer may have, where there is a limit of its own.
        anew: whether what came before is thereby done, and ``made`` of later ones counts from here.
    """

    made: Caption | None = None
    room: int | None = None
    anew: bool = False


FURTHER: ContextVar[Callable[[Further], Awaitable[bool]] | None] = ContextVar("further", default=None)


async def may_call_again(made: Caption | None = None, *, room: int | None = None, anew: bool = False) -> bool:
    """Whether `Captioner.caption` may make a further call for its medium; see `Further`. Outside of the stage, always.

    In the stage a call counts as any other: it waits for its turn, and quota and money must allow it. Where they do
    not, the stage stops, and asks for this caption anew in the next run.
    """
    ask = FURTHER.get()
    return ask is None or await ask(Further(made, room, anew))


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
