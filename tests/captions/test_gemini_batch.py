"""Gemini's batch interface, through the stage and the real package."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import _registry

from tests.captions.gemini_batches import described
from tests.captions.gemini_server import GeminiServer, caption, too_many
from tests.captions.scripted import Scripted, squares
from yoin.captions import batch
from yoin.captions import caption as caption_stage
from yoin.captions.gemini_batch import GeminiBatches
from yoin.errors import ConsentError, PendingError, UsageError, YoinError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Captions, Media, Medium

COUNT = 5


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key-of-the-tests")


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as running:
        yield running


@pytest.fixture
def media(tmp_path: Path) -> Media:
    return squares(tmp_path, COUNT)


@pytest.fixture
def run(server: GeminiServer, media: Media, tmp_path: Path):
    def call(**options: Any) -> Captions:
        chosen = CaptionOptions(captioner=f"gemini@{server.url}", **{"batch": True, **options})
        with Ledger(tmp_path / "ledger.db") as ledger:
            return caption_stage(media, ledger=ledger, options=chosen)

    return call


def test_sent_under_way_and_collected_at_half_the_price(server: GeminiServer, run, tmp_path: Path) -> None:
    with pytest.raises(PendingError, match="5 captions are under way in one batch job, 0 are there") as pending:
        run()
    assert pending.value.exit_code == 3
    (job,) = server.batches.jobs
    assert len(job.lines) == COUNT
    with pytest.raises(PendingError):
        run()
    with pytest.raises(PendingError):
        run(batch=False)
    assert len(server.batches.jobs) == 1
    assert not server.calls

    server.batches.state = "BATCH_STATE_SUCCEEDED"
    made = run(batch=False)
    assert made.frame["caption"].tolist() == ["A plain square."] * COUNT
    assert made.tokens_in == COUNT * 1100
    assert not server.calls
    again = run()
    assert again.calls == 0

    single = tmp_path / "single"
    single.mkdir()
    server.on(caption("A plain square.", tokens=(1100, 12)))
    with Ledger(single / "ledger.db") as ledger:
        items = {
            "0" * 64: Medium(media_id="0" * 64, path=tmp_path / "0.png", mime="image/png", width=4, height=4, bytes=1)
        }
        rows = pd.DataFrame({"media_id": list(items), "reason": "", "detail": ""}, dtype="string")
        one = caption_stage(
            Media(rows=rows, items=items), ledger=ledger, options=CaptionOptions(captioner=f"gemini@{server.url}")
        )
    assert made.cost_usd == pytest.approx(COUNT * one.cost_usd / 2)
    assert one.cost_usd > 0


def test_a_request_of_a_job_is_what_is_sent_singly(server: GeminiServer, run) -> None:
    options = {"temperature": 0.5, "max_output_tokens": 90, "media_resolution": "low", "thinking": "low"}
    with pytest.raises(PendingError):
        run(**options, attributes="general")
    sent = {line["key"]: line["request"] for line in server.batches.jobs[0].lines}
    # The job is lost, and so the same media are asked for singly.
    server.batches.state = "BATCH_STATE_EXPIRED"
    server.batches.respond = lambda request, model: None
    with pytest.raises(YoinError, match="1 batch job has failed: expired"):
        run(**options, attributes="general", batch=False)
    run(**options, attributes="general", batch=False)
    assert len(server.calls) >= COUNT
    for call in server.calls:
        twin = next(one for one in sent.values() if _plain(one["contents"]) == _plain(call.body["contents"]))
        assert _plain(twin) == _plain(call.body)


def _plain(value: Any) -> Any:
    """With names in one spelling, and base64 in one alphabet."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    spelled = {re.sub("_(.)", lambda match: match[1].upper(), name): _plain(one) for name, one in value.items()}
    if "data" in spelled:
        spelled["data"] = spelled["data"].translate(str.maketrans("-_", "+/"))
    return spelled


def test_each_answer_is_its_own_outcome(server: GeminiServer, run) -> None:
    def respond(request: dict[str, Any], model: str) -> dict[str, Any] | None:
        told = described(request, model)
        number = len(seen)
        seen.append(request)
        if number == 0:
            return {"response": {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}}}
        if number == 1:
            return {"error": {"code": 400, "message": "Unable to process input image."}}
        if number == 2:
            return None
        if number == 3:
            told["response"]["candidates"][0]["content"]["parts"][0]["text"] = "I'm sorry, but I can't help with that."
        return told

    seen: list[dict[str, Any]] = []
    with pytest.raises(PendingError):
        run()
    server.batches.state, server.batches.respond = "BATCH_STATE_SUCCEEDED", respond
    server.batches.more = b'{"key": "unknown", "response": {}}\nnot json\n["no record"]\n\n'
    server.on(caption("Singly."))
    made = run(batch=False)
    assert made.frame["status"].tolist() == ["blocked", "ok", "ok", "refused", "ok"]
    # What was rejected and what had no answer was to do again.
    assert made.frame["caption"].tolist() == ["", "Singly.", "Singly.", "", "A plain square."]
    assert len(server.calls) == 2


def test_what_a_job_that_expired_had_is_kept_and_the_rest_can_be_sent_again(server: GeminiServer, run) -> None:
    with pytest.raises(PendingError):
        run()
    half = [line["key"] for line in server.batches.jobs[0].lines[:2]]
    lines = {line["key"]: line["request"] for line in server.batches.jobs[0].lines}
    server.batches.respond = lambda request, model: (
        described(request, model) if request in [lines[key] for key in half] else None
    )
    server.batches.state = "BATCH_STATE_EXPIRED"
    with pytest.raises(PendingError, match="3 captions are under way in one batch job, 2 are there"):
        run()
    assert [len(job.lines) for job in server.batches.jobs] == [COUNT, 3]


