"""Gemini and Vertex AI: the real package google-genai against a loopback server."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.captions import gemini_server as gemini
from tests.captions.attributes.forms import ANSWER
from tests.captions.gemini_server import GeminiServer
from yoin.captions import attributes, gemini_connection, prompts
from yoin.captions.base import Passing, Throttled
from yoin.captions.gemini import DEFAULT_MODEL, Gemini, Vertex, models
from yoin.captions.gemini_answers import read
from yoin.errors import MissingExtraError, UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

T = TypeVar("T")
KEY = "AIza" + "PlantedKeyThatMustNotBeSeen" * 2
TOKEN = "ya29.planted-token-that-must-not-be-seen"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "GEMINI_", "CLOUDSDK_"))]:
        monkeypatch.delenv(name)
    # Nothing here may look for credentials outside: a file that is not there ends the search.
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/no/such/file.json")
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        yield running


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return image(tmp_path / "poster.png")


def image(path: Path, media_id: str = "m") -> Medium:
    Image.new("RGB", (8, 8), "red").save(path)
    return Medium(
        media_id=media_id, path=path, mime="image/png", width=8, height=8, bytes=path.stat().st_size, seconds=0.0
    )


def spec_of(server: GeminiServer, name: str = "gemini", model: str = "gemini-3.8-flash") -> Spec:
    return Spec(name=name, model=model, base_url=server.url)


def with_captioner(
    server: GeminiServer, work: Callable[[Gemini], Awaitable[T]], *, kind: type[Gemini] = Gemini, **options: Any
) -> T:
    async def run() -> T:
        captioner = kind(spec_of(server, kind.name), CaptionOptions(**{"call_timeout": 20.0, **options}))
        try:
            return await work(captioner)
        finally:
            await captioner.aclose()

    return asyncio.run(run())


def ask(server: GeminiServer, medium: Medium, *, kind: type[Gemini] = Gemini, **options: Any) -> Caption:
    return with_captioner(server, lambda captioner: captioner.caption(medium), kind=kind, **options)


# What is sent


def test_an_image_and_the_prompt_are_sent_with_the_key(server: GeminiServer, medium: Medium) -> None:
    made = ask(server, medium)
    assert (made.status, made.text, made.reason) == ("ok", "A quiet street at dusk, a single lit window.", "")
    assert (made.tokens_in, made.tokens_out, made.attempts) == (1100, 12, 1)
    assert made.seconds > 0
    (asked,) = server.asked
    assert asked.path == "/v1/models/gemini-3.8-flash:generateContent"
    assert asked.headers["x-goog-api-key"] == KEY
    assert asked.media == [("image/png", medium.path.read_bytes())]
    assert "text" in asked.parts[-1]
    assert "systemInstruction" in asked.body
    assert not asked.body["generationConfig"]  # nothing that was not asked for
    opened = {one["category"]: one["threshold"] for one in asked.body["safetySettings"]}
    assert set(opened.values()) == {"OFF"}
    assert len(opened) == 4


def test_words_alone_are_asked_for_without_an_image_and_without_the_prompt(server: GeminiServer) -> None:
    made = with_captioner(server, lambda captioner: captioner.write("Say it in short."), temperature=0.0)
    assert (made.status, made.text) == ("ok", "A quiet street at dusk, a single lit window.")
    (asked,) = server.asked
    assert asked.parts == [{"text": "Say it in short."}]
    assert "systemInstruction" not in asked.body
    assert asked.body["generationConfig"] == {"temperature": 0.0}


def test_options_that_are_set_are_sent(server: GeminiServer, medium: Medium) -> None:
    chosen = {
        "temperature": 0.0, "top_p": 0.9, "max_output_tokens": 500, "thinking": "low", "media_resolution": "high",
        "caption_seed": 7,
    }  # fmt: skip
    ask(server, medium, **chosen)
    sent = server.asked[0].body["generationConfig"]
    assert sent.pop("thinkingConfig") == {"thinking_level": "LOW"}
    assert sent == {
        "temperature": 0.0,
        "topP": 0.9,
        "seed": 7,
        "maxOutputTokens": 500,
        "mediaResolution": "MEDIA_RESOLUTION_HIGH",
    }
    assert dict(Gemini(spec_of(server), CaptionOptions(**chosen)).settings) == chosen  # type: ignore[arg-type]
    assert dict(Gemini(spec_of(server), CaptionOptions()).settings) == {}


@pytest.mark.parametrize(("kind", "lang"), [(Gemini, "en"), (Gemini, "ja"), (Vertex, "en")])
def test_attributes_are_asked_for_by_a_schema_and_in_words(
    server: GeminiServer, medium: Medium, monkeypatch: pytest.MonkeyPatch, kind: type[Gemini], lang: str
) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    server.on(gemini.caption(ANSWER))
    chosen: dict[str, Any] = {"attributes": "general", "lang": lang, "prompt": "thumbnail"}
    made = ask(server, medium, kind=kind, **chosen)
    assert (made.status, made.text) == ("ok", ANSWER)  # as it came: the stage reads it
    schema, prompt = attributes.load("general", lang), prompts.load("thumbnail", lang)
    (asked,) = server.asked
    assert asked.body["generationConfig"] == {
        "responseMimeType": "application/json", "responseJsonSchema": schema.response_schema,
    }  # fmt: skip
    assert list(asked.body["generationConfig"]["responseJsonSchema"]["properties"]) == [
        one.name for one in schema.attributes
    ]
    assert asked.parts[-1] == {"text": f"{prompt.user}\n\n{schema.instruction}"}
    assert asked.body["systemInstruction"]["parts"] == [{"text": prompt.system}]
    captioner = kind(spec_of(server, kind.name), CaptionOptions(**chosen))
    assert dict(captioner.settings) == {"attributes": schema.id}
    assert captioner.prompt_id == prompt.id


def test_a_schema_that_is_not_taken_ends_the_run(server: GeminiServer, medium: Medium) -> None:
    says = "The specified schema produces a constraint that has too many states for serving."
    server.on(gemini.error(400, "INVALID_ARGUMENT", says))
    with pytest.raises(UsageError, match=r"does not take these attributes .*use fewer"):
        ask(server, medium, attributes="general")
    assert ask(server, medium).status == "failed"  # without attributes it is about the medium


def test_vertex_asks_for_the_project_with_a_token(
    server: GeminiServer, medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-environment")
    assert ask(server, medium, kind=Vertex).status == "ok"
    ask(server, medium, kind=Vertex, project="my-project", location="europe-west4")
    first, second = server.asked
    assert first.path == (
        "/v1beta1/projects/from-environment/locations/global/publishers/google/models/gemini-3.8-flash:generateContent"
    )
    assert (second.project, second.location) == ("my-project", "europe-west4")
    assert first.headers["authorization"] == f"Bearer {TOKEN}"
    assert "x-goog-api-key" not in first.headers


def test_vertex_takes_the_default_credentials(
    server: GeminiServer, medium: Medium, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A service account's file, exchanged for a token at the address that it names."""
    account = service_account(server.url + "/token")
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
    server.on_path("/token", gemini.answer({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}))
    from google.auth.transport.requests import Request

    credentials, project, location = gemini_connection.cloud(Spec(name="vertex"), CaptionOptions())
    assert (project, location) == ("planted-project", "global")
    credentials.refresh(Request())
    assert credentials.token == TOKEN


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            gemini.text(b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}', status=400),
            UsageError,
        ),
        (gemini.reset(), Passing),
    ],
)
def test_credentials_that_get_no_token(
    server: GeminiServer,
    medium: Medium,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    answer: gemini.Answer,
    kind: type[Exception],
) -> None:
    account = service_account(server.on_path("/token", answer))
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))

    async def run() -> None:
        captioner = Vertex(Spec(name="vertex"), CaptionOptions())
        try:
            await captioner.caption(medium)  # ends before anything goes to Google
        finally:
            await captioner.aclose()

    with pytest.raises(kind, match="credentials"):
        asyncio.run(run())


