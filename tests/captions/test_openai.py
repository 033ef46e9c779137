"""The captioner of OpenAI-compatible servers: the real SDK, and a server on this machine that does as it is told."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import re
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from PIL import Image

from tests.captions.attributes.forms import ANSWER
from tests.captions.openai_server import Answer, Exchange, OpenAIServer, drips, fails, raw, resets, says
from yoin.captions import attributes, prompts
from yoin.captions.base import Passing, Throttled
from yoin.captions.openai import OpenAICompatible
from yoin.errors import MissingExtraError, UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption, Medium

KEY = "sk-planted-0123456789abcdef"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openai")
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    return picture(tmp_path / "a.png")


def picture(path: Path, color: str = "red") -> Medium:
    Image.new("RGB", (8, 6), color).save(path)
    data = path.read_bytes()
    return Medium(
        media_id=hashlib.sha256(data).hexdigest(), path=path, mime="image/png", width=8, height=6, bytes=len(data)
    )


def make(server: OpenAIServer, *, model: str = "tiny-vlm", **options: object) -> OpenAICompatible:
    return OpenAICompatible(
        Spec(name="openai", model=model, base_url=server.url), CaptionOptions.model_validate(options)
    )


@asynccontextmanager
async def made(server: OpenAIServer, **options: object) -> AsyncIterator[OpenAICompatible]:
    captioner = make(server, **options)
    try:
        yield captioner
    finally:
        await captioner.aclose()


def ask(server: OpenAIServer, *media: Medium, **options: object) -> list[Caption]:
    """What a captioner makes of the media, one after the other."""

    async def work() -> list[Caption]:
        async with made(server, **options) as captioner:
            return [await captioner.caption(medium) for medium in media]

    return asyncio.run(work())


def test_an_image_and_the_prompt_go_there_and_a_caption_comes_back(server: OpenAIServer, medium: Medium) -> None:
    (caption,) = ask(server, medium)
    assert replace(caption, seconds=0.0) == Caption(
        text="A quiet street at dusk.", status="ok", model_version="tiny-vlm-0102", tokens_in=300, tokens_out=20
    )
    assert caption.seconds > 0
    prompt = prompts.load("general")
    (call,) = server.asked
    assert call.body["model"] == "tiny-vlm"
    assert call.parts[-1] == {"type": "text", "text": prompt.user}
    system = [message["content"] for message in call.body["messages"] if message["role"] == "system"]
    assert system == ([prompt.system] if prompt.system else [])
    (image,) = call.images
    head, _, data = image["url"].partition(",")
    assert (head, base64.b64decode(data)) == ("data:image/png;base64", medium.path.read_bytes())
    assert set(call.body) == {"model", "messages"}  # what is not asked for is left to the server
    assert "detail" not in image


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_attributes_are_asked_for_by_a_schema_and_in_words(server: OpenAIServer, medium: Medium, lang: str) -> None:
    server.on(says(ANSWER))
    (made,) = ask(server, medium, attributes="general", lang=lang, prompt="product")
    assert (made.status, made.text) == ("ok", ANSWER)  # as it came: the stage reads it
    schema, prompt = attributes.load("general", lang), prompts.load("product", lang)
    (call,) = server.asked
    assert call.body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "attributes", "strict": True, "schema": schema.response_schema},
    }
    assert call.parts[-1]["text"] == f"{prompt.user}\n\n{schema.instruction}"
    assert call.body["messages"][0] == {"role": "system", "content": prompt.system}
    captioner = make(server, attributes="general", lang=lang, prompt="product")
    assert dict(captioner.settings) == {"attributes": schema.id}
    assert captioner.prompt_id == prompt.id


def test_a_server_that_takes_no_schema_gets_the_words_alone(server: OpenAIServer, medium: Medium) -> None:
    message = "Unsupported parameter: 'response_format' is not supported with this model."
    server.limits = ("max_completion_tokens",)  # and another name for the limit
    server.on(fails(400, message, param="response_format"), says(ANSWER))
    made = ask(server, medium, medium, attributes="general", max_output_tokens=500)
    assert [one.text for one in made] == [ANSWER, ANSWER]
    assert ["response_format" in call.body for call in server.asked] == [True, True, False, False]
    assert ["max_completion_tokens" in call.body for call in server.asked] == [False, True, True, True]
    assert server.asked[-1].parts[-1]["text"].endswith(attributes.load("general").instruction)


def test_a_schema_that_is_wrong_ends_the_run(server: OpenAIServer, medium: Medium) -> None:
    server.on(fails(400, "Invalid schema for response_format 'attributes'", param="response_format"))
    with pytest.raises(UsageError, match="does not take response_format as it is set: Invalid schema"):
        ask(server, medium, attributes="general")


def test_a_system_prompt_goes_as_one(server: OpenAIServer, medium: Medium, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("[system]\nYou look closely.\n[user]\nWhat is it?\n")
    ask(server, medium, prompt=str(own))
    assert server.asked[0].body["messages"][0] == {"role": "system", "content": "You look closely."}
    assert server.asked[0].parts[-1]["text"] == "What is it?"


def test_a_video_goes_as_its_frames_in_order(server: OpenAIServer, tmp_path: Path) -> None:
    frames = [picture(tmp_path / f"{color}.png", color).path for color in ("red", "green", "blue")]
    video = replace(picture(tmp_path / "v.png"), mime="video/mp4", seconds=12.34, frames=tuple(frames))
    assert ask(server, video)[0].status == "ok"
    (call,) = server.asked
    assert call.parts[0]["text"] == "These are 3 frames of a video of 12.3 seconds, in the order of time."
    seen = [Image.open(io.BytesIO(base64.b64decode(one["url"].partition(",")[2]))) for one in call.images]
    assert [image.getpixel((0, 0)) for image in seen] == [(255, 0, 0), (0, 128, 0), (0, 0, 255)]


def test_a_video_without_frames_has_no_caption(server: OpenAIServer, medium: Medium) -> None:
    (caption,) = ask(server, replace(medium, seconds=3.0))
    assert (caption.status, caption.reason) == ("failed", "the video has no frames")
    assert server.asked == []


def test_webp_goes_as_it_is_only_to_those_who_read_it(
    server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    webp = picture(tmp_path / "a.webp")
    ask(server, webp)
    assert server.asked[0].images[0]["url"].startswith("data:image/jpeg;base64,")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    content = OpenAICompatible(Spec.parse("openai:m"), CaptionOptions())._content(webp)
    assert str(content[0]["image_url"]).startswith("{'url': 'data:image/webp;base64,")


def test_a_lost_or_exchanged_file_has_no_caption(server: OpenAIServer, medium: Medium, tmp_path: Path) -> None:
    exchanged = tmp_path / "b.bmp"
    exchanged.write_bytes(b"no image")
    lost = replace(medium, path=tmp_path / "lost.png")
    captions = ask(server, lost, replace(medium, path=exchanged))
    assert [caption.status for caption in captions] == ["failed", "failed"]
    assert captions[0].reason == "the file cannot be read (No such file or directory)"
    assert all(str(tmp_path) not in caption.reason for caption in captions)
    assert server.asked == []


def test_what_is_asked_for_goes_by_the_names_of_the_protocol(server: OpenAIServer, medium: Medium) -> None:
    options = {
        "temperature": 0.5,
        "top_p": 0.9,
        "caption_seed": 7,
        "max_output_tokens": 100,
        "thinking": "low",
        "media_resolution": "high",
    }
    ask(server, medium, **options)
    body = server.asked[0].body
    assert {name: body[name] for name in set(body) - {"messages", "model"}} == {
        "temperature": 0.5,
        "top_p": 0.9,
        "seed": 7,
        "max_tokens": 100,
        "reasoning_effort": "low",
    }
    assert server.asked[0].images[0]["detail"] == "high"
    assert make(server, **options).settings == options
    assert make(server).settings == {}


def test_settings_leave_out_what_does_not_change_the_text(server: OpenAIServer) -> None:
    captioner = make(server, workers=7, call_timeout=3.0, rpm=10.0, max_cost=1.0)
    assert (captioner.settings, captioner.concurrency) == ({}, 7)
    assert captioner.prompt_id == prompts.load("general").id
    assert (captioner.provider, captioner.endpoint) == ("", f"{server.place}/tiny-vlm")


@pytest.mark.parametrize("known", ["max_tokens", "max_completion_tokens"])
def test_the_limit_goes_by_the_name_that_the_server_knows(server: OpenAIServer, medium: Medium, known: str) -> None:
    server.limits = (known,)
    captions = ask(server, medium, medium, medium, max_output_tokens=50)
    assert [caption.status for caption in captions] == ["ok"] * 3
    assert [call.body.get(known) for call in server.asked[-3:]] == [50] * 3
    assert len(server.asked) == (3 if known == "max_tokens" else 4)  # it is told once


def test_the_name_of_the_limit_is_found_by_calls_at_the_same_time(server: OpenAIServer, medium: Medium) -> None:
    server.limits = ("max_completion_tokens",)
    server.pause = 0.02

    async def work() -> list[Caption]:
        async with made(server, max_output_tokens=50) as captioner:
            return await asyncio.gather(*(captioner.caption(medium) for _ in range(4)))

    assert [caption.status for caption in asyncio.run(work())] == ["ok"] * 4


def test_a_server_that_knows_no_limit_ends_the_run(server: OpenAIServer, medium: Medium) -> None:
    server.limits = ()
    with pytest.raises(UsageError, match="does not take max_completion_tokens as it is set"):
        ask(server, medium, max_output_tokens=50)
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        # pydantic's words, as vLLM and other strict servers use them
        ({"detail": [{"type": "extra_forbidden", "loc": ["body", "max_tokens"], "msg": "not permitted"}]}, 422),
        ({"error": {"message": "unknown field: max_tokens"}}, 400),
    ],
)
def test_servers_say_in_many_ways_that_they_do_not_know_a_name(
    server: OpenAIServer, medium: Medium, body: dict[str, object], status: int
) -> None:
    server.on(raw(json.dumps(body).encode(), status=status), says("A cat."))
    assert ask(server, medium, max_output_tokens=9)[0].text == "A cat."
    assert [set(call.body) - {"model", "messages"} for call in server.asked] == [
        {"max_tokens"},
        {"max_completion_tokens"},
    ]


# what becomes of an answer


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("<think>Hm, a cat?\nYes.</think>\n\nA cat.", "A cat."),
        ("Hm, a cat? Yes.</think>A cat.", "A cat."),
        ("<thinking>x</thinking>A <b>cat</b>.<reasoning>y</reasoning>", "A <b>cat</b>."),
        ("◁think▷Hm.◁/think▷A cat.", "A cat."),
        ("  A cat.\n", "A cat."),
        ("A cat who thinks: x < y > z.", "A cat who thinks: x < y > z."),
    ],
)
def test_thinking_is_no_part_of_a_caption(server: OpenAIServer, medium: Medium, text: str, left: str) -> None:
    server.on(says(text))
    (caption,) = ask(server, medium)
    assert (caption.text, caption.status) == (left, "ok")


def test_text_may_come_in_parts(server: OpenAIServer, medium: Medium) -> None:
    server.on(
        says([{"type": "thinking", "text": "Hm."}, {"type": "text", "text": "A "}, {"type": "text", "text": "cat."}])
    )
    assert ask(server, medium)[0].text == "A cat."


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (says(""), "failed", "empty answer"),
        (says(None), "failed", "empty answer"),
        (says(" \n"), "failed", "empty answer"),
        (says("<think>Only thoughts."), "failed", "empty answer"),
        (says(None, finish="tool_calls"), "failed", "empty answer (tool_calls)"),
        (raw(b'{"choices": []}'), "failed", "empty answer"),
        (says(None, refusal="I'm sorry, I cannot."), "refused", "says it cannot help"),
        (says("I'm sorry, but I can't help with that."), "refused", "says it cannot help"),
        (says("Half a", finish="content_filter"), "blocked", "content_filter"),
        (
            says(
                "",
                finish="content_filter",
                choice={"content_filter_results": {"violence": {"filtered": True}, "hate": {"filtered": False}}},
            ),
            "blocked",
            "content_filter: violence",
        ),
        (
            fails(400, "The response was filtered by our content management policy.", code="content_filter"),
            "blocked",
            "The response was filtered by our content management policy",
        ),
        (fails(403, "Your input was flagged: violence"), "blocked", "Your input was flagged: violence"),
    ],
)
def test_what_is_no_caption_says_so(
    server: OpenAIServer, medium: Medium, answer: Answer, status: str, reason: str
) -> None:
    server.on(answer)
    (caption,) = ask(server, medium)
    assert (caption.text, caption.status, caption.reason) == ("", status, reason)
    assert caption.model_version in ("tiny-vlm", "tiny-vlm-0102")


def test_a_blocked_answer_was_paid_for(server: OpenAIServer, medium: Medium) -> None:
    server.on(says("", finish="content_filter", tokens=(310, 4)))
    (caption,) = ask(server, medium)
    assert (caption.tokens_in, caption.tokens_out) == (310, 4)


@pytest.mark.parametrize(
    ("asked", "said", "second"),
    [(100, 100, 400), (None, 250, 1000), (None, 0, 4096)],
)
def test_an_answer_that_was_cut_off_is_asked_for_once_more_with_more_room(
    server: OpenAIServer, medium: Medium, asked: int | None, said: int, second: int
) -> None:
    server.on(says("A cat on a", finish="length", tokens=(300, said)), says("A cat on a mat.", tokens=(300, 130)))
    (caption,) = ask(server, medium, max_output_tokens=asked)
    assert (caption.text, caption.status, caption.attempts) == ("A cat on a mat.", "ok", 2)
    assert (caption.tokens_in, caption.tokens_out) == (600, said + 130)
    assert [call.body.get("max_tokens") for call in server.asked] == [asked, second]


def test_what_is_cut_off_twice_is_truncated(server: OpenAIServer, medium: Medium) -> None:
    server.on(says("A cat", finish="length"), says("A cat on a", finish="length"))
    (caption,) = ask(server, medium)
    assert (caption.text, caption.status, caption.reason) == ("A cat on a", "truncated", "cut off at the limit")
    assert (caption.tokens_in, caption.tokens_out, len(server.asked)) == (600, 40, 2)


def test_what_is_cut_off_before_it_began_is_no_caption(server: OpenAIServer, medium: Medium) -> None:
    server.on(says("<think>Hm", finish="length"))
    (caption,) = ask(server, medium)
    assert (caption.text, caption.status, caption.reason) == ("", "failed", "cut off before the caption began")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    "refusal",
    [
        fails(400, "max_tokens is too large: 80. This model supports at most 60.", param="max_tokens"),
        fails(400, "This model's maximum context length is 60 tokens.", code="context_length_exceeded"),
        says("", tokens=(0, 0)),
        says("<think>A longer thought", finish="length", tokens=(0, 0)),
    ],
)
def test_where_there_is_no_more_room_the_first_answer_stays(
    server: OpenAIServer, medium: Medium, refusal: Answer
) -> None:
    server.on(says("A cat on a", finish="length"), refusal)
    (caption,) = ask(server, medium)
    assert (caption.text, caption.status) == ("A cat on a", "truncated")
    assert (caption.tokens_in, caption.tokens_out) == (300, 20)


def test_what_the_first_call_took_counts_where_the_second_had_to_be_repeated(
    server: OpenAIServer, medium: Medium
) -> None:
    server.on(says("A cat on a", finish="length"), fails(429), says("A cat on a mat."))

    async def work() -> Caption:
        async with made(server) as captioner:
            with pytest.raises(Throttled):
                await captioner.caption(medium)
            return await captioner.caption(medium)

    caption = asyncio.run(work())
    assert (caption.text, caption.tokens_in, caption.tokens_out) == ("A cat on a mat.", 600, 40)
    assert [call.body.get("max_tokens") for call in server.asked] == [None, 80, 80]


# what goes wrong


def caught(server: OpenAIServer, medium: Medium, **options: object) -> Exception:
    with pytest.raises((Passing, UsageError)) as error:
        ask(server, medium, **options)
    return error.value


@pytest.mark.parametrize(
    ("headers", "message", "wait"),
    [
        ({"Retry-After": "7"}, "slow down", 7.0),
        ({"Retry-After-Ms": "1500", "Retry-After": "2"}, "slow down", 1.5),
        ({}, "Rate limit reached. Please try again in 1m2.5s.", 62.5),
        ({}, "Please try again in 20ms.", 0.02),
        ({}, "Please try again in 2h3m.", 7380.0),
        ({}, "slow down", 0.0),
        ({"Retry-After": "soon"}, "slow down", 0.0),
        ({"Retry-After": "nan"}, "slow down", 0.0),
        ({"Retry-After": "1.2.3"}, "slow down", 0.0),
        ({"Retry-After": "-5"}, "slow down", 0.0),
        ({"Retry-After": "99999999999"}, "slow down", 86400.0),
    ],
)
def test_too_many_calls_say_how_long_to_wait(
    server: OpenAIServer, medium: Medium, headers: dict[str, str], message: str, wait: float
) -> None:
    server.on(fails(429, message, code="rate_limit_exceeded", headers=headers))
    error = caught(server, medium)
    assert isinstance(error, Throttled)
    assert (error.wait, error.daily) == (pytest.approx(wait), False)
    assert len(server.asked) == 1  # one attempt: the stage tries again


def test_a_date_to_wait_for_is_understood(server: OpenAIServer, medium: Medium) -> None:
    server.on(fails(503, headers={"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)}))
    error = caught(server, medium)
    assert isinstance(error, Passing)
    assert 3000 < error.wait <= 3600


@pytest.mark.parametrize(
    "message", ["Limit 200 requests per day (RPD), used 200.", "on tokens per day", "daily limit reached"]
)
def test_a_days_quota_is_told_from_a_minutes(server: OpenAIServer, medium: Medium, message: str) -> None:
    server.on(fails(429, message, code="rate_limit_exceeded"))
    error = caught(server, medium)
    assert isinstance(error, Throttled)
    assert error.daily


@pytest.mark.parametrize("status", [408, 409, 425, 500, 502, 503, 504, 529])
def test_faults_of_the_server_may_pass(server: OpenAIServer, medium: Medium, status: int) -> None:
    server.on(fails(status, "an accident"))
    error = caught(server, medium)
    assert type(error) is Passing
    assert error.reason == f"{server.place} answered {status}: an accident"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (resets(), "no connection to"),
        (resets(at=5), "no connection to"),
        (drips(0.02), "within 0.2 s"),
        (raw(b'{"choices": [{'), "is no chat completion"),
        (raw(b"[1]"), "is no chat completion"),
        (raw(b'{"choices": "none"}'), "is no chat completion"),
        (raw(b"<html>hello</html>", kind="text/html"), "is no chat completion"),
        (raw(b""), "is no chat completion"),
        (raw(b"no gzip", headers={"Content-Encoding": "gzip"}), "no connection to"),
        (raw(b'{"error": {"code": 502, "message": "upstream died"}}'), "failed: upstream died"),
        (raw(b"<html>bad gateway</html>", status=502, kind="text/html"), "answered 502"),
    ],
)
def test_what_cannot_be_read_may_pass(server: OpenAIServer, medium: Medium, answer: Answer, reason: str) -> None:
    server.on(answer)
    # Only the answer that comes too slowly meets the limit, however busy the machine.
    error = caught(server, medium, call_timeout=0.2 if reason == "within 0.2 s" else 60)
    assert type(error) is Passing
    assert reason in error.reason
    assert "<html>" not in error.reason


def test_a_server_that_is_not_there_may_come_back(medium: Medium) -> None:
    with OpenAIServer() as server:
        pass
    error = caught(server, medium)
    assert type(error) is Passing
    assert error.reason.startswith(f"no connection to {server.place}")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (fails(401, "who are you?"), "asks for a key; set OPENAI_API_KEY"),
        (fails(402, "pay"), "no credit left"),
        (
            fails(429, "You exceeded your current quota", code="insufficient_quota", kind="insufficient_quota"),
            "no credit",
        ),
        (fails(429, "Billing hard limit has been reached"), "no credit left"),
        (fails(403, "Country not supported"), "does not allow this: Country not supported"),
        (fails(404, "The model `x` does not exist.", code="model_not_found"), "has no model tiny-vlm"),
        (fails(404, 'model "x" not found, try pulling it first'), "has no model tiny-vlm"),
        (raw(b"404 page not found", status=404, kind="text/plain"), "most end in /v1"),
        (raw(b"", status=302, headers={"Location": "http://127.0.0.1:9/"}), "sends to another address"),
        (fails(400, "tiny-vlm is not a multimodal model"), "sees no images"),
        (fails(400, "'reasoning_effort' is not supported", param="reasoning_effort"), "does not take reasoning_effort"),
    ],
)
def test_what_concerns_every_call_ends_the_run(
    server: OpenAIServer, medium: Medium, answer: Answer, problem: str
) -> None:
    server.on(answer)
    error = caught(server, medium, thinking="low")
    assert isinstance(error, UsageError)
    assert problem in str(error)
    assert error.remedy
    assert len(server.asked) == 1


def test_a_model_without_eyes_ends_the_run(server: OpenAIServer, medium: Medium) -> None:
    server.sees = False
    error = caught(server, medium)
    assert isinstance(error, UsageError)
    assert "sees no images" in error.problem


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (fails(400, "Invalid image data", code="invalid_image", param="messages"), "400: Invalid image data"),
        (fails(400, "This model does not support image format webp"), "400: This model does not support image format"),
        (fails(400, "Input is too long", code="context_length_exceeded"), "400: Input is too long"),
        (fails(413, "Request too large"), "413: Request too large"),
        (fails(422, "Cannot identify image file"), "422: Cannot identify image file"),
    ],
)
def test_what_concerns_one_image_is_its_record(
    server: OpenAIServer, medium: Medium, answer: Answer, reason: str
) -> None:
    server.on(answer, says("A cat."))
    first, second = ask(server, medium, medium)
    assert (first.text, first.status, second.status) == ("", "failed", "ok")
    assert reason in first.reason


def test_a_long_complaint_is_cut_to_one_line(server: OpenAIServer, medium: Medium) -> None:
    server.on(fails(400, "bad\nimage " * 1000))
    (caption,) = ask(server, medium)
    assert "\n" not in caption.reason
    assert len(caption.reason) < 300


# keys


def everything_of(error: BaseException) -> str:
    """All that a log or a traceback could show of it."""
    chain = []
    one: BaseException | None = error
    while one is not None:
        chain += [str(one), repr(vars(one)), repr(one.args)]
        one = one.__cause__ or one.__context__
    return "\n".join([*chain, *traceback.format_exception(error)])


ECHO = f"You sent Bearer {KEY}, and that is wrong"


@pytest.mark.parametrize(
    "answer",
    [
        *(fails(status, ECHO) for status in (401, 402, 403, 404, 408, 429, 500)),
        fails(429, ECHO, code="insufficient_quota"),
        fails(400, f"model {KEY} not found"),
        fails(400, f"{ECHO}: not a multimodal model"),
        raw(f'{{"error": {{"message": "{ECHO}"}}}}'.encode()),
        raw(ECHO.encode()),
        raw(ECHO.encode(), status=500, kind="text/plain"),
        fails(400, f"{ECHO} max_tokens unsupported"),
    ],
)
def test_no_error_holds_the_key(
    server: OpenAIServer, medium: Medium, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.on(answer)

    async def work() -> Exception | Caption:
        async with made(server, max_output_tokens=9) as captioner:
            try:
                return await captioner.caption(medium)
            except (Passing, UsageError) as error:
                return error

    outcome = asyncio.run(work())
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in (everything_of(outcome) if isinstance(outcome, Exception) else repr(outcome))


@pytest.mark.parametrize(
    "answer",
    [
        fails(400, ECHO),
        fails(400, ECHO, code="content_filter"),
        says(f"A poster that says {KEY}.", model=KEY),
        says(None, finish=KEY),
        says(None, finish="content_filter", choice={"content_filter_results": {KEY: {"filtered": True}}}),
    ],
)
def test_no_caption_holds_the_key(
    server: OpenAIServer, medium: Medium, monkeypatch: pytest.MonkeyPatch, answer: Answer
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.on(answer)
    (caption,) = ask(server, medium)
    assert KEY not in repr(caption)


def test_a_key_that_is_no_secret_blackens_nothing(
    server: OpenAIServer, medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a")
    assert ask(server, medium)[0].text == "A quiet street at dusk."


def test_without_a_key_none_is_made_up_from_elsewhere(
    server: OpenAIServer, medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ADMIN_KEY", KEY)
    ask(server, medium)
    assert KEY not in str(server.asked[0].headers)


def test_the_captioner_itself_shows_no_key(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    captioner = make(server)
    shown = [captioner.name, captioner.model_version, captioner.settings, captioner.provider, captioner.endpoint]
    assert KEY not in repr(shown) + repr(captioner)


def test_calls_to_this_machine_take_no_proxy(
    server: OpenAIServer, medium: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert ask(server, medium)[0].status == "ok"


# what it is made of


def test_the_only_model_of_a_server_need_not_be_named(server: OpenAIServer, medium: Medium) -> None:
    captioner = make(server, model="")
    assert (captioner.model_version, captioner.endpoint) == ("tiny-vlm", f"{server.place}/tiny-vlm")
    assert server.listed == 1


@pytest.mark.parametrize(("models", "problem"), [(["a", "b"], "has several: a, b"), ([], "has none")])
def test_one_of_several_models_is_named(server: OpenAIServer, models: list[str], problem: str) -> None:
    server.models = models
    with pytest.raises(UsageError, match=problem) as error:
        make(server, model="")
    assert f"openai:MODEL@{server.url}" in error.value.remedy


def test_a_server_that_is_not_there_lists_no_model() -> None:
    with OpenAIServer() as server:
        pass
    with pytest.raises(UsageError, match="does not list any"):
        make(server, model="")


@pytest.mark.parametrize(
    ("spec", "key", "problem"),
    [
        ("openai:m", "", "OpenAI needs a key; set OPENAI_API_KEY"),
        ("openai", KEY, "no model is named"),
        ("openai:m@http://example.com/v1", "", "must start with https"),
        ("openai:m@http://user:secret@127.0.0.1:1/v1", "", "must not contain a user"),
        ("openai:m@https://example.com/v1?key=secret", "", "must not contain a user"),
        ("openai:m@http://127.0.0.1:port/v1", "", "is no URL"),
        ("openai:m@http://[::1/v1", "", "is no URL"),
        ("openai:m", "sk-ключ-0123456789", "OPENAI_API_KEY has characters that no key has"),
        ("openai:m", "sk-0123 456789", "OPENAI_API_KEY has characters that no key has"),
    ],
)
def test_what_cannot_work_is_said_at_once(monkeypatch: pytest.MonkeyPatch, spec: str, key: str, problem: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(UsageError, match=problem) as error:
        OpenAICompatible(Spec.parse(spec), CaptionOptions())
    assert "secret" not in str(error.value)
    assert not key or key not in str(error.value)


def test_openai_itself_has_prices_and_the_newer_name_of_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    captioner = OpenAICompatible(Spec.parse("openai:some-model"), CaptionOptions())
    assert (captioner.provider, captioner.endpoint) == ("openai", "api.openai.com/some-model")
    assert captioner._limit_name == "max_completion_tokens"


def test_providers_are_those_of_the_price_lists() -> None:
    pytest.importorskip("genai_prices")
    from genai_prices.data_snapshot import get_snapshot

    patterns = {provider.id: provider.api_pattern for provider in get_snapshot().providers}
    assert all(
        re.match(patterns[provider], f"https://{host}/v1") for host, provider in OpenAICompatible.providers.items()
    )


def test_a_missing_package_names_the_extra(server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(MissingExtraError, match=r"yoin\[openai\]"):
        make(server)


def test_many_at_once_each_get_their_own(server: OpenAIServer, tmp_path: Path) -> None:
    async def echo(exchange: Exchange) -> None:
        data = base64.b64decode(exchange.asked.images[0]["url"].partition(",")[2])
        await says(hashlib.sha256(data).hexdigest())(exchange)

    server.on(echo)
    media = [picture(tmp_path / f"{shade}.png", f"#0000{shade:02x}") for shade in range(0, 240, 8)]

    async def work() -> list[Caption]:
        async with made(server) as captioner:
            return await asyncio.gather(*map(captioner.caption, media))

    captions = asyncio.run(work())
    assert [caption.text for caption in captions] == [medium.media_id for medium in media]


def test_it_can_be_closed_twice_and_unused(server: OpenAIServer) -> None:
    async def work() -> None:
        captioner = make(server)
        await captioner.aclose()
        await captioner.aclose()

    asyncio.run(work())
