from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.captions.scripted import medium
from yoin.captions import money
from yoin.errors import UsageError

MODEL = "gemini-2.5-flash"


def sized(width: int, height: int, **more: object) -> object:
    return replace(medium("a"), width=width, height=height, **more)  # type: ignore[arg-type]


def test_a_cost_is_tokens_times_prices() -> None:
    assert money.cost("google", MODEL, 1_000_000, 100_000) == pytest.approx(0.30 + 0.25)
    assert money.cost("google", f"models/{MODEL}", 1_000_000, 0) == pytest.approx(0.30)


def test_what_has_no_price_costs_nothing_and_says_so() -> None:
    assert money.cost("google", "nobody-knows", 10, 10) == money.cost("nobody", MODEL, 10, 10) == 0
    assert money.cost("", MODEL, 10, 10) == 0
    assert not money.priced("google", "nobody-knows")
    assert money.priced("google", MODEL)
    assert money.priced("", "a-local-model")
    with pytest.raises(UsageError, match="the price of nobody-knows is not known"):
        money.require_price("google", "nobody-knows")


@pytest.mark.parametrize(
    ("width", "height", "provider", "model", "tokens"),
    [
        (384, 384, "google", MODEL, 258),
        (960, 540, "google", MODEL, 258 * 6),  # tiles of 360
        (100, 4000, "google", MODEL, 258 * 16),  # never smaller than 256
        (4000, 3000, "google", "gemini-3.1-flash-lite", 1120),
        (750, 100, "anthropic", "claude-sonnet-4-5", 100),
        (4000, 3000, "anthropic", "claude-sonnet-4-5", 1600),
        (512, 512, "openai", "gpt-4o", 85 + 170),
        (1024, 1024, "openai", "gpt-4o", 85 + 170 * 4),  # made 768 × 768
        (2048, 4096, "openai", "gpt-4o", 85 + 170 * 6),  # made 1024 × 2048, then 768 × 1536
    ],
)
def test_images_take_tokens_by_the_documented_rules(
    width: int, height: int, provider: str, model: str, tokens: int
) -> None:
    assert money.medium_tokens(sized(width, height), provider, model) == tokens  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "resolution", "tokens"),
    [
        (MODEL, None, 61 * (258 + 32)),
        (MODEL, "low", 61 * (66 + 32)),
        ("gemini-3.8-flash", None, 61 * (70 + 32)),
        ("gemini-3.8-flash", "high", 61 * (280 + 32)),
    ],
)
def test_a_video_that_goes_whole_takes_tokens_by_the_second(model: str, resolution: str | None, tokens: int) -> None:
    video = sized(640, 360, seconds=60.5, frames=(Path("1"),) * 6, mime="video/mp4")
    assert money.medium_tokens(video, "google", model, resolution) == tokens  # type: ignore[arg-type]
    assert money.medium_tokens(video, "openai", "gpt-4o") == 6 * (85 + 170 * 2)  # type: ignore[arg-type]


def test_an_estimate_adds_up_and_a_batch_costs_half() -> None:
    image = sized(384, 384)
    video = sized(384, 384, seconds=3.0, frames=(Path("1"), Path("2")))
    made = money.estimate([image, video], "x" * 40, "google", MODEL, tokens_out=100)  # type: ignore[list-item]
    assert (made.calls, made.tokens_in, made.tokens_out, made.priced) == (2, 3 * 258 + 2 * 10, 200, True)
    assert made.cost_usd == pytest.approx(money.cost("google", MODEL, made.tokens_in, 200))
    assert made.batch_usd == pytest.approx(made.cost_usd / 2)
    free = money.estimate([image], "説明して", "", "local")  # type: ignore[list-item]
    assert (free.cost_usd, free.priced, money.text_tokens("説明して")) == (0, True, 4)
