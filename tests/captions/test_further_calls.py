"""Every request counts for the limits: a second one for the same caption, and one that comes to nothing too."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.captions import gemini_server as gemini
from tests.captions.attributes.forms import ANSWER, FORM, TOLD
from tests.captions.gemini_server import GeminiServer
from tests.captions.openai_server import OpenAIServer, says
from tests.captions.scripted import squares
from yoin.captions import caption, money
from yoin.errors import YoinError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions
from yoin.values import Captions

CUT, WHOLE = says("A cat on a", finish="length"), says("A cat on a mat.")
TOKENS = {"A red": (1100, 20), "A red poster.": (1100, 40)}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "GEMINI_", "OPENAI_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GOOGLE_API_KEY", "AIza" + "Planted" * 5)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.db")) as opened:
        yield opened


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    pytest.importorskip("openai")
    with OpenAIServer() as running:
        yield running


Run = Callable[..., Captions]


@pytest.fixture
def run(tmp_path: Path, ledger: Ledger) -> Run:
    def go(captioner: str, count: int = 4, **options: object) -> Captions:
        folder = tmp_path / "pictures"
        folder.mkdir(exist_ok=True)
        given = CaptionOptions.model_validate({"captioner": captioner, "workers": 1, "ask": False, **options})
        return caption(squares(folder, count), ledger=ledger, options=given)

    return go


def sent(ledger: Ledger, captioner: str) -> int:
    return ledger.calls_since(captioner, datetime.now(UTC) - timedelta(days=1))[0]


@pytest.mark.parametrize(
    ("answers", "options", "text"),
    [
        ((CUT, WHOLE), {}, "A cat on a mat."),
        ((says("no form"), says(ANSWER)), {"attributes": "form"}, TOLD),
    ],
    ids=["cut off", "not as asked"],
)
def test_second_calls_count_as_requests_of_the_day(
    server: OpenAIServer, run: Run, ledger: Ledger, tmp_path: Path,
    answers: tuple[object, ...], options: dict[str, object], text: str,
) -> None:  # fmt: skip
    if "attributes" in options:
        (tmp_path / "form.toml").write_text(FORM, encoding="utf-8")
        options = {"attributes": str(tmp_path / "form.toml")}
    name = f"openai:tiny-vlm@{server.url}"
    server.on(*answers * 10)
    # The third caption's second call would be the sixth request.
    with pytest.raises(YoinError, match=r"the 5 requests a day are used up; 2 captioned, 2 left; run again after"):
        run(name, rpd=5, **options)
    assert len(server.asked) == sent(ledger, "openai") == 5
    with pytest.raises(YoinError, match="the 5 requests a day are used up; 2 captioned, 2 left"):
        run(name, rpd=5, **options)
    assert len(server.asked) == 5
    server.on(*answers * 10)
    made = run(name, rpd=9, **options)
    assert made.frame["caption"].tolist() == [text] * 4
    assert len(server.asked) == sent(ledger, "openai") == 9
    assert made.calls == 4  # of this run


def test_both_kinds_of_a_second_call_count(server: OpenAIServer, run: Run, ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "form.toml").write_text(FORM, encoding="utf-8")
    server.on(CUT, says("no form"), CUT, says(ANSWER))
    made = run(f"openai:tiny-vlm@{server.url}", 1, rpd=4, attributes=str(tmp_path / "form.toml"))
    assert made.frame["caption"].tolist() == [TOLD]
    assert (len(server.asked), made.calls, sent(ledger, "openai")) == (4, 4, 4)
    assert (made.tokens_in, made.tokens_out) == (4 * 300, 4 * 20)


def test_a_request_under_another_name_of_an_option_counts(server: OpenAIServer, run: Run, ledger: Ledger) -> None:
    server.limits = ("max_completion_tokens",)
    name = f"openai:tiny-vlm@{server.url}"
    with pytest.raises(YoinError, match="the 3 requests a day are used up; 2 captioned, 2 left"):
        run(name, rpd=3, max_output_tokens=50)
    assert sent(ledger, "openai") == 3
    assert run(name, rpd=10, max_output_tokens=50).frame["status"].tolist() == ["ok"] * 4


@pytest.mark.parametrize("limit", [0.0, 0.003, 0.004, 0.005, 0.008, 0.012])
def test_second_calls_count_for_the_limit_of_the_cost(run: Run, ledger: Ledger, limit: float) -> None:
    pytest.importorskip("google.genai")
    model = "gemini-2.5-flash"
    with GeminiServer() as server:
        name = f"gemini:{model}@{server.url}"

        def script() -> None:
            cut = gemini.caption("A red", finish="MAX_TOKENS", tokens=TOKENS["A red"])
            server.on(*(cut, gemini.caption("A red poster.", tokens=TOKENS["A red poster."])) * 25)
            return len(server.calls)

        def spent(first: int, last: int) -> float:
            kinds = (TOKENS["A red"], TOKENS["A red poster."])
            return sum(money.cost("google", model, *kinds[(place - first) % 2]) for place in range(first, last))

        script()
        with pytest.raises(YoinError, match=r"the next call could exceed the limit of \$.* are spent; \d+ captioned"):
            run(name, 20, max_cost=limit, max_output_tokens=20)
        before = len(server.calls)
        assert ledger.spent("gemini") == pytest.approx(spent(0, before))
        assert ledger.spent("gemini") <= limit
        script()
        made = run(name, 20, max_cost=1.0, max_output_tokens=20)
        assert made.frame["status"].tolist() == ["ok"] * 20
        # What the run before had paid is told with it, a first call of which no caption came too.
        total = spent(0, before) + spent(before, len(server.calls))
        assert made.cost_usd == pytest.approx(total)
        assert ledger.spent("gemini") == pytest.approx(total)
        assert sent(ledger, "gemini") == len(server.calls)
        assert len(server.calls) - 40 == before % 2  # the one whose second call was not allowed is asked anew


def test_a_second_call_that_could_be_dearer_than_all_before_is_not_sent(run: Run, ledger: Ledger) -> None:
    pytest.importorskip("google.genai")
    with GeminiServer() as server:
        cut = gemini.caption("A red", finish="MAX_TOKENS", tokens=(1100, 20))
        server.on(cut, gemini.caption("A red poster.", tokens=(1100, 4000)))
        name = f"gemini:gemini-2.5-flash@{server.url}"
        with pytest.raises(YoinError, match=r"could exceed the limit of \$0\.0040: .*0 captioned, 1 left"):
            run(name, 1, max_cost=0.004, max_output_tokens=20)
        assert len(server.calls) == 1
        assert 0 < ledger.spent("gemini") < 0.004
        server.on(cut, gemini.caption("A red poster.", tokens=(1100, 4000)))
        assert run(name, 1, max_cost=0.1, max_output_tokens=20).frame["caption"].tolist() == ["A red poster."]
