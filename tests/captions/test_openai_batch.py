"""OpenAI's batch interface, through the stage and the real package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.captions.openai_batches import completion
from tests.captions.openai_server import OpenAIServer, says
from tests.captions.scripted import squares
from yoin.captions import caption as caption_stage
from yoin.errors import PendingError, UsageError, YoinError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Captions

COUNT = 4


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as running:
        yield running


@pytest.fixture
def run(server: OpenAIServer, tmp_path: Path):
    media = squares(tmp_path, COUNT)

    def call(**options: Any) -> Captions:
        chosen = CaptionOptions(captioner=f"openai:tiny-vlm@{server.url}", **{"batch": True, **options})
        with Ledger(tmp_path / "ledger.db") as ledger:
            return caption_stage(media, ledger=ledger, options=chosen)

    return call


def test_sent_under_way_and_collected(server: OpenAIServer, run) -> None:
    with pytest.raises(PendingError, match="4 captions are under way in one batch job"):
        run()
    with pytest.raises(PendingError):
        run(batch=False)
    assert len(server.batches.jobs) == 1
    assert server.batches.jobs[0]["endpoint"] == "/v1/chat/completions"
    server.batches.status = "completed"
    made = run(batch=False)
    assert made.frame["caption"].tolist() == ["A plain square."] * COUNT
    assert (made.tokens_in, made.tokens_out) == (COUNT * 300, COUNT * 20)
    assert not server.asked


def test_a_request_of_a_job_is_what_is_sent_singly(server: OpenAIServer, run) -> None:
    options = {"temperature": 0.5, "max_output_tokens": 90, "media_resolution": "low"}
    with pytest.raises(PendingError):
        run(**options)
    server.batches.status, server.batches.respond = "completed", lambda body: None
    with pytest.raises(YoinError, match="it has no answers"):
        run(**options)
    run(**options, batch=False)
    sent = [line["body"] for line in server.batches.files[0]]
    assert len(server.asked) == COUNT
    assert all(asked.body in sent for asked in server.asked)


def test_each_answer_is_its_own_outcome(server: OpenAIServer, run) -> None:
    with pytest.raises(PendingError):
        run()
    bodies = [line["body"] for line in server.batches.files[0]]

    def respond(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        number = bodies.index(body)
        status, said = completion(body) or (0, {})
        if number == 0:
            return 400, {"error": {"message": "This image cannot be read.", "type": "invalid_request_error"}}
        if number == 1:
            said["choices"][0]["finish_reason"] = "content_filter"
        if number == 2:
            return None
        return status, said

    server.batches.status, server.batches.respond = "expired", respond
    server.on(says("Singly."))
    made = run(batch=False)
    assert made.frame["status"].tolist() == ["ok", "blocked", "ok", "ok"]
    assert made.frame["caption"].tolist() == ["Singly.", "", "Singly.", "A plain square."]
    assert len(server.asked) == 2


def test_a_job_that_failed_says_why(server: OpenAIServer, run) -> None:
    with pytest.raises(PendingError):
        run()
    server.batches.status, server.batches.message = "failed", "The file has no requests."
    with pytest.raises(YoinError, match="1 batch job has failed: failed: The file has no requests"):
        run()


def test_a_server_without_one_says_so_and_nothing_is_under_way(server: OpenAIServer, run) -> None:
    server.batches.absent = True
    with pytest.raises(UsageError, match="has no batch interface; leave out --batch"):
        run()
    server.on(says("Singly."))
    assert run(batch=False).frame["status"].eq("ok").all()