def service_account(token_uri: str) -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return {
        "type": "service_account",
        "project_id": "planted-project",
        "private_key_id": "1",
        "private_key": pem,
        "client_email": "a@planted-project.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }


def test_a_small_video_is_sent_whole_and_another_as_its_frames(
    server: GeminiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [image(tmp_path / f"{number}.png").path for number in range(3)]

    def video(name: str, mime: str, size: int) -> Medium:
        (tmp_path / name).write_bytes(b"a video")
        return Medium(
            media_id=name, path=tmp_path / name, mime=mime, width=8, height=8, bytes=size, seconds=2.0,
            frames=tuple(frames), poster=frames[0],
        )  # fmt: skip

    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    ask(server, video("a.mp4", "video/mp4", 7))
    ask(server, video("a.mov", "video/quicktime", 7))
    ask(server, video("a.mov", "video/quicktime", 7), kind=Vertex, project="p")
    ask(server, video("b.mp4", "video/mp4", 14_000_001), kind=Vertex, project="p")
    ask(server, video("a.mkv", "video/x-matroska", 7))
    kinds = [[kind for kind, _ in asked.media] for asked in server.asked]
    assert kinds == [["video/mp4"], ["video/mov"], ["video/quicktime"], ["image/png"] * 3, ["image/png"] * 3]
    assert server.asked[0].media[0][1] == b"a video"


def test_no_model_named_is_the_default_one(server: GeminiServer) -> None:
    captioner = Gemini(spec_of(server, model=""), CaptionOptions(workers=7))
    assert captioner.model_version == DEFAULT_MODEL
    assert captioner.endpoint == f"127.0.0.1:{server.port}/{DEFAULT_MODEL}"
    assert (captioner.name, captioner.provider, captioner.concurrency) == ("gemini", "google", 7)
    assert len(captioner.prompt_id) == 64


def test_many_at_a_time(server: GeminiServer, tmp_path: Path) -> None:
    media = [image(tmp_path / f"{number}.png", str(number)) for number in range(40)]
    server.on(gemini.caption(pause=0.05))

    async def all_of_them(captioner: Gemini) -> list[Caption]:
        return await asyncio.gather(*(captioner.caption(one) for one in media))

    made = with_captioner(server, all_of_them, workers=8)
    assert {one.status for one in made} == {"ok"}
    assert 2 <= max(asked.in_flight for asked in server.asked) <= 8


# What comes back


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "IMAGE_SAFETY", "BRAND_NEW"])
def test_a_blocked_prompt_names_its_reason(server: GeminiServer, medium: Medium, reason: str) -> None:
    server.on(gemini.blocked(reason))
    made = ask(server, medium)
    assert (made.status, made.text, made.reason, made.tokens_in) == ("blocked", "", reason, 1100)


