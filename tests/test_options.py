from __future__ import annotations

import pytest

from yoin.options import Spec


@pytest.mark.parametrize(
    ("text", "name", "model", "base_url"),
    [
        ("describe", "describe", "", ""),
        ("gemini:gemini-3.5-flash-lite", "gemini", "gemini-3.5-flash-lite", ""),
        ("openai:qwen3-vl:4b@http://127.0.0.1:8000/v1", "openai", "qwen3-vl:4b", "http://127.0.0.1:8000/v1"),
        ("openai:a@http://b@https://c/v1", "openai", "a@http://b", "https://c/v1"),
        ("bert:google-bert/bert-base-cased", "bert", "google-bert/bert-base-cased", ""),
        ("hf:C:\\models\\vlm", "hf", "C:\\models\\vlm", ""),
        ("openai:name@home", "openai", "name@home", ""),
    ],
)
def test_spec_splits_at_the_first_colon_and_the_last_at_http(text: str, name: str, model: str, base_url: str) -> None:
    assert Spec.parse(text) == Spec(name=name, model=model, base_url=base_url)
