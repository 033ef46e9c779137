"""A loopback server that speaks Anthropic's messages, its answers scripted call by call, faults included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from tests.captions.openai_server import Answer, OpenAIServer, raw

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class AnthropicServer(OpenAIServer):
    """The server, in a thread of its own; a context manager."""

    path: ClassVar[str] = "/v1/messages"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.url = f"http://{self.place}"
        self.on(says("A quiet street at dusk."))


def says(
    text: str | None,
    *,
    stop: str = "end_turn",
    model: str = "claude-tiny-0102",
    thought: str = "",
    tokens: tuple[int, int] = (300, 20),
    cached: int = 0,
) -> Answer:
    """A message; ``tokens`` are those of the input and of the output, ``cached`` those of the input from a cache."""
    content: list[dict[str, str]] = [{"type": "thinking", "thinking": thought, "signature": "x"}] if thought else []
    content += [{"type": "text", "text": text}] if text is not None else []
    message = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": tokens[0],
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": tokens[1],
            "service_tier": "standard",
        },
    }
    return raw(json.dumps(message).encode(), headers={"request-id": "req_01"})


def fails(status: int, message: str = "no", *, headers: Mapping[str, str] | None = None) -> Answer:
    """An error in Anthropic's shape."""
    error = {"type": _TYPES.get(status, "api_error"), "message": message}
    body = {"type": "error", "error": error, "request_id": "req_01"}
    return raw(json.dumps(body).encode(), status=status, headers=headers)
