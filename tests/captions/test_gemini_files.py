"""Videos that are too large for a request: uploaded through the real package to the loopback server's File API."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.captions import gemini_server as gemini
from tests.captions.gemini_server import GeminiServer
from tests.captions.test_gemini import KEY, TOKEN, ask, clean, image, with_captioner
from yoin.captions import gemini_files
from yoin.captions.base import Passing, Throttled
from yoin.captions.gemini import _VIDEO_BYTES, Gemini, Vertex
from yoin.errors import UsageError
from yoin.values import Caption, Medium

__all__ = ["clean"]  # the fixture: no keys but the planted one


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        yield running


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is being processed is looked at at once."""
    monkeypatch.setattr(gemini_files, "POLL", 0.01)


@pytest.fixture
def video(tmp_path: Path) -> Medium:
    return video_of(tmp_path, "v.mp4", b"a large video")


def video_of(folder: Path, name: str, data: bytes) -> Medium:
    (folder / name).write_bytes(data)
    frame = image(folder / f"{name}.png").path
    return Medium(
        media_id=name, path=folder / name, mime="video/mp4", width=8, height=8, bytes=_VIDEO_BYTES + 1, seconds=2.0,
        frames=(frame,), poster=frame,
    )  # fmt: skip


def named(server: GeminiServer) -> list[str]:
    """The files that calls for captions named."""
    parts = [part for asked in server.calls for part in asked.parts if "fileData" in part]
    return [(part["fileData"].get("fileUri") or part["fileData"]["file_uri"]).rpartition("/")[2] for part in parts]


def test_a_large_video_is_uploaded_named_and_deleted(server: GeminiServer, video: Medium) -> None:
    made = ask(server, video)
    assert (made.status, made.text) == ("ok", "A quiet street at dusk, a single lit window.")
    (upload,) = server.files.uploads
    assert (upload.data, upload.mime) == (b"a large video", "video/mp4")
    assert named(server) == ["file-0"]
    assert server.calls[0].media == []
    assert server.files.present == []
    start, chunk, _, delete = server.asked
    assert start.path.startswith("/upload/v1")
    assert start.headers["x-goog-api-key"] == KEY
    assert chunk.path.startswith("/upload/v1beta/files?upload_id=0")  # here, and not where the server said
    assert (delete.method, delete.headers["x-goog-api-key"]) == ("DELETE", KEY)


def test_a_file_goes_in_chunks_and_arrives_whole(server: GeminiServer, tmp_path: Path) -> None:
    data = random.Random(1).randbytes(9_000_000)
    assert ask(server, video_of(tmp_path, "v.mp4", data)).status == "ok"
    assert server.files.uploads[0].data == data
    chunks = [asked for asked in server.asked if "upload_id" in asked.path]
    assert [len(asked.raw) for asked in chunks] == [8_388_608, len(data) - 8_388_608]


def test_it_is_waited_for_until_it_is_processed(server: GeminiServer, video: Medium) -> None:
    server.files.looks = 3
    assert ask(server, video).status == "ok"
    assert server.files.uploads[0].looks == 3


def test_one_upload_serves_all_calls_about_a_medium(server: GeminiServer, video: Medium) -> None:
    """Those at the same time, those after a refusal, and those with more room."""
    server.on(
        gemini.too_many(), gemini.caption("A", finish="MAX_TOKENS"), gemini.caption("A red poster."), gemini.caption()
    )

    async def work(captioner: Gemini) -> list[Caption]:
        with pytest.raises(Throttled):
            await captioner.caption(video)
        first = await captioner.caption(video)
        return [first, *await asyncio.gather(captioner.caption(video), captioner.caption(video))]

    made = with_captioner(server, work, max_output_tokens=20)
    assert [one.status for one in made] == ["ok"] * 3
    assert made[0].attempts == 2
    assert named(server) == ["file-0"] * 5
    assert len(server.files.uploads) == 1


def test_calls_at_the_same_time_wait_for_the_one_upload(server: GeminiServer, video: Medium) -> None:
    server.files.looks = 2

    async def work(captioner: Gemini) -> list[Caption]:
        return await asyncio.gather(*(captioner.caption(video) for _ in range(4)))

    assert [one.status for one in with_captioner(server, work)] == ["ok"] * 4
    assert len(server.files.uploads) == 1


def test_an_upload_that_is_cut_off_may_pass_and_starts_anew(server: GeminiServer, video: Medium) -> None:
    server.files.cut = 4

    async def work(captioner: Gemini) -> Caption:
        with pytest.raises(Passing, match="the connection failed"):
            await captioner.caption(video)
        return await captioner.caption(video)

    assert with_captioner(server, work).status == "ok"
    assert [one.data for one in server.files.uploads] == [b"a la", b"a large video"]
    assert named(server) == ["file-1"]


def test_a_file_that_is_processed_for_too_long_may_pass(server: GeminiServer, video: Medium) -> None:
    server.files.looks = 10**9
    with pytest.raises(Passing, match=r"no answer within 0\.3 seconds"):
        ask(server, video, call_timeout=0.3)


