"""Captions from Claude, through Anthropic's messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from yoin.captions.chat import Chat
from yoin.captions.chat_answers import Answer, Choice, Message, Part, Usage
from yoin.errors import UsageError

_ROOM = 4096  # tokens of an answer: the protocol wants a limit
_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}


class _Usage(BaseModel):
    input_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int = 0


class _Said(BaseModel):
    model: str | None = None
    content: list[Part] = []
    stop_reason: str | None = None
    usage: _Usage = _Usage()


class Anthropic(Chat):
    """Captions through ``anthropic:MODEL``; the key is in ``ANTHROPIC_API_KEY``. A video goes as its frames."""

    name = "anthropic"
    client = "AsyncAnthropic"
    service = "Anthropic"
    address = "https://api.anthropic.com"
    variable = "ANTHROPIC_API_KEY"
    takes_seed = False
    providers = {"api.anthropic.com": "anthropic"}  # noqa: RUF012 - never changed

    def _only_model(self, base_url: str) -> str:
        raise UsageError("no model is named", stage="captions", remedy="name one: anthropic:MODEL")

    def _image(self, mime: str, data: str) -> dict[str, object]:
        return {"type": "image", "source": {"type": "base64", "media_type": mime, "data": data}}

    def _body(self, content: list[dict[str, object]], room: int | None) -> dict[str, Any]:
        return {
            "model": self.model_version,
            "messages": [{"role": "user", "content": content}],
            "system": self._system or None,
            "max_tokens": room or _ROOM,
            "temperature": self._options.temperature,
            "top_p": self._options.top_p,
            "output_config": self._output() or None,
        }

    def _output(self) -> dict[str, object]:
        effort = {"effort": self._options.thinking} if self._options.thinking else {}
        if self._schema is None:
            return {**effort}
        return {**effort, "format": {"type": "json_schema", "schema": _without_ranges(self._schema.response_schema)}}

    async def _call(self, body: dict[str, Any]) -> Answer:
        # The package has no words for sampling any more; older models still take it.
        sampling = {name: body[name] for name in ("temperature", "top_p") if name in body}
        known = {name: value for name, value in body.items() if name not in sampling}
        raw = await self._client.messages.with_raw_response.create(**known, extra_body=sampling)
        said = _Said.model_validate_json(await raw.read())
        used, refused = said.usage, said.stop_reason == "refusal"
        message = Message(content=said.content, refusal="refusal" if refused else None)
        finish = _FINISHES.get(said.stop_reason or "", said.stop_reason)
        tokens = used.input_tokens + (used.cache_creation_input_tokens or 0) + (used.cache_read_input_tokens or 0)
        return Answer(
            model=said.model,
            choices=[Choice(finish_reason=finish, message=message)],
            usage=Usage(prompt_tokens=tokens, completion_tokens=used.output_tokens),
        )


def _without_ranges(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema as this protocol takes it: the range of a number stands in the words alone."""
    fields = {
        name: {key: value for key, value in field.items() if key not in ("minimum", "maximum")}
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": fields}
