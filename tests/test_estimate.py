from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from yoin.errors import UsageError
from yoin.estimate import estimate


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key")
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


def test_images_that_were_fetched_are_measured(table):
    import yoin

    for number in range(35):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(table.parent / f"{number}.png")
    out = table.parent / "s"
    captions = pd.read_csv(table).assign(caption=[f"Square number {number}." for number in range(40)])
    captions.to_csv(table, index=False)
    yoin.run(table, image="image", caption="caption", metric="score", model="tfidf", explain=0, out=out)
    assert estimate(table, image="image", metric="score", captioner="gemini", out=out).measured == 35


def test_without_a_price_or_without_a_cost(table):
    unknown = estimate(table, image="image", metric="score", captioner="openai:m@https://models.example.org/v1")
    assert not unknown.priced
    free = estimate(table, image="image", metric="score", captioner="openai:m@http://127.0.0.1:9/v1")
    assert (free.priced, free.cost_usd, free.tokens_in) == (True, 0.0, 0)


def test_there_must_be_something_to_caption(table):
    with pytest.raises(UsageError, match="--image"):
        estimate(table, metric="score", caption="image", captioner="gemini")