def test_a_job_whose_creation_was_not_heard_of_is_found_again(server: GeminiServer, run) -> None:
    server.batches.silent = True
    with pytest.raises(YoinError, match="no job is sent twice"):
        run()
    assert len(server.batches.jobs) == 1
    with pytest.raises(PendingError, match="5 captions are under way"):
        run()
    assert len(server.batches.jobs) == 1
    server.batches.state = "BATCH_STATE_SUCCEEDED"
    assert run().frame["status"].eq("ok").all()


def test_a_job_that_was_never_made_is_sent_again(server: GeminiServer, run) -> None:
    server.batches.refuse = too_many(retry="3s")
    with pytest.raises(YoinError, match="did not answer as it should"):
        run()
    assert not server.batches.jobs
    with pytest.raises(PendingError):
        run()
    assert len(server.batches.jobs) == 1


def test_many_media_are_several_jobs(server: GeminiServer, run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GeminiBatches, "most_requests", 2)
    with pytest.raises(PendingError, match="5 captions are under way in 3 batch jobs"):
        run()
    assert [len(job.lines) for job in server.batches.jobs] == [2, 2, 1]
    monkeypatch.setattr(GeminiBatches, "most_bytes", 10)
    server.batches.state = "BATCH_STATE_SUCCEEDED"
    assert run(prompt="product", batch=False).frame["status"].eq("ok").all()


def test_a_job_of_another_prompt_is_collected_under_that_prompt(server: GeminiServer, run) -> None:
    with pytest.raises(PendingError):
        run(prompt="product")
    server.batches.state = "BATCH_STATE_SUCCEEDED"
    server.on(caption("Singly."))
    assert run(batch=False).frame["caption"].tolist() == ["Singly."] * COUNT
    assert run(prompt="product", batch=False).frame["caption"].tolist() == ["A plain square."] * COUNT
    assert len(server.calls) == COUNT


def test_money_is_asked_for_and_limited(server: GeminiServer, run) -> None:
    with pytest.raises(ConsentError, match="5 captions by gemini"):
        run(ask=True)
    with pytest.raises(YoinError, match="the first batch could exceed the limit of"):
        run(max_cost=0.0)
    assert not server.batches.jobs
    with pytest.raises(PendingError, match=r"were not sent, as they could exceed --max-cost"):
        run(max_cost=0.006)
    assert 0 < len(server.batches.jobs[0].lines) < COUNT


def test_a_job_that_failed_is_not_sent_again_by_itself(server: GeminiServer, run) -> None:
    with pytest.raises(PendingError):
        run()
    server.batches.state = "BATCH_STATE_FAILED"
    with pytest.raises(YoinError, match=r"1 batch job has failed: failed; .* send them again with --batch"):
        run()
    assert len(server.batches.jobs) == 1


def test_captioners_without_one_say_so(media: Media, tmp_path: Path) -> None:
    options = CaptionOptions(captioner="scripted", batch=True)
    with Ledger(tmp_path / "ledger.db") as ledger, pytest.raises(UsageError, match="scripted has no batch interface"):
        caption_stage(media, ledger=ledger, options=options, captioner=Scripted())


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> MemoryFileSystem:
    monkeypatch.setitem(_registry, "gs", MemoryFileSystem)
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    return MemoryFileSystem()


def test_vertex_reads_and_writes_a_bucket(
    server: GeminiServer, media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: MemoryFileSystem
) -> None:
    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a-token-of-the-tests")
    server.batches.bucket = bucket

    def run(**options: Any) -> Captions:
        chosen = CaptionOptions(captioner=f"vertex@{server.url}", project="p", **options)
        with Ledger(tmp_path / "ledger.db") as ledger:
            return caption_stage(media, ledger=ledger, options=chosen)

    with pytest.raises(UsageError, match="--batch-folder gs://BUCKET/PATH"):
        run(batch=True)
    with pytest.raises(PendingError, match="5 captions are under way"):
        run(batch=True, batch_folder="gs://bucket/yoin/")
    assert len(server.batches.jobs[0].lines) == COUNT
    with pytest.raises(PendingError):
        run()

    def respond(request: dict[str, Any], model: str) -> dict[str, Any]:
        first = request["labels"]["yoin-2"].endswith("0")
        return {"status": "Bad image.", "response": {}} if first else described(request, model)

    server.batches.state, server.batches.respond = "BATCH_STATE_SUCCEEDED", respond
    server.on(caption("Singly."))
    assert run().frame["caption"].tolist() == ["Singly.", *["A plain square."] * 4]
    assert len(server.calls) == 1
    assert len(server.batches.jobs) == 1


def test_a_bucket_that_cannot_be_used_is_said(
    server: GeminiServer, media: Media, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: MemoryFileSystem
) -> None:
    def refused(*arguments: object, **options: object) -> None:
        raise PermissionError("no access")

    monkeypatch.setenv("GOOGLE_OAUTH_ACCESS_TOKEN", "a-token-of-the-tests")
    monkeypatch.setattr(MemoryFileSystem, "_open", refused)
    options = CaptionOptions(captioner=f"vertex@{server.url}", project="p", batch=True, batch_folder="gs://bucket")
    with (
        Ledger(tmp_path / "ledger.db") as ledger,
        pytest.raises(YoinError, match=r"be used \(Permission"),
    ):
        caption_stage(media, ledger=ledger, options=options)


def test_half_is_the_price() -> None:
    assert batch.PRICE == 0.5
