"""What ``yoin`` offers: the names and their signatures."""

from __future__ import annotations

import inspect

import pytest

import yoin

SIGNATURES = {
    "run": (
        "table", "metric", "image", "caption", "captions", "features", "group", "weight", "audit", "audit_words",
        "concepts", "labels",
        "captioner", "model", "metric_kind", "loss", "seeds", "layer_decay", "tune", "fit_workers", "image_rung",
        "track", "recipe", "recipe_fold", "recipe_half", "recipe_mask", "recipe_last_epoch",
        "explain", "budget", "tolerance", "mask", "interactions", "sanity", "limit", "seed", "out", "sheet",
        "allow_anywhere", "allow_private", "connections", "per_host", "timeout", "retries", "max_bytes",
        "longest_side", "frames", "refresh", "workers", "batch", "batch_folder", "prompt", "lang",
        "attributes", "repeat", "repeat_sample",
        "temperature", "top_p", "caption_seed", "max_output_tokens", "thinking", "media_resolution",
        "call_timeout", "call_retries",
        "rpm", "tpm", "rpd", "max_cost", "project", "location", "ask", "progress",
    ),
    "estimate_drivers": (
        "captions", "metric", "features", "group", "weight", "media", "concepts", "extend", "labels", "attributions",
        "embed", "options", "row_ids",
    ),
    "explain": ("predict", "texts", "budget", "tolerance", "mask", "seed", "progress"),
}  # fmt: skip


def test_names() -> None:
    assert sorted(yoin.__all__) == [
        "MissingExtraError", "NothingLeftError", "Study", "StudyError", "TableError", "UsageError", "YoinError",
        "__version__", "assess_signal", "estimate_drivers", "explain", "run",
    ]  # fmt: skip
    assert len(yoin.__all__) <= 15
    assert dir(yoin) == sorted(yoin.__all__)


@pytest.mark.parametrize("name", yoin.__all__)
def test_every_name_is_there_and_documented(name: str) -> None:
    value = getattr(yoin, name)
    assert name == "__version__" or inspect.getdoc(value)


@pytest.mark.parametrize(("name", "parameters"), SIGNATURES.items())
def test_signatures(name: str, parameters: tuple[str, ...]) -> None:
    assert tuple(inspect.signature(getattr(yoin, name)).parameters) == parameters


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'no_such_name'"):
        yoin.no_such_name  # noqa: B018 - the access is the test