@pytest.mark.parametrize(
    "reason",
    ["SAFETY", "IMAGE_SAFETY", "PROHIBITED_CONTENT", "RECITATION", "SPII", "BLOCKLIST", "MODEL_ARMOR"],
)
@pytest.mark.parametrize("text", [None, "The first half of"])
def test_a_blocked_answer_names_its_reason(server: GeminiServer, medium: Medium, reason: str, text: str | None) -> None:
    server.on(gemini.caption(text, finish=reason))
    made = ask(server, medium)
    assert (made.status, made.text, made.reason) == ("blocked", "", reason)


def test_the_categories_are_named(server: GeminiServer, medium: Medium) -> None:
    guilty = gemini.rating("SEXUALLY_EXPLICIT", blocked=True)
    others = [gemini.rating("HARASSMENT", "NEGLIGIBLE"), gemini.rating("HATE_SPEECH", "MEDIUM")]
    server.on(
        gemini.blocked("SAFETY", ratings=[guilty, *others]), gemini.caption(None, finish="SAFETY", ratings=others)
    )
    assert ask(server, medium).reason == "SAFETY: SEXUALLY_EXPLICIT"
    assert ask(server, medium).reason == "SAFETY: HATE_SPEECH"  # none is marked: those that are likely


@pytest.mark.parametrize("finish", ["LANGUAGE", "OTHER", "MALFORMED_RESPONSE", "NO_IMAGE", "BRAND_NEW"])
def test_any_other_way_to_finish_is_a_failure_by_name(server: GeminiServer, medium: Medium, finish: str) -> None:
    server.on(gemini.caption("Half a", finish=finish))
    made = ask(server, medium)
    assert (made.status, made.text, made.reason) == ("failed", "", finish)


@pytest.mark.parametrize("empty", [gemini.no_candidates(), gemini.caption(None), gemini.caption(" \n ")])
def test_nothing_is_never_ok(server: GeminiServer, medium: Medium, empty: gemini.Answer) -> None:
    server.on(empty)
    made = ask(server, medium)
    assert (made.status, made.text, made.reason) == ("failed", "", "empty answer")


