"""Captioners that keep the contract pass; of each that breaks it, the violation is found and said."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.captions import anthropic_server as anthropic
from tests.captions import gemini_server as gemini
from tests.captions.openai_server import Answer, OpenAIServer, fails, resets, says
from yoin import registry
from yoin.captions.base import Passing, Throttled
from yoin.captions.conformance import ConformanceError, check, sample_image
from yoin.captions.describe import Describer
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

SECRET = "planted-0123456789"
GOOD = Caption(text="A hill under the sun.", status="ok")


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return sample_image(tmp_path)


class Sound:
    """Keeps the contract."""

    name = "sound"
    model_version = "sound-1"
    prompt_id = ""
    concurrency = 2
    provider = endpoint = ""

    def __init__(self, spec: Spec | None = None, options: CaptionOptions | None = None) -> None:
        self.settings: Mapping[str, str | int | float | bool] = {
            "size": 3,
            "warmth": 0.5,
            "style": "plain",
            "loud": False,
        }

    async def caption(self, medium: Medium) -> Caption:
        await asyncio.sleep(0.001)
        if not medium.path.exists():
            return Caption(text="", status="failed", reason="the file is gone")
        return self.good()

    def good(self) -> Caption:
        return GOOD

    async def aclose(self) -> None:
        await asyncio.sleep(0)


def violations(make: Callable[[], Any], medium: Medium, timeout: float = 10.0) -> tuple[str, ...]:
    with pytest.raises(ConformanceError) as error:
        check(make, medium, timeout=timeout)
    assert all(one in str(error.value) for one in error.value.violations)
    return error.value.violations


def test_a_sound_captioner_passes(medium: Medium) -> None:
    check(Sound, medium)


def test_it_passes_inside_a_running_event_loop(medium: Medium) -> None:
    async def notebook() -> None:
        check(Sound, medium)

    asyncio.run(notebook())


@pytest.mark.slow
def test_the_describer_passes(medium: Medium) -> None:
    if registry.missing("captioners", "describe") is not None:
        pytest.skip("the describer is not installed")
    check(lambda: Describer(Spec(name="describe"), CaptionOptions(workers=1)), medium)


@pytest.mark.parametrize(
    "answer",
    [says("A hill."), says(""), says("A", finish="length"), fails(400), fails(401), fails(429), fails(500), resets()],
)
def test_the_openai_compatible_captioner_passes(
    medium: Medium, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    from yoin.captions.openai import OpenAICompatible

    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    with OpenAIServer() as server:
        server.on(answer)
        spec = Spec(name="openai", model="tiny-vlm", base_url=server.url)
        check(lambda: OpenAICompatible(spec, CaptionOptions(temperature=0.2, thinking="low")), medium)
        assert len(server.asked) >= 3


@pytest.mark.parametrize("answer", [gemini.caption(), gemini.blocked("SAFETY"), gemini.bad_key(), gemini.too_many()])
@pytest.mark.parametrize("kind", ["image", "large video"])
def test_the_captioner_of_gemini_passes(
    medium: Medium, answer: gemini.Answer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("google.genai")
    from yoin.captions.gemini import _VIDEO_BYTES, Gemini

    monkeypatch.setenv("GOOGLE_API_KEY", SECRET)
    if kind == "large video":
        medium = replace(medium, mime="video/mp4", seconds=2.0, bytes=_VIDEO_BYTES + 1, frames=(medium.path,))
    with gemini.GeminiServer() as server:
        server.on(answer)
        check(lambda: Gemini(Spec(name="gemini", base_url=server.url), CaptionOptions(thinking="low")), medium)
        assert len(server.calls) >= 3
        assert len(server.files.uploads) == (kind == "large video")
        assert not server.files.present


@pytest.mark.parametrize("answer", [anthropic.says("A hill."), anthropic.fails(401), anthropic.fails(529), resets()])
def test_the_captioner_of_claude_passes(medium: Medium, answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anthropic")
    from yoin.captions.anthropic import Anthropic

    monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
    with anthropic.AnthropicServer() as server:
        server.on(answer)
        spec = Spec(name="anthropic", model="claude-tiny", base_url=server.url)
        check(lambda: Anthropic(spec, CaptionOptions(thinking="low")), medium)
        assert len(server.asked) >= 3


@pytest.mark.parametrize(
    ("attributes", "violation"),
    [
        ({"name": ""}, "name must be one word"),
        ({"name": "two words"}, "name must be one word"),
        ({"name": "a:b"}, "name must be one word"),
        ({"name": None}, "name must be a text, and is None"),
        ({"model_version": 3}, "model_version must be a text, and is 3"),
        ({"model_version": ""}, "model_version is empty"),
        ({"prompt_id": b""}, "prompt_id must be a text"),
        ({"provider": None}, "provider must be a text"),
        ({"endpoint": 1}, "endpoint must be a text"),
        ({"provider": "google"}, "endpoint is empty though there is a provider"),
        ({"concurrency": 0}, "concurrency must be a whole number from 1, and is 0"),
        ({"concurrency": 2.0}, "concurrency must be a whole number"),
        ({"concurrency": True}, "concurrency must be a whole number"),
        ({"caption": None}, "it has no method caption"),
    ],
)
def test_wrong_attributes_are_found(medium: Medium, attributes: dict[str, object], violation: str) -> None:
    broken = type("Broken", (Sound,), attributes)
    assert any(one.startswith(violation) for one in violations(broken, medium))


@pytest.mark.parametrize(
    ("settings", "violation"),
    [
        (None, "settings must be a mapping"),
        ({"a": [1]}, "settings['a'] must be a text, a number or a bool"),
        ({"a": float("nan")}, "settings['a'] must be finite"),
        ({1: "a"}, "settings must have texts as names, and has 1"),
        ({"a": {1, 2}}, "settings cannot be written as JSON"),
    ],
)
def test_wrong_settings_are_found(medium: Medium, settings: object, violation: str) -> None:
    class Broken(Sound):
        def __init__(self) -> None:
            self.settings = settings  # type: ignore[assignment]

    assert any(one.startswith(violation) for one in violations(Broken, medium))


@pytest.mark.parametrize(
    ("changed", "violation"),
    [
        ({"text": " "}, "the text of a caption that is ok must not be blank"),
        ({"text": None}, "text must be a text, and is None"),
        ({"status": "truncated", "text": "", "reason": "r"}, "the text of a caption that is truncated"),
        ({"status": "blocked", "reason": "r"}, "text must be empty where the status is blocked"),
        ({"status": "done"}, "status must be one of"),
        ({"status": "missing", "text": "", "reason": "r"}, "status must be one of"),
        ({"status": "refused", "text": ""}, "the reason of a caption that is refused must be one line"),
        ({"status": "failed", "text": "", "reason": "a\nb"}, "the reason of a caption that is failed must be one line"),
        ({"reason": None}, "reason must be a text"),
        ({"model_version": None}, "a caption's model_version must be a text"),
        ({"tokens_in": -1}, "tokens_in must be a whole number from 0, and is -1"),
        ({"tokens_out": 1.5}, "tokens_out must be a whole number"),
        ({"attempts": 0}, "attempts must be a whole number from 1"),
        ({"cost_usd": float("inf")}, "cost_usd must be a finite number"),
        ({"seconds": -0.1}, "seconds must be a finite number"),
    ],
)
def test_wrong_captions_are_found(medium: Medium, changed: dict[str, Any], violation: str) -> None:
    class Broken(Sound):
        def good(self) -> Caption:
            return replace(GOOD, **changed)

    assert [one for one in violations(Broken, medium) if not one.startswith(violation)] == []


@pytest.mark.parametrize(
    ("raised", "violation"),
    [
        (ValueError("odd"), "caption may raise Throttled, Passing and YoinError only, and raised ValueError: odd"),
        (TimeoutError(), "caption took longer than 10 s or raised TimeoutError"),
        (Passing(""), "the reason of what it raises must be one line"),
        (Throttled("busy", wait=float("nan")), "wait must be seconds from 0, and is nan"),
        (Passing("busy", wait=-1), "wait must be seconds from 0, and is -1"),
    ],
)
def test_wrong_errors_are_found(medium: Medium, raised: Exception, violation: str) -> None:
    class Broken(Sound):
        def good(self) -> Caption:
            raise raised

    assert [one for one in violations(Broken, medium) if not one.startswith(violation)] == []


@pytest.mark.parametrize("raised", [Throttled("busy", wait=3.0, daily=True), UsageError("no key", stage="captions")])
def test_right_errors_pass(medium: Medium, raised: Exception) -> None:
    class Busy(Sound):
        def good(self) -> Caption:
            raise raised

    check(Busy, medium)


def test_a_lost_file_that_ends_the_run_is_found(medium: Medium) -> None:
    class Raises(Sound):
        async def caption(self, medium: Medium) -> Caption:
            if not medium.path.exists():
                raise UsageError("no such file", stage="captions")
            return GOOD

    class Invents(Sound):
        async def caption(self, medium: Medium) -> Caption:
            return GOOD

    must = "a lost file must be a Caption with the status failed, and "
    assert violations(Raises, medium) == (must + "raised UsageError: captions: no such file.",)
    assert violations(Invents, medium) == (must + "is ok",)


def test_methods_that_are_not_async_are_found(medium: Medium) -> None:
    class Broken(Sound):
        def caption(self, medium: Medium) -> Caption:  # type: ignore[override]
            return GOOD

        def aclose(self) -> None:  # type: ignore[override]
            pass

    assert set(violations(Broken, medium)) == {"caption must be async", "aclose must be async"}


def test_what_is_no_caption_is_found(medium: Medium) -> None:
    class Broken(Sound):
        def good(self) -> Caption:
            return "A hill."  # type: ignore[return-value]

    assert violations(Broken, medium) == ("caption must return a Caption, and returned 'A hill.'",)


def test_a_call_that_never_ends_is_found(medium: Medium) -> None:
    class Hangs(Sound):
        async def caption(self, medium: Medium) -> Caption:
            await asyncio.sleep(3600)
            return GOOD

    assert violations(Hangs, medium, timeout=0.05)[0].startswith("caption took longer than 0.05 s")


def test_a_call_that_cannot_be_cancelled_is_found(medium: Medium) -> None:
    class Stubborn(Sound):
        async def caption(self, medium: Medium) -> Caption:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.2)
            return await super().caption(medium)

    assert violations(Stubborn, medium) == (
        "a call that is cancelled goes on to its end: it must let CancelledError pass",
    )


def test_a_second_closing_that_fails_is_found(medium: Medium) -> None:
    class Once(Sound):
        closed = False

        async def aclose(self) -> None:
            if self.closed:
                raise RuntimeError("closed already")
            self.closed = True

    assert violations(Once, medium) == (
        "the second aclose of an unused captioner raised RuntimeError: closed already",
        "the second aclose of a used captioner raised RuntimeError: closed already",
    )


def test_keys_that_change_are_found(medium: Medium) -> None:
    class Numbered(Sound):
        made = 0

        def __init__(self) -> None:
            Numbered.made += 1
            self.settings = {"number": Numbered.made}

    class Learns(Sound):
        async def caption(self, medium: Medium) -> Caption:
            self.settings = {"calls": 1}
            return await super().caption(medium)

    assert [one.partition(":")[0] for one in violations(Numbered, medium)] == [
        "two that are made alike have different keys"
    ]
    assert [one.partition(":")[0] for one in violations(Learns, medium)] == ["its key changes with use"]


def test_what_cannot_be_made_is_found(medium: Medium) -> None:
    def make() -> Sound:
        raise UsageError("no model", stage="captions")

    assert violations(make, medium) == ("it cannot be made: UsageError: captions: no model.",)


@pytest.mark.parametrize("place", ["settings", "endpoint", "repr", "caption", "error", "another error"])
def test_secrets_are_found_and_not_repeated(medium: Medium, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)

    class Leaks(Sound):
        def __init__(self) -> None:
            super().__init__()
            key = os.environ["SOME_API_KEY"]
            if place == "settings":
                self.settings = {"key": key}
            if place == "endpoint":
                self.endpoint = f"https://user:{key}@host"

        def __repr__(self) -> str:
            return f"Leaks({os.environ['SOME_API_KEY']})" if place == "repr" else "Leaks()"

        def good(self) -> Caption:
            if place == "error":
                raise Passing(f"{SECRET} is wrong")
            if place == "another error":
                raise ValueError(SECRET)
            return replace(GOOD, text=f"It says {SECRET}.") if place == "caption" else GOOD

    found = violations(Leaks, medium)
    assert any("contains the value of the environment variable SOME_API_KEY" in one for one in found)
    assert SECRET not in "".join(found)


def test_the_picture_is_one(tmp_path: Path) -> None:
    from yoin.images import open_rgb

    sample = sample_image(tmp_path)
    assert open_rgb(sample.path, max_pixels=10**6).size == (sample.width, sample.height)
    assert sample == sample_image(tmp_path)


def test_the_captioner_of_the_documentation_passes(medium: Medium) -> None:
    page = (Path(__file__).parents[2] / "docs" / "captioners.md").read_text("utf-8")
    example = page.partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(example, "docs/captioners.md", "exec"), names)
    check(lambda: names["Brightness"](Spec.parse("brightness"), CaptionOptions()), medium)
