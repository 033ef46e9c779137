"""Captions from any server with OpenAI's chat completions: OpenAI, vLLM, Ollama, LM Studio, llama.cpp, SGLang."""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from yoin.captions import prompts
from yoin.captions.base import Passing
from yoin.captions.keys import key_of, require_safe
from yoin.captions.openai_answers import Answer, Asked, Models, dislikes, judged, words
from yoin.captions.pictures import pictures
from yoin.captions.refusals import is_refusal
from yoin.errors import MissingExtraError, UsageError
from yoin.images import ImageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_ADDRESS = "https://api.openai.com/v1"
_HOST = "api.openai.com"
# Whose price list counts, by host; elsewhere calls are free, or have a price that nobody here knows.
_PROVIDERS = {
    _HOST: "openai",
    "api.fireworks.ai": "fireworks",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.together.xyz": "together",
    "api.x.ai": "x-ai",
    "generativelanguage.googleapis.com": "google",
    "openrouter.ai": "openrouter",
}
_KEY = "OPENAI_API_KEY"
_AT_ONCE, _AT_ONCE_HERE = 64, 4  # calls, by default: to a service, and to a server on this machine
_MORE = 4  # times the room of an answer that was cut off
_ROOM = 1024  # tokens of an answer that was cut off where nobody says how many it had
_DETAIL = {"low": "low", "medium": "auto", "high": "high"}
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
_LONGEST = 200  # characters quoted of what a server says
_SECRET = 8  # characters that make a key a secret: "none" and the like are no reason to blacken words

# A model's thinking that its server left in the answer: whole, without its end, or without its start.
_THINKING = re.compile(
    r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)|◁think▷.*?(?:◁/think▷|\Z)|\A.*?(?:</think>|◁/think▷)", re.S
)