def test_a_refusal_is_no_caption(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.caption("I'm sorry, but I can't help with that."))
    made = ask(server, medium)
    assert (made.status, made.text, made.reason) == ("refused", "", "says it cannot help")


def test_unknown_categories_and_probabilities_are_no_obstacle(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.caption(ratings=[gemini.rating("BRAND_NEW", "UNHEARD_OF")]))
    assert ask(server, medium).status == "ok"


def test_the_model_that_answered_is_kept(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.caption(version="gemini-3.9-flash-001"))
    assert ask(server, medium).model_version == "gemini-3.9-flash-001"


def test_thoughts_are_counted_and_not_kept(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.caption("A red poster.", thoughts=300, thought="The user wants a caption."))
    made = ask(server, medium)
    assert (made.text, made.tokens_out) == ("A red poster.", 312)


# Truncated


def test_a_truncated_caption_is_asked_for_once_more_with_room(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.caption("A red", finish="MAX_TOKENS", tokens=(1100, 20)), gemini.caption("A red poster."))
    made = ask(server, medium, max_output_tokens=20)
    assert (made.status, made.text, made.attempts) == ("ok", "A red poster.", 2)
    assert (made.tokens_in, made.tokens_out) == (2200, 32)
    first, second = (asked.body["generationConfig"]["maxOutputTokens"] for asked in server.asked)
    assert (first, second) == (20, 4096)


def test_twice_truncated_is_truncated(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.caption(None, finish="MAX_TOKENS", thoughts=20), gemini.caption("A red", finish="MAX_TOKENS"))
    made = ask(server, medium, max_output_tokens=20)
    assert (made.status, made.text, made.reason, made.attempts) == ("truncated", "A red", "MAX_TOKENS", 2)
    assert len(server.calls) == 2


def test_without_a_limit_of_ours_there_is_no_more_room(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.caption(None, finish="MAX_TOKENS"))
    made = ask(server, medium)
    assert (made.status, made.text, made.reason) == ("truncated", "", "MAX_TOKENS before any text")
    assert len(server.calls) == 1


def test_more_room_than_the_model_has_keeps_the_truncated_caption(server: GeminiServer, medium: Medium) -> None:
    too_large = "Unable to submit request because it has a maxOutputTokens value of 4096 but the range is up to 2048."
    server.on(gemini.caption("A red", finish="MAX_TOKENS"), gemini.error(400, "INVALID_ARGUMENT", too_large))
    made = ask(server, medium, max_output_tokens=20)
    assert (made.status, made.text) == ("truncated", "A red")


def test_what_is_truncated_is_not_paid_for_twice(server: GeminiServer, medium: Medium) -> None:
    """The call with more room meets a 429: the next attempt goes on from there."""
    server.on(gemini.caption("A red", finish="MAX_TOKENS"), gemini.too_many(), gemini.caption("A red poster."))

    async def work(captioner: Gemini) -> Caption:
        with pytest.raises(Throttled):
            await captioner.caption(medium)
        return await captioner.caption(medium)

    made = with_captioner(server, work, max_output_tokens=20)
    assert (made.status, made.tokens_in) == ("ok", 2200)
    assert len(server.calls) == 3


# Errors that may pass


def fault(server: GeminiServer, medium: Medium, answer: gemini.Answer, **options: Any) -> Exception:
    server.on(answer)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each caller looks at the kind
        ask(server, medium, **options)
    assert len(server.calls) == 1  # one attempt
    return caught.value


@pytest.mark.parametrize(
    ("answer", "wait"),
    [
        (gemini.too_many(), 0.0),
        (gemini.too_many(retry="26s"), 26.0),
        (gemini.too_many(retry="0.837s"), 0.837),
        (gemini.too_many(header="7"), 7.0),
        (gemini.too_many(retry="3s", header="7"), 7.0),
        (gemini.too_many(header="soon", retry="nonsense"), 0.0),
    ],
)
def test_429_says_how_long_to_wait(server: GeminiServer, medium: Medium, answer: gemini.Answer, wait: float) -> None:
    error = fault(server, medium, answer)
    assert isinstance(error, Throttled)
    assert (error.wait, error.daily) == (wait, False)
    assert "429" in error.reason


