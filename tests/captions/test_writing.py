"""Words without an image: their requests count as those for captions do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.captions import openai_server
from tests.captions.gemini_server import GeminiServer, bad_key, caption, error
from tests.captions.openai_server import OpenAIServer
from yoin.captions import money, write
from yoin.errors import UsageError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions

SINCE = datetime.now(UTC) - timedelta(hours=1)
COST = money.cost("google", "gemini-3.5-flash", 100, 50)


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key-of-the-tests")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def gemini() -> Iterator[GeminiServer]:
    with GeminiServer() as server:
        server.on(caption("In short.", tokens=(100, 50)))
        yield server


def asking(server: GeminiServer, model: str = "gemini-3.5-flash", **options: float) -> CaptionOptions:
    return CaptionOptions(captioner=f"gemini:{model}@{server.url}", **options)


def on_record(ledger: Ledger, captioner: str = "gemini") -> tuple[int, float]:
    return ledger.calls_since(captioner, SINCE)[0], ledger.spent(captioner)


def test_a_call_and_its_cost_are_on_record(ledger: Ledger, gemini: GeminiServer) -> None:
    made = write("A brief.", asking(gemini, rpd=2, max_cost=1), ledger)
    assert (made.text, made.cost_usd) == ("In short.", COST)
    assert on_record(ledger) == (1, COST)
    write("A brief.", asking(gemini), ledger)
    assert on_record(ledger) == (2, 2 * COST)
    assert COST > 0


def test_one_that_fails_counts_and_costs_nothing(ledger: Ledger, gemini: GeminiServer) -> None:
    gemini.on(error(503, "UNAVAILABLE", "busy"), bad_key())
    assert write("A brief.", asking(gemini), ledger).status == "failed"
    with pytest.raises(UsageError):
        write("A brief.", asking(gemini), ledger)
    assert on_record(ledger) == (2, 0.0)


@pytest.mark.parametrize(
    ("model", "options", "why"),
    [
        ("gemini-3.5-flash", {"rpd": 3}, "the 3 requests a day are used up"),
        ("gemini-3.5-flash", {"max_cost": 0.5}, r"it could exceed the limit of $0.50 on what this study costs"),
        ("gemini-of-nobody", {"max_cost": 5}, "its price is not known, so that its cost cannot be limited"),
    ],
)
def test_what_the_limits_do_not_allow_is_not_sent(
    ledger: Ledger, gemini: GeminiServer, model: str, options: dict[str, float], why: str
) -> None:
    ledger.lose_calls("a caption's", "gemini", 3, 0.4999)
    made = write("A brief.", asking(gemini, model, **options), ledger)
    assert (made.status, made.reason) == ("failed", why)
    assert not gemini.calls
    assert on_record(ledger) == (3, 0.4999)


@pytest.mark.parametrize(("rpd", "status"), [(2, "ok"), (1, "failed")])
def test_a_further_request_counts_too(ledger: Ledger, rpd: int, status: str) -> None:
    pytest.importorskip("openai")
    with OpenAIServer(limits=("max_completion_tokens",)) as server:
        server.on(openai_server.says("In short.", tokens=(30, 4)))
        options = CaptionOptions(captioner=f"openai:tiny@{server.url}", max_output_tokens=50, rpd=rpd)
        made = write("A brief.", options, ledger)
        assert made.status == status
        assert len(server.asked) == rpd
        assert on_record(ledger, "openai") == (rpd, 0.0)
        assert made.tokens_in + made.tokens_out == (34 if status == "ok" else 0)
