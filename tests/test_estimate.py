from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.captions.gemini_server import GeminiServer
from yoin import pipeline
from yoin.errors import UsageError
from yoin.estimate import estimate
from yoin.stages import STAGES


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    rows = [{"image": f"{number % 35}.png", "score": float(number)} for number in range(40)]
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


def test_each_image_is_counted_once_and_nothing_is_read(table):
    found = estimate(table, image="image", metric="score", captioner="gemini", rpm=70)
    assert found.calls == 35
    assert found.measured == 0
    assert found.tokens_out > 0
    assert found.tokens_in > 35 * 100
    assert found.priced
    assert found.cost_usd > found.batch_usd > 0
    assert found.seconds == pytest.approx(30.0)


def test_the_words_that_ask_for_attributes_are_counted(table):
    def tokens(**options):
        return estimate(table, image="image", metric="score", captioner="gemini", **options).tokens_in

    assert tokens(attributes="general") > tokens() + 35 * 300
    with pytest.raises(UsageError, match="describe cannot fill in attributes"):
        estimate(table, image="image", metric="score", attributes="general")


def test_captions_made_again_are_counted(table):
    found = estimate(table, image="image", metric="score", captioner="gemini", repeat=3, repeat_sample=10)
    assert found.calls == 35 + 2 * 10


def test_without_a_price_or_without_a_cost(table):
    unknown = estimate(table, image="image", metric="score", captioner="openai:m@https://models.example.org/v1")
    assert not unknown.priced
    free = estimate(table, image="image", metric="score", captioner="openai:m@http://127.0.0.1:9/v1")
    assert (free.priced, free.cost_usd, free.tokens_in) == (True, 0.0, 0)


def test_there_must_be_something_to_caption(table):
    with pytest.raises(UsageError, match="--image"):
        estimate(table, metric="score", caption="image", captioner="gemini")


@pytest.mark.parametrize("captioner", ["gemini", "vertex", "openai:gpt-4o", "anthropic:claude-sonnet-4-5"])
def test_no_key_is_needed(table, captioner):
    found = estimate(table, image="image", metric="score", captioner=captioner)
    assert (found.calls, found.made, found.priced) == (35, 0, True)
    assert found.cost_usd > 0


def test_what_the_study_has_is_measured_and_not_counted_again(table, monkeypatch):
    for number in range(35):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(table.parent / f"{number}.png")
    out = table.parent / "s"
    with GeminiServer() as server:
        chosen = {"image": "image", "metric": "score", "captioner": f"gemini@{server.url}"}
        monkeypatch.setenv("GOOGLE_API_KEY", "a-key")
        pipeline._advance(out, pipeline.resolve(table=table, limit=34, **chosen), STAGES[:3], pipeline.silent)
        monkeypatch.delenv("GOOGLE_API_KEY")
        asked = len(server.asked)
        found = estimate(table, **chosen, out=out)
        another = estimate(table, **chosen, prompt="thumbnail", out=out)
        assert len(server.asked) == asked == 34
    assert (found.calls, found.made, found.measured) == (1, 34, 0)
    assert (another.calls, another.made, another.measured) == (35, 0, 34)
    assert 0 < found.cost_usd < another.cost_usd