def test_retry_after_may_be_a_date(server: GeminiServer, medium: Medium) -> None:
    error = fault(server, medium, gemini.too_many(header=format_datetime(datetime.now(UTC) + timedelta(minutes=10))))
    assert isinstance(error, Throttled)
    assert 500 < error.wait <= 600


def test_a_days_quota_is_told_from_a_minutes(server: GeminiServer, medium: Medium) -> None:
    error = fault(server, medium, gemini.too_many(retry="37s", daily=True))
    assert isinstance(error, Throttled)
    assert (error.daily, error.wait) == (True, 0.0)  # 37 seconds would not help
    assert "midnight" in error.reason


@pytest.mark.parametrize("code", [408, 500, 502, 503, 504])
def test_faults_of_the_server_may_pass(server: GeminiServer, medium: Medium, code: int) -> None:
    error = fault(server, medium, gemini.error(code, "UNAVAILABLE", "The model is overloaded."))
    assert type(error) is Passing
    assert error.reason == f"HTTP {code}: The model is overloaded."


@pytest.mark.parametrize(
    "answer",
    [
        gemini.reset(),
        gemini.reset(after=20),
        gemini.text(b'{"candidates": ['),
        gemini.text(b"<html>busy</html>"),
        gemini.text(b""),
        gemini.text(b"[]"),
        gemini.text(b"null"),
        gemini.text(b"[" * 100_000),
        gemini.text(b"\xff\xfe\x00"),
        gemini.text(b"not gzip at all", headers={"Content-Encoding": "gzip"}),
        gemini.text(b"upstream is gone", status=502),
        gemini.text(b"\xff\xfe\x80\x00", status=503),
        gemini.text(b'["a", "b"]', status=500),
        gemini.text(b'{"error": "a gateway of its own"}', status=500),
    ],
)
def test_faults_of_the_way_may_pass(server: GeminiServer, medium: Medium, answer: gemini.Answer) -> None:
    error = fault(server, medium, answer)
    assert type(error) is Passing
    assert error.reason
    assert "\n" not in error.reason


@pytest.mark.parametrize("answer", [gemini.silence(), gemini.caption(pause=5.0)])
def test_no_answer_in_time_may_pass(server: GeminiServer, medium: Medium, answer: gemini.Answer) -> None:
    error = fault(server, medium, answer, call_timeout=0.3)
    assert type(error) is Passing
    assert error.reason == "no answer within 0.3 seconds"


def test_no_server_at_all_may_pass(medium: Medium) -> None:
    with GeminiServer() as server:
        pass
    with pytest.raises(Passing, match="ConnectError"):
        ask(server, medium)


# Errors of this medium, and of all


@pytest.mark.parametrize(
    ("code", "message"),
    [(400, "Unable to process input image. Please retry."), (400, "Provided image is not valid."), (413, "Too large")],
)
def test_a_rejected_image_is_its_own_failure(server: GeminiServer, medium: Medium, code: int, message: str) -> None:
    server.on(gemini.error(code, "INVALID_ARGUMENT", message))
    made = ask(server, medium, temperature=1.0)
    assert (made.status, made.text) == ("failed", "")
    assert made.reason == f"rejected, HTTP {code}: {message}"


def test_a_file_that_was_lost_is_its_own_failure(server: GeminiServer, medium: Medium) -> None:
    medium.path.unlink()
    made = ask(server, medium)
    assert (made.status, made.reason) == ("failed", "the file cannot be read: FileNotFoundError")
    assert not server.asked


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (gemini.bad_key(), "did not accept"),
        (gemini.error(400, "INVALID_ARGUMENT", "API key expired. Please renew the API key."), "GOOGLE_API_KEY"),
        (gemini.error(400, "FAILED_PRECONDITION", "User location is not supported for the API use."), "region"),
        (gemini.error(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), "GOOGLE_API_KEY"),
        (gemini.error(402, "FAILED_PRECONDITION", "Pay."), "billing"),
        (gemini.error(403, "PERMISSION_DENIED", "This API method requires billing to be enabled."), "billing is off"),
        (gemini.error(403, "PERMISSION_DENIED", "Off.", gemini.info("BILLING_DISABLED")), "billing is off"),
        (gemini.error(403, "PERMISSION_DENIED", "Off.", gemini.info("SERVICE_DISABLED")), "switch it on"),
        (gemini.error(403, "PERMISSION_DENIED", "Your API key was reported as leaked."), "leaked"),
        (gemini.error(404, "NOT_FOUND", "models/gemini-3.8-flash is not found for API version v1."), "yoin doctor"),
        (gemini.error(405, "", "Method not allowed"), "check the address"),
        (gemini.text(b"", status=302, headers={"Location": "http://127.0.0.1:9/"}), "check the address"),
        (gemini.too_many(message="Your prepayment credits are depleted."), "credit is used up"),
        (gemini.too_many(message="Quota exceeded, limit: 0, model: gemini-3.8-flash"), "no quota"),
        (gemini.error(400, "INVALID_ARGUMENT", "Thinking level LOW is not supported."), "does not take --thinking"),
    ],
)
def test_what_concerns_every_call_ends_the_stage(
    server: GeminiServer, medium: Medium, answer: gemini.Answer, says: str
) -> None:
    error = fault(server, medium, answer, thinking="low")
    assert isinstance(error, UsageError)
    assert error.stage == "captions"
    assert error.remedy
    assert says in str(error)


