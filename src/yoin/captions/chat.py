"""What captioners behind a chat protocol share: what is sent, more room for what was cut off, errors, and the key.

Their packages were made by one generator and are alike; what differs is in `openai` and `anthropic`.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import re
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any, ClassVar, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from yoin.captions import attributes, prompts
from yoin.captions.base import Passing, may_call_again
from yoin.captions.chat_answers import Answer, Asked, judged, words
from yoin.captions.keys import key_of, require_safe
from yoin.captions.pictures import pictures
from yoin.captions.refusals import is_refusal
from yoin.errors import MissingExtraError, UsageError
from yoin.images import ImageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

T = TypeVar("T")

_AT_ONCE, _AT_ONCE_HERE = 64, 4  # calls, by default: to a service, and to a server on this machine
_MORE = 4  # times the room of an answer that was cut off
_ROOM = 1024  # tokens of an answer that was cut off where nobody says how many it had
_LONGEST = 200  # characters quoted of what a server says
_SECRET = 8  # characters that make a key a secret: "none" and the like are no reason to blacken words

# A model's thinking that its server left in the answer: whole, without its end, or without its start.
_THINKING = re.compile(
    r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)|◁think▷.*?(?:◁/think▷|\Z)|\A.*?(?:</think>|◁/think▷)", re.S
)


class Chat(ABC):
    """A captioner behind a chat protocol; see `yoin.captions.base.Captioner`.

    The key is in the environment's ``variable``; only the service itself always needs one. Nothing that is raised or
    returned contains it.

    Args:
        spec: the model, and another address than the service's own.
        options: what is asked of the model, and how long a call may take.

    Raises:
        UsageError: the model or the key is missing, or the address is unusable.
        MissingExtraError: the package is not installed.
    """

    name: ClassVar[str]  # also the package's, and the extra's that brings it
    client: ClassVar[str]  # the package's class
    service: ClassVar[str]  # whose protocol it is
    address: ClassVar[str]  # of the service
    variable: ClassVar[str]
    takes_attributes: ClassVar[bool] = True
    takes_seed: ClassVar[bool] = True
    providers: ClassVar[Mapping[str, str]]  # whose price list counts, by host; elsewhere no price is known

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        base_url = self._introduce(spec, options)
        if not all("!" <= character <= "~" for character in self._key):
            raise UsageError(f"{self.variable} has characters that no key has", stage="captions", remedy="set it anew")
        if self._official and not self._key:
            raise UsageError(f"{self.service} needs a key", stage="captions", remedy=f"set {self.variable}")
        self._cut: dict[str, _Spent] = {}  # media whose second call is still to be made
        http = self._sdk.DefaultAsyncHttpxClient(**self._http())
        self._client: Any = getattr(self._sdk, self.client)(base_url=base_url, http_client=http, **self._access())

    @classmethod
    def unconnected(cls, spec: Spec, options: CaptionOptions) -> Self:
        """One that says what it is, and cannot be asked: it needs no key."""
        made = cls.__new__(cls)
        made._introduce(spec, options)
        return made

    def _introduce(self, spec: Spec, options: CaptionOptions) -> str:
        """Say what it is; returns the address."""
        base_url = spec.base_url or self.address
        require_safe(base_url)
        parts = urlsplit(base_url)
        self._place = parts.netloc
        self._here = parts.scheme == "http"  # which only an address of this machine may have
        self._official = parts.hostname == urlsplit(self.address).hostname
        if self._official and not spec.model:
            raise UsageError("no model is named", stage="captions", remedy=f"name one: {self.name}:MODEL")
        if options.caption_seed is not None and not self.takes_seed:
            raise UsageError(f"{self.service} takes no seed", stage="captions", remedy="leave out --caption-seed")
        self._key = key_of(self.variable) or ""
        self._options = options
        self._sdk = self._package()
        self.model_version = spec.model or self._only_model(base_url)
        prompt = prompts.load(options.prompt, options.lang)
        self.prompt_id = prompt.id
        self._schema = attributes.asked(options)
        self._system, self._user = prompt.system, attributes.with_form(prompt.user, self._schema)
        self.concurrency = options.workers or (_AT_ONCE_HERE if self._here else _AT_ONCE)
        asked: dict[str, str | int | float | None] = {
            "temperature": options.temperature,
            "top_p": options.top_p,
            "caption_seed": options.caption_seed,
            "max_output_tokens": options.max_output_tokens,
            "thinking": options.thinking,
            "media_resolution": options.media_resolution,
            "attributes": self._schema.id if self._schema else None,
        }
        self.settings: Mapping[str, str | int | float | bool] = {
            name: value for name, value in asked.items() if value is not None
        }
        self.provider = self.providers.get(parts.hostname or "", "")
        self.endpoint = f"{self._place}/{self.model_version}"
        return base_url

    @abstractmethod
    def _only_model(self, base_url: str) -> str:
        """The model where none is named."""

    @abstractmethod
    def _image(self, mime: str, data: str) -> dict[str, object]:
        """The part of a message that is an image, in base64."""

    @abstractmethod
    def _body(self, content: list[dict[str, object]], room: int | None) -> dict[str, Any]:
        """What is sent; what is None is left out."""

    @abstractmethod
    async def _call(self, body: dict[str, Any]) -> Answer:
        """Send it; raise what the package raises, or pydantic's ValidationError."""

    def _package(self) -> ModuleType:
        try:
            return importlib.import_module(self.name)
        except ModuleNotFoundError as error:
            raise MissingExtraError(f"the package {self.name}", stage="captions", extra=self.name) from error

    def _changed(self, error: Any, body: Mapping[str, object], before: tuple[str, ...]) -> str:
        """Which option has another name now or is left out, so that the same call is worth another try; "" for none.

        ``before`` are those that this call has changed already.
        """
        return ""

    async def caption(self, medium: Medium) -> Caption:
        """The caption of ``medium``, from one call, or from two where the first answer was cut off.

        Raises:
            Throttled: the server wants fewer calls; ``daily`` where a day's quota is used up.
            Passing: a fault of the server or of the way to it, or a timeout.
            UsageError: the key, the account, the model, an option or the address is not accepted.
        """
        started = time.perf_counter()
        content = await self._read_content(medium)
        if isinstance(content, Caption):
            return content
        spent = self._cut.pop(medium.media_id, None) or _Spent(room=self._options.max_output_tokens)
        while True:
            try:
                answer = await self._send(content, spent.room)
            except Passing:
                if spent.calls:  # what was paid for is counted with the next attempt
                    self._cut[medium.media_id] = spent
                raise
            except UsageError:
                if spent.cut_off is None:
                    raise
                answer = spent.cut_off  # more room than the model has: then this is what there is
            spent.calls += 1
            if isinstance(answer, Caption):
                made, cut = answer, False
            else:
                spent.tokens_in += answer.tokens_in
                spent.tokens_out += answer.tokens_out
                made, cut = self._read(answer)
            if spent.cut_off is not None and made.status == "failed":
                made = spent.cut_off  # half a caption tells more than none
            if not cut or spent.cut_off is not None:
                return replace(
                    made,
                    tokens_in=spent.tokens_in,
                    tokens_out=spent.tokens_out,
                    attempts=spent.calls,
                    seconds=time.perf_counter() - started,
                )
            room = _MORE * (spent.room or spent.tokens_out or _ROOM)
            made = replace(made, tokens_in=spent.tokens_in, tokens_out=spent.tokens_out)
            if not await may_call_again(made, room=room):
                return replace(made, seconds=time.perf_counter() - started)
            spent.cut_off, spent.room = made, room

    async def write(self, text: str) -> Caption:
        """What the model answers to ``text`` alone, in one call; it is no captioner any more then.

        Raises:
            Passing, UsageError: as `caption`.
        """
        self._system, self._schema = "", None
        answer = await self._send([{"type": "text", "text": text}], self._options.max_output_tokens)
        if isinstance(answer, Caption):
            return answer
        return replace(self._read(answer)[0], tokens_in=answer.tokens_in, tokens_out=answer.tokens_out)

    async def aclose(self) -> None:
        """Close the connections; a second call does nothing."""
        await self._client.close()

    async def _read_content(self, medium: Medium) -> list[dict[str, object]] | Caption:
        """The user's message; a failed caption where its files cannot be read."""
        if not medium.views:
            return _failed("the video has no frames")
        try:
            return await asyncio.to_thread(self._content, medium)
        except ImageError as error:
            return _failed(str(error))
        except OSError as error:
            return _failed(f"the file cannot be read ({error.strerror or type(error).__name__})")

    def _content(self, medium: Medium) -> list[dict[str, object]]:
        """The user's message: its images, and the prompt."""
        seen = pictures(medium, plainly=not self._official)
        parts = [self._image(mime, base64.b64encode(data).decode()) for mime, data in seen]
        if medium.is_video:
            text = f"These are {len(parts)} frames of a video of {medium.seconds:.1f} seconds, in the order of time."
            parts.insert(0, {"type": "text", "text": text})
        return [*parts, {"type": "text", "text": self._user}]

    async def _send(
        self, content: list[dict[str, object]], room: int | None, *, changed: tuple[str, ...] = ()
    ) -> Answer | Caption:
        """What the server answers; a caption where it refuses this medium."""
        body = self._filled(content, room)
        problem: Exception | Caption | None = None
        now = ""
        try:
            async with asyncio.timeout(self._options.call_timeout):
                answer = await self._call(body)
        except self._faults as error:
            if isinstance(error, self._sdk.APIStatusError):
                now = self._changed(error, body, changed)
            if not now:
                problem = self._problem(error, self._options.call_timeout, frozenset(body))
        else:
            if not answer.error:
                return answer
            problem = Passing(f"{self._place} failed: {self._safe(words(answer.error))}")
        # Outside of the handlers: what the SDK raised, which may quote the key, must not stay attached.
        if problem is None:
            if not await may_call_again():
                return _failed("it was not asked again, as the run stops")
            return await self._send(content, room, changed=(*changed, now))
        if isinstance(problem, Exception):
            raise problem
        return problem

    def _filled(self, content: list[dict[str, object]], room: int | None) -> dict[str, Any]:
        return {name: value for name, value in self._body(content, room).items() if value is not None}

    async def _reached(self, work: Awaitable[T], *, seconds: float) -> T:
        """What ``work`` of the batch interface comes to.

        Raises:
            Passing: a fault of the server or of the way to it, or a timeout.
            UsageError: the server does not accept it.
        """
        try:
            async with asyncio.timeout(seconds):
                return await work
        except self._faults as error:
            problem = self._problem(error, seconds, frozenset())
            absent = getattr(error, "status_code", 0) in (404, 405, 501)
        if absent:
            raise UsageError(f"{self._place} has no batch interface", stage="captions", remedy="leave out --batch")
        if isinstance(problem, Caption):
            raise UsageError(
                f"{self._place} does not take this ({problem.reason})", stage="captions", remedy="leave out --batch"
            )
        raise problem

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        return (self._sdk.APIError, TimeoutError, ValidationError)

    def _problem(self, error: Any, seconds: float, names: frozenset[str]) -> Exception | Caption:
        """What a fault means, in words that hold no key; ``names`` are those of what was sent."""
        if isinstance(error, self._sdk.APIStatusError):
            return judged(
                error, Asked(self._place, self.model_version, names, bool(self._key), self.variable, self._safe)
            )
        if isinstance(error, (TimeoutError, self._sdk.APITimeoutError)):
            return Passing(f"no answer from {self._place} within {seconds:g} s")
        if isinstance(error, self._sdk.APIConnectionError):
            cause = self._safe(str(error.__cause__ or "") or type(error.__cause__).__name__)
            return Passing(f"no connection to {self._place}: {cause}")
        if isinstance(error, ValidationError):
            return Passing(f"what {self._place} answered is no chat completion")
        return Passing(f"{self._place} failed: {self._safe(error.message)}")

    def _read(self, answer: Answer) -> tuple[Caption, bool]:
        """The caption in an answer, and whether it was cut off."""
        version = self._safe(answer.model or "") or self.model_version
        choice = answer.choice
        finish = self._safe(choice.finish_reason or "")
        text = self._hidden(_THINKING.sub("", choice.message.text)).strip()
        if finish == "content_filter":
            reason = self._safe(": ".join(filter(None, [finish, ", ".join(choice.filtered)])))
            return Caption(text="", status="blocked", reason=reason, model_version=version), False
        if choice.message.refusal or is_refusal(text):
            return Caption(text="", status="refused", reason="says it cannot help", model_version=version), False
        if not text:
            if finish == "length":
                return _failed("cut off before the caption began", version), True
            return _failed("empty answer" + (f" ({finish})" if finish not in ("", "stop") else ""), version), False
        if finish == "length":
            return Caption(text=text, status="truncated", reason="cut off at the limit", model_version=version), True
        return Caption(text=text, status="ok", model_version=version), False

    def _safe(self, text: str) -> str:
        """``text`` in one line of bounded length, without the key."""
        text = " ".join(self._hidden(text).split()).rstrip(".")
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

    def _hidden(self, text: str) -> str:
        return text.replace(self._key, "[key]") if len(self._key) >= _SECRET else text

    def _access(self) -> dict[str, Any]:
        # Without a key the SDK would look for another one; servers that need none ignore what they get.
        return {"api_key": self._key or "none", "max_retries": 0, "timeout": self._options.call_timeout}

    def _http(self) -> dict[str, Any]:
        # An image goes where the user said: not to where a server redirects, and not to this machine over a proxy.
        # Certificates are not loaded where nothing is encrypted: that takes longer than all the rest.
        return {"follow_redirects": False, "trust_env": not self._here, "verify": not self._here}


@dataclass(slots=True)
class _Spent:
    """What went into one caption so far; ``room`` is the limit in tokens, ``cut_off`` what the first call gave."""

    room: int | None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cut_off: Caption | None = None


def _failed(reason: str, version: str = "") -> Caption:
    return Caption(text="", status="failed", reason=reason, model_version=version)
