"""What captions cost: of tokens that were used, and an estimate before anything is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from yoin.errors import UsageError
from yoin.values import Caption, Medium

TOKENS_OUT = 150  # a caption of a few sentences
_MILLION = 1_000_000
_WHOLE = frozenset({"video/mp4", "video/webm", "video/quicktime"})  # videos that go to Google as they are
_SOUND = 32  # tokens of a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What captioning would take: calls, tokens, and US dollars now and through a batch interface (half).

    The tokens of images follow the providers' documented rules, those of texts and answers are rough: an estimate.
    Where ``priced`` is false no price is known, and the costs are 0.
    """

    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    batch_usd: float
    priced: bool


def cost(provider: str, model: str, tokens_in: int, tokens_out: int) -> float:
    """US dollars for these tokens; 0 where the provider is "" or no price is known (see `priced`)."""
    if not provider or not (tokens_in or tokens_out):
        return 0.0
    return _price(provider, model, tokens_in, tokens_out) or 0.0


def with_cost(made: Caption, provider: str, model: str) -> Caption:
    """``made`` with its cost: by the model that answered, or where that one has no price by ``model``."""
    if not provider:
        return made
    tokens = made.tokens_in, made.tokens_out
    by_answer = cost(provider, made.model_version, *tokens) if made.model_version else 0.0
    return replace(made, cost_usd=by_answer or cost(provider, model, *tokens))


def priced(provider: str, model: str) -> bool:
    """Whether the cost of calls is known: there is a price, or the provider is "" and calls are free."""
    return not provider or _price(provider, model, _MILLION, _MILLION) is not None


def require_price(provider: str, model: str) -> None:
    """See that a limit on the cost can be held.

    Raises:
        UsageError: no price is known.
    """
    if not priced(provider, model):
        raise UsageError(
            f"the price of {model or 'this model'} is not known, so that its cost cannot be limited",
            stage="captions",
            remedy="leave out --max-cost, or use a model with a known price",
        )


def estimate(
    media: Iterable[Medium],
    prompt_text: str,
    provider: str,
    model: str,
    *,
    media_resolution: str | None = None,
    tokens_out: int = TOKENS_OUT,
) -> Estimate:
    """What it would take to caption each of ``media`` once, by the documented rules; nothing is asked.

    Args:
        media: images, and videos as their frames.
        prompt_text: system and user prompt.
        provider: as genai-prices names it; "" where calls are free.
        model: the model asked for.
        media_resolution: low, medium or high, for a Gemini model that knows it.
        tokens_out: tokens of one answer, those of thinking too.
    """
    text = text_tokens(prompt_text)
    calls = tokens_in = 0
    for medium in media:
        calls += 1
        tokens_in += text + medium_tokens(medium, provider, model, media_resolution)
    total_out = calls * tokens_out
    now = cost(provider, model, tokens_in, total_out)
    return Estimate(
        calls=calls,
        tokens_in=tokens_in,
        tokens_out=total_out,
        cost_usd=now,
        batch_usd=now / 2,
        priced=priced(provider, model),
    )


def text_tokens(text: str) -> int:
    """About how many tokens a text takes: a quarter of its Latin characters, each of the others."""
    latin = sum(character < "\u0250" for character in text)
    return math.ceil(latin / 4) + len(text) - latin


def medium_tokens(medium: Medium, provider: str, model: str, media_resolution: str | None = None) -> int:
    """About how many tokens the images of a medium take; a video that Google is sent whole is taken by its length."""
    if medium.is_video and provider.startswith("google") and medium.mime in _WHOLE:
        return math.ceil(medium.seconds) * (_SOUND + _google_second(model, media_resolution))
    rules = {"google": _google_tokens, "anthropic": _area_tokens}
    rule = rules.get(provider.partition("-")[0], _tile_tokens)
    # The size of the original: a scaled copy or a frame is no larger, so that the estimate is not too low.
    return max(1, len(medium.views)) * rule(medium.width, medium.height, model, media_resolution)


def _google_second(model: str, media_resolution: str | None) -> int:
    """Of a video: it is looked at once a second."""
    if _is_older(model):
        return 66 if media_resolution == "low" else 258
    return 280 if media_resolution == "high" else 70


def _is_older(model: str) -> bool:
    return model.rpartition("/")[2].startswith(("gemini-1", "gemini-2"))


def _google_tokens(width: int, height: int, model: str, media_resolution: str | None) -> int:
    if not _is_older(model):  # since Gemini 3 by the resolution asked for
        return {"low": 280, "medium": 560}.get(media_resolution or "", 1120)
    if max(width, height) <= 384 or media_resolution == "low":
        return 258 if media_resolution != "low" else 64
    tile = min(768, max(256, min(width, height) // 1.5))
    return 258 * math.ceil(width / tile) * math.ceil(height / tile)


def _area_tokens(width: int, height: int, model: str, media_resolution: str | None) -> int:
    """One for each 750 pixels, after the image was made to fit 1568 pixels and about 1.2 million."""
    scale = min(1.0, 1568 / max(width, height, 1))
    return min(1600, math.ceil(width * scale * height * scale / 750))


def _tile_tokens(width: int, height: int, model: str, media_resolution: str | None) -> int:
    """85 for the image and 170 for each tile of 512 pixels, after it was made to fit 2048 and its short side 768."""
    scale = min(1.0, 2048 / max(width, height, 1))
    scale *= min(1.0, 768 / max(1.0, min(width, height) * scale))
    return 85 + 170 * math.ceil(max(1.0, width * scale) / 512) * math.ceil(max(1.0, height * scale) / 512)


def _price(provider: str, model: str, tokens_in: int, tokens_out: int) -> float | None:
    from genai_prices import Usage, calc_price

    try:
        usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out)
        return float(calc_price(usage, model_ref=model.removeprefix("models/"), provider_id=provider).total_price)
    except LookupError:
        return None