@pytest.mark.parametrize(
    ("change", "options", "says"),
    [
        ({"GOOGLE_API_KEY": ""}, {}, "GOOGLE_API_KEY"),
        ({"GOOGLE_API_KEY": "two words"}, {}, "no key"),
        ({"GOOGLE_API_KEY": "a\nb"}, {}, "no key"),
        ({"GOOGLE_API_KEY": "鍵"}, {}, "no key"),
        ({}, {"thinking": "a lot"}, "minimal, low, medium, high"),
        ({}, {"prompt": "no-such-prompt"}, "no-such-prompt"),
    ],
)
def test_what_cannot_work_is_said_at_once(
    server: GeminiServer, monkeypatch: pytest.MonkeyPatch, change: dict[str, str], options: dict[str, Any], says: str
) -> None:
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        Gemini(spec_of(server), CaptionOptions(**options))
    assert says in str(caught.value)
    assert not any(value and value in str(caught.value) for value in change.values())


@pytest.mark.parametrize("model", ["../files", "a?key=b", "a b", "a//..//b&c", "x:y?"])
def test_a_models_name_stays_a_name(server: GeminiServer, model: str) -> None:
    with pytest.raises(UsageError, match="no model's name"):
        Gemini(spec_of(server, model=model), CaptionOptions())


