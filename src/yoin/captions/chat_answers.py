"""What the answers of a chat server say: their shapes, which are those of OpenAI, and what their errors mean."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeAlias

from pydantic import BaseModel

from yoin.captions.base import Passing, Throttled
from yoin.errors import UsageError
from yoin.values import Caption

if TYPE_CHECKING:
    from anthropic import APIStatusError as AnthropicStatusError
    from openai import APIStatusError as OpenAIStatusError

    APIStatusError: TypeAlias = OpenAIStatusError | AnthropicStatusError

_DAY = 86_400.0  # seconds

# Servers put what they mean into prose more often than into codes.
_NO_CREDIT = re.compile(
    r"insufficient_quota|billing|insufficient (credit|balance|fund)|credit balance is too low", re.I
)
_DAILY = re.compile(r"\bper[ -]day\b|\bdaily\b|\b[RT]PD\b", re.I)
_BLOCKED = re.compile(r"content[_ ](filter|policy)|content management policy|safety system|\bflagged\b", re.I)
_NO_MODEL = re.compile(
    r"model_not_found|not_found_error model|model\b.{0,100}\b(not found|does not exist)|no such model", re.I
)
_NO_EYES = re.compile(
    r"not a multimodal model|(image|vision|multimodal) inputs? (is|are) not supported"
    r"|(not|n't) support (vision|multimodal|images?\b(?! (format|type|size|file|data|encod|url)))",
    re.I,
)
_UNKNOWN = re.compile(r"unsupported|not supported|unknown|unrecogni|not permitted|unexpected|extra", re.I)
_TRY_AGAIN = re.compile(r"try again in (?:(\d+)h)?(?:(\d+)m(?!s))?(?:([\d.]+)(ms|s))?", re.I)


class Part(BaseModel):
    """A piece of a message."""

    type: str | None = None
    text: str | None = None


class Message(BaseModel):
    """What the model says."""

    content: str | list[Part] | None = None
    refusal: str | None = None

    @property
    def text(self) -> str:
        """Its words, "" where there are none."""
        if isinstance(self.content, list):
            return "".join(part.text or "" for part in self.content if part.type == "text")
        return self.content or ""


class Choice(BaseModel):
    """One of the answers that were asked for, and why it ends."""

    finish_reason: str | None = None
    message: Message = Message()
    content_filter_results: dict[str, object] | None = None

    @property
    def filtered(self) -> list[str]:
        """The kinds of content that a filter names, sorted."""
        results = (self.content_filter_results or {}).items()
        return sorted(kind for kind, said in results if isinstance(said, Mapping) and said.get("filtered"))


class Usage(BaseModel):
    """Tokens of the prompt and of the answer, thinking included."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Answer(BaseModel):
    """What is read of a chat completion: many servers leave out some of what OpenAI's own types promise."""

    model: str | None = None
    choices: list[Choice] | None = None
    usage: Usage | None = None
    error: object = None

    @property
    def choice(self) -> Choice:
        """The first choice; an empty one without any."""
        return self.choices[0] if self.choices else Choice()

    @property
    def tokens_in(self) -> int:
        """Tokens of the prompt and its images, 0 where it is not said."""
        return max(0, (self.usage.prompt_tokens if self.usage else None) or 0)

    @property
    def tokens_out(self) -> int:
        """Tokens of the answer, 0 where it is not said."""
        return max(0, (self.usage.completion_tokens if self.usage else None) or 0)


class Model(BaseModel):
    """A model that the server has."""

    id: str


