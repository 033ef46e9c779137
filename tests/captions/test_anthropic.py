"""The captioner of Claude: the real SDK, and a server on this machine; what it shares is in `test_openai`."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.captions.anthropic_server import AnthropicServer, fails, says
from tests.captions.attributes.forms import ANSWER
from tests.captions.kept_keys import keyring_with
from tests.captions.openai_server import Answer, drips, raw, resets
from tests.captions.test_openai import everything_of, picture
from yoin.captions import attributes, money, prompts
from yoin.captions.anthropic import Anthropic
from yoin.captions.base import Passing, Throttled
from yoin.errors import MissingExtraError, UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

KEY = "sk-ant-planted-0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("anthropic")
    for name in ("ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "ANTHROPIC_CUSTOM_HEADERS", "ANTHROPIC_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer() as running:
        yield running


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return picture(tmp_path / "a.png")


def ask(server: AnthropicServer, *media: Medium, **options: object) -> list[Caption]:
    async def work() -> list[Caption]:
        spec = Spec(name="anthropic", model="claude-tiny", base_url=server.url)
        captioner = Anthropic(spec, CaptionOptions.model_validate(options))
        try:
            return [await captioner.caption(medium) for medium in media]
        finally:
            await captioner.aclose()

    return asyncio.run(work())


def test_an_image_and_the_prompt_go_there_and_a_caption_comes_back(server: AnthropicServer, medium: Medium) -> None:
    server.on(says("A cat.", thought="Hm.", tokens=(300, 20), cached=50))
    (caption,) = ask(server, medium)
    assert replace(caption, seconds=0.0) == Caption(
        text="A cat.", status="ok", model_version="claude-tiny-0102", tokens_in=350, tokens_out=20
    )
    (call,) = server.asked
    image, text = call.parts
    assert image["source"]["media_type"] == "image/png"
    assert base64.b64decode(image["source"]["data"]) == medium.path.read_bytes()
    prompt = prompts.load("general")
    assert text == {"type": "text", "text": prompt.user}
    assert call.body["system"] == prompt.system
    assert set(call.body) == {"model", "messages", "system", "max_tokens"}
    assert call.headers["authorization"] == f"Bearer {KEY}"


def test_the_key_may_be_in_the_keyring(
    server: AnthropicServer, medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with keyring_with({"ANTHROPIC_API_KEY": KEY}):
        ask(server, medium)
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_attributes_are_asked_for_by_a_schema_and_in_words(server: AnthropicServer, medium: Medium) -> None:
    server.on(says(ANSWER))
    (made,) = ask(server, medium, attributes="general", thinking="low")
    assert (made.status, made.text) == ("ok", ANSWER)
    schema, (call,) = attributes.load("general"), server.asked
    sent = call.body["output_config"]
    assert sent["effort"] == "low"
    assert sent["format"]["type"] == "json_schema"
    fields = sent["format"]["schema"]["properties"]
    assert fields["empty_space"] == {
        "type": "number",
        "description": schema.response_schema["properties"]["empty_space"]["description"],
    }
    assert fields["people"] == schema.response_schema["properties"]["people"]
    assert call.parts[-1]["text"] == f"{prompts.load('general').user}\n\n{schema.instruction}"


def test_what_is_asked_for_goes_by_the_names_of_the_protocol(server: AnthropicServer, medium: Medium) -> None:
    ask(server, medium, temperature=0.5, max_output_tokens=100, thinking="low")
    body = server.asked[0].body
    assert (body["temperature"], body["max_tokens"], body["output_config"]) == (0.5, 100, {"effort": "low"})


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (says("No.", stop="refusal"), "refused", "says it cannot help"),
        (says("I'm sorry, but I can't help with that."), "refused", "says it cannot help"),
        (says(None), "failed", "empty answer"),
        (says("", stop="pause_turn"), "failed", "empty answer (pause_turn)"),
        (fails(400, "Could not process image"), "failed", "Could not process image"),
        (fails(413, "Request exceeds the maximum size"), "failed", "Request exceeds the maximum size"),
    ],
)
def test_what_is_no_caption_says_so(
    server: AnthropicServer, medium: Medium, answer: Answer, status: str, reason: str
) -> None:
    server.on(answer)
    (caption,) = ask(server, medium)
    assert (caption.text, caption.status) == ("", status)
    assert reason in caption.reason


@pytest.mark.parametrize(("asked", "sent"), [(100, [100, 400]), (None, [4096, 16384])])
def test_what_is_cut_off_is_asked_for_once_more(
    server: AnthropicServer, medium: Medium, asked: int | None, sent: list[int]
) -> None:
    cut = says("A cat on", stop="max_tokens", tokens=(300, sent[0]))
    server.on(cut, says("A cat on a mat."))
    (caption,) = ask(server, medium, max_output_tokens=asked)
    assert (caption.text, caption.status, caption.attempts) == ("A cat on a mat.", "ok", 2)
    assert (caption.tokens_in, caption.tokens_out) == (600, sent[0] + 20)
    assert [call.body["max_tokens"] for call in server.asked] == sent
    server.on(cut)
    assert ask(server, medium)[0].status == "truncated"


def caught(server: AnthropicServer, medium: Medium, answer: Answer, **options: object) -> Exception:
    server.on(answer)
    with pytest.raises((Passing, UsageError)) as error:
        ask(server, medium, **options)
    assert len(server.asked) == 1  # one attempt: the stage tries again
    return error.value


def test_too_many_calls_say_how_long_to_wait(server: AnthropicServer, medium: Medium) -> None:
    error = caught(server, medium, fails(429, "Number of requests has exceeded", headers={"retry-after": "17"}))
    assert isinstance(error, Throttled)
    assert (error.wait, error.daily) == (17.0, False)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fails(529, "Overloaded"), "answered 529: Overloaded"),
        (fails(500, "Internal server error"), "answered 500"),
        (fails(504, "Timeout"), "answered 504"),
        (resets(), "no connection to"),
        (resets(at=5), "no connection to"),
        (drips(0.02), "within 0.3 s"),
        (raw(b'{"content": [{'), "is no chat completion"),
        (raw(b"[1]"), "is no chat completion"),
        (raw(b'{"content": "none"}'), "is no chat completion"),
        (raw(b"<html>bad gateway</html>", status=502, kind="text/html"), "answered 502"),
    ],
)
def test_faults_may_pass(server: AnthropicServer, medium: Medium, answer: Answer, reason: str) -> None:
    error = caught(server, medium, answer, call_timeout=0.3 if "within" in reason else 20.0)
    assert type(error) is Passing
    assert reason in error.reason


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (fails(401, "invalid x-api-key"), "does not accept the key; set ANTHROPIC_API_KEY"),
        (fails(400, "Your credit balance is too low to access the Anthropic API."), "no credit left"),
        (fails(402, "There is an issue with your billing"), "no credit left"),
        (fails(403, "Your account does not have access"), "does not allow this"),
        (fails(404, "model: claude-tiny"), "has no model claude-tiny"),
        (fails(400, "max_tokens: 100000 > 8192, which is the maximum allowed"), "does not take max_tokens"),
        (fails(400, "`temperature` and `top_p` cannot both be specified for this model."), "not take temperature"),
        (fails(400, "output_config.effort: Input should be 'low' or 'high'"), "does not take output_config"),
    ],
)
def test_what_concerns_every_call_ends_the_run(
    server: AnthropicServer, medium: Medium, answer: Answer, problem: str
) -> None:
    error = caught(server, medium, answer, temperature=0.5, top_p=0.9, thinking="odd")
    assert isinstance(error, UsageError)
    assert problem in str(error)
    assert error.remedy


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 529])
def test_a_key_that_the_service_echoes_is_seen_nowhere(server: AnthropicServer, medium: Medium, status: int) -> None:
    server.on(fails(status, f"You sent {KEY}"))
    try:
        seen = repr(ask(server, medium))
    except (Passing, UsageError) as error:
        seen = everything_of(error)
    assert KEY not in seen


def test_what_cannot_work_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="anthropic:MODEL"):
        Anthropic(Spec.parse("anthropic"), CaptionOptions())
    with pytest.raises(UsageError, match="anthropic:MODEL"):
        Anthropic(Spec.parse("anthropic@http://127.0.0.1:9"), CaptionOptions())
    with pytest.raises(UsageError, match="must start with https"):
        Anthropic(Spec.parse("anthropic:m@http://example.org"), CaptionOptions())
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    with pytest.raises(UsageError, match="Anthropic needs a key; set ANTHROPIC_API_KEY"):
        Anthropic(Spec.parse("anthropic:m"), CaptionOptions())
    monkeypatch.setitem(sys.modules, "anthropic", None)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    with pytest.raises(MissingExtraError, match=r"yoin\[anthropic\]"):
        Anthropic(Spec.parse("anthropic:m"), CaptionOptions())


def test_anthropic_itself_has_prices() -> None:
    captioner = Anthropic(Spec.parse("anthropic:claude-sonnet-4-5"), CaptionOptions())
    assert (captioner.provider, captioner.endpoint) == ("anthropic", "api.anthropic.com/claude-sonnet-4-5")
    assert money.priced(captioner.provider, captioner.model_version)
    assert KEY not in repr(captioner) + repr(captioner.settings)


def test_a_seed_is_refused(server: AnthropicServer, medium: Medium) -> None:
    with pytest.raises(UsageError, match="Anthropic takes no seed; leave out --caption-seed"):
        ask(server, medium, caption_seed=7)
