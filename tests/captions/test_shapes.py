"""Answers with every field that real services send, replayed over HTTP through the real SDKs.

The files were written by hand after the services' documentation: nothing in them was recorded with anyone's key.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.captions import gemini_server
from tests.captions.gemini_server import GeminiServer
from tests.captions.openai_server import OpenAIServer, raw
from tests.captions.test_openai import picture
from yoin import registry
from yoin.captions import base
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

SHAPES = Path(__file__).parent / "shapes"
Shape = dict[str, Any]


def shapes(service: str) -> list[Any]:
    told: list[Shape] = json.loads((SHAPES / f"{service}.json").read_text("utf-8"))
    return [pytest.param(shape, id=shape["name"]) for shape in told]


@pytest.fixture
def medium(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Medium:
    for name in ("GOOGLE_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "planted-key-of-nobody")
    return picture(tmp_path / "a.png")


def check(spec: Spec, medium: Medium, becomes: Shape) -> None:
    """The answer becomes what the shape says it must."""

    async def work() -> Caption:
        captioner = registry.load("captioners", spec.name)(spec, CaptionOptions(call_timeout=20.0))
        try:
            made: Caption = await captioner.caption(medium)
        finally:
            await captioner.aclose()
        return made

    if "raises" not in becomes:
        made = asyncio.run(work())
        assert {name: getattr(made, name) for name in becomes} == becomes
        return
    with pytest.raises((base.Passing, UsageError)) as caught:
        asyncio.run(work())
    assert type(caught.value).__name__ == becomes["raises"]
    assert becomes.get("says", "") in str(caught.value)
    for name in ("wait", "daily"):
        if name in becomes:
            assert getattr(caught.value, name) == pytest.approx(becomes[name])


@pytest.mark.parametrize("shape", shapes("gemini"))
def test_answers_of_gemini(shape: Shape, medium: Medium) -> None:
    with GeminiServer() as server:
        body = json.dumps(shape["body"]).encode()
        server.on(gemini_server.text(body, status=shape["status"], headers=shape.get("headers", {})))
        check(Spec(name="gemini", base_url=server.url), medium, shape["becomes"])


@pytest.mark.parametrize("shape", shapes("openai"))
def test_answers_of_openai_and_its_kin(shape: Shape, medium: Medium) -> None:
    with OpenAIServer() as server:
        body = json.dumps(shape["body"]).encode()
        server.on(raw(body, status=shape["status"], headers=shape.get("headers")))
        check(Spec(name="openai", model="m", base_url=server.url), medium, shape["becomes"])