@pytest.mark.parametrize(
    ("environment", "options", "base_url", "says"),
    [
        ({}, {"project": "p"}, "", "gcloud auth"),
        ({}, {"project": "p"}, "https://gateway.example", "GOOGLE_OAUTH_ACCESS_TOKEN"),
        ({"GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN}, {}, "", "GOOGLE_CLOUD_PROJECT"),
        ({"GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN}, {"project": "p/../q"}, "", "project"),
        ({"GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN}, {"project": "p", "location": "evil.example/"}, "", "location"),
        ({"GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN}, {"project": "p"}, "http://192.0.2.1", "https"),
    ],
)
def test_vertex_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], options: dict[str, str], base_url: str, says: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        Vertex(Spec(name="vertex", base_url=base_url), CaptionOptions(**options))  # type: ignore[arg-type]
    assert says in str(caught.value)


def test_keys_go_nowhere_but_to_the_address_named(
    server: GeminiServer, medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither along a redirect, nor to a proxy, nor where a variable of the package points."""
    with GeminiServer() as thief:
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", thief.url)
        monkeypatch.setenv("HTTP_PROXY", thief.url)
        monkeypatch.setenv("http_proxy", thief.url)
        monkeypatch.setenv("NO_PROXY", "")
        monkeypatch.setenv("no_proxy", "")
        server.on(gemini.text(b"", status=307, headers={"Location": f"{thief.url}/v1/models/m:generateContent"}))
        with pytest.raises(UsageError):
            ask(server, medium)
        assert not thief.asked
    assert Gemini(Spec(name="gemini"), CaptionOptions()).endpoint.startswith("generativelanguage.googleapis.com/")


@pytest.mark.parametrize(
    ("project", "location", "host"),
    [
        ("p", "global", "aiplatform.googleapis.com"),
        ("example.com:p", "us-central1", "us-central1-aiplatform.googleapis.com"),
        ("p", "eu", "aiplatform.eu.rep.googleapis.com"),
    ],
)
def test_vertex_goes_to_the_location(monkeypatch: pytest.MonkeyPatch, project: str, location: str, host: str) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    captioner = Vertex(Spec(name="vertex"), CaptionOptions(project=project, location=location))
    assert captioner.endpoint == f"{host}/{DEFAULT_MODEL}"


# Secrets


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 429, 500, 503])
@pytest.mark.parametrize("kind", [Gemini, Vertex])
def test_a_key_that_the_service_echoes_is_seen_nowhere(
    server: GeminiServer, medium: Medium, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[Gemini]
) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    echo = f"The key {KEY} and the token {TOKEN} are bad. " + KEY
    server.on(gemini.error(code, "X", echo, {"@type": "x", "reason": KEY}))
    outcome: Caption | Exception
    try:
        outcome = ask(server, medium, kind=kind, project="p")
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not show the key
        outcome = error
    seen = repr(outcome)
    if isinstance(outcome, Exception):
        assert outcome.__cause__ is None
        assert outcome.__context__ is None
        seen += "".join(traceback.format_exception(outcome)) + str(vars(outcome))
    assert "are bad" in seen
    assert KEY not in seen
    assert TOKEN not in seen


def test_a_captioners_repr_holds_no_key(server: GeminiServer) -> None:
    captioner = Gemini(spec_of(server), CaptionOptions())
    shown = repr(captioner) + repr(vars(captioner))
    assert KEY not in shown


def test_the_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.genai", None)
    with pytest.raises(MissingExtraError, match=r"yoin\[gemini\]"):
        Gemini(Spec(name="gemini"), CaptionOptions())


# Models


def test_the_models_that_the_key_can_see(server: GeminiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    assert models(spec_of(server), CaptionOptions()) == sorted(gemini.MODELS)
    assert models(spec_of(server, "vertex"), CaptionOptions(project="p")) == sorted(gemini.MODELS)


def test_models_with_a_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with GeminiServer(keys=["right"]) as server:
        with pytest.raises(UsageError, match="did not accept"):
            models(spec_of(server), CaptionOptions())
        monkeypatch.delenv("GOOGLE_API_KEY")
        monkeypatch.setenv("GEMINI_API_KEY", "right")
        assert models(spec_of(server), CaptionOptions())
    with pytest.raises(Passing):
        models(spec_of(server), CaptionOptions())


# Any shape


NAMES = (
    "candidates content parts text finishReason promptFeedback blockReason safetyRatings usageMetadata "
    "promptTokenCount modelVersion category blocked thought"
).split()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_a_caption_or_a_fault(body: Any) -> None:
    outcome = read(json.dumps(body), "m")
    if isinstance(outcome, Caption):
        assert (outcome.status in {"ok", "truncated"}) or not outcome.text
        assert outcome.status != "ok" or outcome.text.strip()
        assert outcome.status == "ok" or outcome.reason
    else:
        assert not isinstance(body, dict)


def test_the_bytes_arrive_as_they_are(server: GeminiServer, tmp_path: Path) -> None:
    path = tmp_path / "noise.png"
    pixels = np.frombuffer(random.Random(1).randbytes(64 * 64 * 3), dtype=np.uint8).reshape(64, 64, 3)
    Image.fromarray(pixels).save(path)
    ask(server, Medium(media_id="n", path=path, mime="image/png", width=64, height=64, bytes=path.stat().st_size))
    assert server.asked[0].media[0][1] == path.read_bytes()


# The server itself


def test_a_bucket_runs_dry_and_says_when_it_refills(server: GeminiServer, medium: Medium) -> None:
    server.on(gemini.bucket(1, capacity=2))

    async def work(captioner: Gemini) -> Throttled:
        assert [(await captioner.caption(medium)).status for _ in range(2)] == ["ok", "ok"]
        with pytest.raises(Throttled) as caught:
            await captioner.caption(medium)
        return caught.value

    assert 0 < with_captioner(server, work).wait <= 60


def test_answers_may_be_for_one_image(server: GeminiServer, medium: Medium, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (8, 8), "blue").save(other)
    server.on(gemini.blocked("SAFETY"), media=other.read_bytes())
    assert ask(server, medium).status == "ok"
    blue = Medium(media_id="b", path=other, mime="image/png", width=8, height=8, bytes=1)
    assert [ask(server, one).status for one in (blue, medium, blue)] == ["blocked", "ok", "blocked"]