class OpenAICompatible:
    """Captions through the chat completions of ``openai:MODEL[@BASE_URL]``, by default OpenAI's own.

    Images go as data URLs, a video as its frames in the order of time. The key is the environment's ``OPENAI_API_KEY``;
    a server other than OpenAI's may do without one. Nothing that is raised or returned contains it.

    Args:
        spec: the model, and the address up to ``/v1``. Without a model, the only one that the server has.
        options: what is asked of the model, and how long a call may take.

    Raises:
        UsageError: the model or the key is missing, or the address is unusable.
        MissingExtraError: the package openai is not installed.
    """

    name = "openai"

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        base_url = spec.base_url or _ADDRESS
        require_safe(base_url)
        parts = urlsplit(base_url)
        self._place = parts.netloc
        self._here = parts.scheme == "http"  # which only an address of this machine may have
        self._official = parts.hostname == _HOST
        self._key = key_of(_KEY) or ""
        if not all("!" <= character <= "~" for character in self._key):
            raise UsageError(f"{_KEY} has characters that no key has", stage="captions", remedy="set it anew")
        if self._official and not self._key:
            raise UsageError("OpenAI needs a key", stage="captions", remedy=f"set {_KEY}")
        if self._official and not spec.model:
            raise UsageError("no model is named", stage="captions", remedy="name one: openai:MODEL")
        self._options = options
        self._sdk = _sdk()
        self.model_version = spec.model or self._only_model(base_url)
        prompt = prompts.load(options.prompt, options.lang)
        self.prompt_id = prompt.id
        self._system, self._user = prompt.system, prompt.user
        self.concurrency = options.workers or (_AT_ONCE_HERE if self._here else _AT_ONCE)
        asked: dict[str, str | int | float | None] = {
            "temperature": options.temperature,
            "top_p": options.top_p,
            "max_output_tokens": options.max_output_tokens,
            "thinking": options.thinking,
            "media_resolution": options.media_resolution,
        }
        self.settings: Mapping[str, str | int | float | bool] = {
            name: value for name, value in asked.items() if value is not None
        }
        self.provider = _PROVIDERS.get(parts.hostname or "", "")
        self.endpoint = f"{self._place}/{self.model_version}"
        # OpenAI knows only the newer name for all its models; others may ignore that one without a word.
        self._limit_name = "max_completion_tokens" if self._official else "max_tokens"
        self._cut: dict[str, _Spent] = {}  # media whose second call is still to be made
        self._client = self._async_client(base_url)

    async def caption(self, medium: Medium) -> Caption:
        """The caption of ``medium``, from one call, or from two where the first answer was cut off.

        Raises:
            Throttled: the server wants fewer calls; ``daily`` where a day's quota is used up.
            Passing: a fault of the server or of the way to it, or a timeout.
            UsageError: the key, the account, the model, an option or the address is not accepted.
        """
        started = time.perf_counter()
        if not medium.views:
            return _failed("the video has no frames")
        try:
            content = await asyncio.to_thread(self._content, medium)
        except ImageError as error:
            return _failed(str(error))
        except OSError as error:
            return _failed(f"the file cannot be read ({error.strerror or type(error).__name__})")
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
            spent.cut_off = made
            spent.room = _MORE * (spent.room or spent.tokens_out or _ROOM)

    async def aclose(self) -> None:
        """Close the connections; a second call does nothing."""
        await self._client.close()

    def _content(self, medium: Medium) -> list[dict[str, object]]:
        """The user's message: its images, and the prompt."""
        parts: list[dict[str, object]] = []
        for mime, data in pictures(medium):
            image = {"url": f"data:{mime};base64,{base64.b64encode(data).decode()}"}
            if self._options.media_resolution is not None:
                image["detail"] = _DETAIL[self._options.media_resolution]
            parts.append({"type": "image_url", "image_url": image})
        if medium.is_video:
            text = f"These are {len(parts)} frames of a video of {medium.seconds:.1f} seconds, in the order of time."
            parts.insert(0, {"type": "text", "text": text})
        return [*parts, {"type": "text", "text": self._user}]

    async def _send(
        self, content: list[dict[str, object]], room: int | None, *, renamed: bool = False
    ) -> Answer | Caption:
        """What the server answers; a caption where it refuses this medium."""
        limit = self._limit_name
        messages: list[dict[str, object]] = [{"role": "user", "content": content}]
        if self._system:
            messages.insert(0, {"role": "system", "content": self._system})
        body: dict[str, Any] = {"model": self.model_version, "messages": messages}
        asked = {
            "temperature": self._options.temperature,
            "top_p": self._options.top_p,
            "reasoning_effort": self._options.thinking,
            limit: room,
        }
        body |= {name: value for name, value in asked.items() if value is not None}
        problem: Exception | Caption | None = None
        try:
            async with asyncio.timeout(self._options.call_timeout):
                raw = await self._client.chat.completions.with_raw_response.create(**body)
            answer = Answer.model_validate_json(raw.content)
        except self._sdk.APIStatusError as error:
            if renamed or room is None or not dislikes(error, limit):
                problem = judged(error, self._asked(body))
        except (TimeoutError, self._sdk.APITimeoutError):
            problem = Passing(f"no answer from {self._place} within {self._options.call_timeout:g} s")
        except self._sdk.APIConnectionError as error:
            cause = self._safe(str(error.__cause__ or "") or type(error.__cause__).__name__)
            problem = Passing(f"no connection to {self._place}: {cause}")
        except ValidationError:
            problem = Passing(f"what {self._place} answered is no chat completion")
        except self._sdk.APIError as error:
            problem = Passing(f"{self._place} failed: {self._safe(error.message)}")
        else:
            if not answer.error:
                return answer
            problem = Passing(f"{self._place} failed: {self._safe(words(answer.error))}")
        # Outside of the handlers: what the SDK raised, which may quote the key, must not stay attached.
        if problem is None:
            if self._limit_name == limit:  # or another call has found the other name meanwhile
                self._limit_name = _OTHER_NAME[limit]
            return await self._send(content, room, renamed=True)
        if isinstance(problem, Exception):
            raise problem
        return problem

    def _asked(self, body: Mapping[str, object]) -> Asked:
        return Asked(self._place, self.model_version, frozenset(body), bool(self._key), self._safe)

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

    def _async_client(self, base_url: str) -> AsyncOpenAI:
        http = self._sdk.DefaultAsyncHttpxClient(**self._http())
        client: AsyncOpenAI = self._sdk.AsyncOpenAI(base_url=base_url, http_client=http, **self._access())
        return client

    def _access(self) -> dict[str, Any]:
        # Without a key the SDK would look for another one; servers that need none ignore what they get.
        return {"api_key": self._key or "none", "max_retries": 0, "timeout": self._options.call_timeout}

    def _http(self) -> dict[str, Any]:
        # An image goes where the user said: not to where a server redirects, and not to this machine over a proxy.
        return {"follow_redirects": False, "trust_env": not self._here}

    def _only_model(self, base_url: str) -> str:
        """The one model that the server has."""
        remedy = f"name it: openai:MODEL@{base_url}"
        listed: Models | None
        with self._sdk.OpenAI(
            base_url=base_url, http_client=self._sdk.DefaultHttpxClient(**self._http()), **self._access()
        ) as client:
            try:
                listed = Models.model_validate_json(client.models.with_raw_response.list().content)
            except (self._sdk.APIError, ValidationError):
                listed = None  # and nothing that may quote the key stays attached
        if listed is None:
            raise UsageError(f"no model is named, and {self._place} does not list any", stage="captions", remedy=remedy)
        names = [self._safe(model.id) for model in listed.data or ()]
        if len(names) != 1:
            has = f"has several: {', '.join(names[:10])}" if names else "has none"
            raise UsageError(f"no model is named, and {self._place} {has}", stage="captions", remedy=remedy)
        return names[0]


@dataclass(slots=True)
class _Spent:
    """What went into one caption so far; ``room`` is the limit in tokens, ``cut_off`` what the first call gave."""

    room: int | None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cut_off: Caption | None = None


def _sdk() -> ModuleType:
    try:
        import openai
    except ModuleNotFoundError as error:
        raise MissingExtraError("the package openai", stage="captions", extra="openai") from error
    return openai


def _failed(reason: str, version: str = "") -> Caption:
    return Caption(text="", status="failed", reason=reason, model_version=version)