class Models(BaseModel):
    """All of them."""

    data: list[Model] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call was: the server's ``place`` (host and port), the model, the names sent, and whether with a key.

    ``variable`` is where the key is set; ``safe`` makes one line that can be shown of what the server says.
    """

    place: str
    model: str
    names: frozenset[str]
    with_key: bool
    variable: str
    safe: Callable[[str], str]

    def usage(self, problem: str, remedy: str, quoted: str = "") -> UsageError:
        """The error for what concerns every call."""
        return UsageError(f"{self.place} {problem}{quoted}", stage="captions", remedy=remedy)


def judged(error: APIStatusError, asked: Asked) -> Exception | Caption:
    """What an answer with an error status means: to raise for the run or the call, or this medium's caption."""
    status, said = error.status_code, asked.safe(words(error.body))
    all_said = f"{getattr(error, 'code', '')} {error.type} {said}"
    quoted = f": {said}" if said else ""
    if status == 402 or (status in (400, 403, 429) and _NO_CREDIT.search(all_said)):
        return asked.usage("says that the account has no credit left", "add credit, or check its billing")
    if status == 429:
        daily = _DAILY.search(all_said) is not None
        return Throttled(f"{asked.place} wants fewer calls{quoted}", wait=_wait(error, said), daily=daily)
    if status in (400, 403, 422) and _BLOCKED.search(all_said):
        return Caption(text="", status="blocked", reason=said or "content_filter", model_version=asked.model)
    if status == 401:  # not quoted: what it says is about the key
        if asked.with_key:
            return asked.usage("does not accept the key", f"set {asked.variable} to a valid one")
        return asked.usage("asks for a key", f"set {asked.variable}")
    if status == 403:
        return asked.usage("does not allow this", "check what the key may do", quoted)
    if status in (400, 404) and _NO_MODEL.search(all_said):
        return asked.usage(f"has no model {asked.model}", "name one that it has")
    if status in (404, 405):
        return asked.usage("does not answer at this address", "check it (most end in /v1), and the model", quoted)
    if status >= 400 and _NO_EYES.search(said):
        return asked.usage(f"says that {asked.model} sees no images", "name a model that does", quoted)
    name = getattr(error, "param", None) or _first_word(said)
    if status in (400, 422) and name in asked.names - {"messages", "model", "system"}:
        return asked.usage(f"does not take {name} as it is set", "change that option or leave it out", quoted)
    if status < 400:
        return asked.usage("sends to another address", "name that one")
    if status in (408, 409, 425) or status >= 500:
        return Passing(f"{asked.place} answered {status}{quoted}", wait=_wait(error, said))
    return Caption(
        text="", status="failed", reason=f"{asked.place} answered {status}{quoted}", model_version=asked.model
    )


def _first_word(said: str) -> str:
    """The option that a complaint begins with, as Anthropic's do ("temperature: …", "`top_p` and …"); else ""."""
    found = re.match(r"`?(\w+)(?:\.\w+)*(?:: |`)", said)
    return found[1] if found else ""


def dislikes(error: APIStatusError, name: str) -> bool:
    """Whether the server does not know what was sent under ``name``."""
    if error.status_code not in (400, 422):
        return False
    # a server that validates in general names the place in a list beside the words
    return bool(
        re.search(rf"\b{name}\b", str(error.body)) and _UNKNOWN.search(f"{getattr(error, 'code', '')} {error.body}")
    )


def words(body: object) -> str:
    """The message in an error's body, whatever its shape; "" for a web page."""
    if isinstance(body, Mapping):
        return next((words(body[name]) for name in ("message", "error", "detail", "msg") if body.get(name)), "")
    if isinstance(body, list):
        return "; ".join(filter(None, map(words, body)))
    return body if isinstance(body, str) and not body.lstrip().startswith("<") else ""


def _wait(error: APIStatusError, said: str) -> float:
    """Seconds that the server asks to wait, from 0 (it does not say) to a day."""
    headers = error.response.headers
    found = 0.0
    try:
        if "retry-after-ms" in headers:
            found = float(headers["retry-after-ms"]) / 1000
        elif re.fullmatch(r"\s*[\d.]+\s*", headers.get("retry-after", "")):
            found = float(headers["retry-after"])
        elif "retry-after" in headers:
            found = (parsedate_to_datetime(headers["retry-after"]) - datetime.now(UTC)).total_seconds()
        elif words := _TRY_AGAIN.search(said):
            hours, minutes, rest, unit = words.groups()
            found = 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(rest or 0) / (1000 if unit == "ms" else 1)
    except (ValueError, TypeError):  # neither a number nor a date with a zone
        found = 0.0
    return min(max(found, 0.0), _DAY) if math.isfinite(found) else 0.0