def test_a_file_whose_call_was_given_up_is_used_by_the_next_attempt(server: GeminiServer, video: Medium) -> None:
    server.files.looks = 10**9

    async def work(captioner: Gemini) -> Caption:
        given_up = asyncio.create_task(captioner.caption(video))
        while not (server.files.uploads and server.files.uploads[0].looks):
            await asyncio.sleep(0.01)
        given_up.cancel()
        server.files.looks = 0
        return await captioner.caption(video)

    assert with_captioner(server, work).status == "ok"
    assert len(server.files.uploads) == 1


def test_a_video_that_cannot_be_processed_is_its_own_failure(server: GeminiServer, video: Medium) -> None:
    server.files.looks, server.files.failed = 1, f"The video is broken. {KEY}"
    made = ask(server, video)
    assert (made.status, made.text) == ("failed", "")
    assert made.reason == "Google cannot process the video: The video is broken. ***"
    assert not server.calls


def test_a_file_that_expired_before_the_call_is_uploaded_again(server: GeminiServer, video: Medium) -> None:
    server.files.drop = True

    async def work(captioner: Gemini) -> Caption:
        with pytest.raises(Passing, match="the uploaded video cannot be used"):
            await captioner.caption(video)
        return await captioner.caption(video)

    assert with_captioner(server, work).status == "ok"
    assert named(server) == ["file-0", "file-1"]


@pytest.mark.parametrize(("days", "uploads"), [(2.0, 1), (0.001, 2)])
def test_a_file_is_used_until_shortly_before_its_end(
    server: GeminiServer, video: Medium, days: float, uploads: int
) -> None:
    server.files.days = days

    async def work(captioner: Gemini) -> list[Caption]:
        return [await captioner.caption(video), await captioner.caption(video)]

    assert [one.status for one in with_captioner(server, work)] == ["ok", "ok"]
    assert len(server.files.uploads) == uploads


def test_no_more_is_kept_there_than_a_project_has_room_for(
    server: GeminiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemini_files, "_ROOM", _VIDEO_BYTES + 20)
    media = [video_of(tmp_path, f"{number}.mp4", b"0123456789") for number in range(3)]

    async def work(captioner: Gemini) -> list[str]:
        for medium in media:
            await captioner.caption(medium)
        return server.files.present

    assert with_captioner(server, work) == ["files/file-1", "files/file-2"]
    assert server.files.present == []


@pytest.mark.parametrize(
    ("refuse", "kind", "says"),
    [
        (gemini.bad_key(), UsageError, "did not accept"),
        (gemini.error(403, "PERMISSION_DENIED", "Billing must be enabled."), UsageError, "billing is off"),
        (gemini.too_many(retry="9s"), Throttled, "429"),
        (gemini.error(503, "UNAVAILABLE", "Try later."), Passing, "HTTP 503: Try later."),
        (gemini.reset(), Passing, "the connection failed"),
        (gemini.text(b"{}"), Passing, "the upload of the video was not completed"),
    ],
)
def test_an_upload_that_is_refused_is_like_a_call_that_is(
    server: GeminiServer, video: Medium, refuse: gemini.Answer, kind: type[Exception], says: str
) -> None:
    server.files.refuse = refuse
    with pytest.raises(kind, match=says) as caught:
        ask(server, video)
    assert caught.value.__context__ is None
    assert not server.calls


def test_an_upload_that_is_too_much_is_its_own_failure(server: GeminiServer, video: Medium) -> None:
    server.files.refuse = gemini.error(400, "INVALID_ARGUMENT", "The file is larger than 2 GB.")
    made = ask(server, video)
    assert (made.status, made.reason) == ("failed", "rejected, HTTP 400: The file is larger than 2 GB.")


def test_an_answer_without_a_file_may_pass(server: GeminiServer, video: Medium) -> None:
    server.files.malformed = True
    with pytest.raises(Passing, match="the upload of the video was not completed"):
        ask(server, video)


def test_where_there_is_no_such_api_the_frames_are_sent(
    server: GeminiServer, video: Medium, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.files.absent = True

    async def work(captioner: Gemini) -> list[Caption]:
        return [await captioner.caption(video), await captioner.caption(video)]

    assert [one.status for one in with_captioner(server, work)] == ["ok", "ok"]
    assert [[kind for kind, _ in asked.media] for asked in server.calls] == [["image/png"]] * 2
    assert len(server.asked) == 3  # it is told once

    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", TOKEN)
    assert ask(server, video, kind=Vertex, project="p").status == "ok"
    assert [kind for kind, _ in server.asked[-1].media] == ["image/png"]


def test_a_file_that_is_larger_than_any_may_be_goes_as_frames(server: GeminiServer, video: Medium) -> None:
    assert ask(server, replace(video, bytes=gemini_files.LARGEST + 1)).status == "ok"
    assert not server.files.uploads


def test_a_video_that_was_lost_is_its_own_failure(server: GeminiServer, video: Medium) -> None:
    video.path.unlink()
    made = ask(server, video)
    assert (made.status, made.reason) == ("failed", "the file cannot be read: FileNotFoundError")
    assert not server.asked
