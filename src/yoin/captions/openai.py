"""Captions from any server with OpenAI's chat completions: OpenAI, vLLM, Ollama, LM Studio, llama.cpp, SGLang."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from yoin.captions.chat import Chat
from yoin.captions.chat_answers import Answer, Models, dislikes
from yoin.captions.openai_batch import OpenAIBatches
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

_DETAIL = {"low": "low", "medium": "auto", "high": "high"}
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


class OpenAICompatible(Chat):
    """Captions through the chat completions of ``openai:MODEL[@BASE_URL]``, by default OpenAI's own.

    Images go as data URLs, a video as its frames in the order of time. The key is in ``OPENAI_API_KEY``; a server other
    than OpenAI's may do without one. The address is the one up to ``/v1``. Without a model, it is the only one that the
    server has.
    """

    name = "openai"
    client = "AsyncOpenAI"
    service = "OpenAI"
    address = "https://api.openai.com/v1"
    variable = "OPENAI_API_KEY"
    providers = {  # noqa: RUF012 - never changed
        "api.openai.com": "openai",
        "api.fireworks.ai": "fireworks",
        "api.groq.com": "groq",
        "api.mistral.ai": "mistral",
        "api.together.xyz": "together",
        "api.x.ai": "x-ai",
        "generativelanguage.googleapis.com": "google",
        "openrouter.ai": "openrouter",
    }

    def __init__(self, spec: Spec, options: CaptionOptions) -> None:
        super().__init__(spec, options)
        # OpenAI knows only the newer name for all its models; others may ignore that one without a word.
        self._limit_name = "max_completion_tokens" if self._official else "max_tokens"
        self._format = self._response_format()

    def batches(self) -> OpenAIBatches:
        """The batch interface, which not every server has."""

        async def body(medium: Medium) -> dict[str, Any] | Caption:
            content = await self._read_content(medium)
            return content if isinstance(content, Caption) else self._filled(content, self._options.max_output_tokens)

        def read(answer: Answer) -> Caption:
            made, _ = self._read(answer)
            return replace(made, tokens_in=answer.tokens_in, tokens_out=answer.tokens_out)

        return OpenAIBatches(self._client, body, read, self._safe, self._reached)

    def _image(self, mime: str, data: str) -> dict[str, object]:
        image = {"url": f"data:{mime};base64,{data}"}
        if self._options.media_resolution is not None:
            image["detail"] = _DETAIL[self._options.media_resolution]
        return {"type": "image_url", "image_url": image}

    def _body(self, content: list[dict[str, object]], room: int | None) -> dict[str, Any]:
        system = [{"role": "system", "content": self._system}] if self._system else []
        return {
            "model": self.model_version,
            "messages": [*system, {"role": "user", "content": content}],
            "temperature": self._options.temperature,
            "top_p": self._options.top_p,
            "seed": self._options.caption_seed,
            "reasoning_effort": self._options.thinking,
            "response_format": self._format,
            self._limit_name: room,
        }

    async def _call(self, body: dict[str, Any]) -> Answer:
        raw = await self._client.chat.completions.with_raw_response.create(**body)
        return Answer.model_validate_json(raw.content)

    def _response_format(self) -> dict[str, object] | None:
        if self._schema is None:
            return None
        shape = {"name": "attributes", "strict": True, "schema": dict(self._schema.response_schema)}
        return {"type": "json_schema", "json_schema": shape}

    def _changed(self, error: Any, body: Mapping[str, object], before: tuple[str, ...]) -> str:
        if "response_format" in body and dislikes(error, "response_format"):
            self._format = None  # the fields stand in the prompt too
            return "response_format"
        sent = next((name for name in _OTHER_NAME if name in body), None)
        if sent is None or "limit" in before or not dislikes(error, sent):
            return ""
        if self._limit_name == sent:  # or another call has found the other name meanwhile
            self._limit_name = _OTHER_NAME[sent]
        return "limit"

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
