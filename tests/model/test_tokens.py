"""Token ids put together from words against the tokenizer's own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from yoin import encoder
from yoin.model import tokens as module
from yoin.model.tokens import Tokens

if not encoder.installed():
    pytest.skip("needs the embedded encoder", allow_module_level=True)

pieces = [
    "a", "Dog", "dogs,", "un-believably", "é", "e\u0301", "\u0301", "犬が", "公園", "שלום", "हिन्दी", "😀",
    "[MASK]", "x[SEP]y", "[UNK]", "3.5", "\t", "\n", "\u3000", "\u00a0", "\u2028", "\x1c", "\x00", "\ufffd", "\u200b",
    "\u00ad", "ﬁ", "İ", "x" * 120, " ", "  ",
]  # fmt: skip
texts = st.text(max_size=30) | st.lists(st.sampled_from(pieces), max_size=30).map("".join)


@lru_cache
def tokenizer() -> PreTrainedTokenizerBase:
    with encoder.quiet():
        return AutoTokenizer.from_pretrained(encoder.model_path(), local_files_only=True)


@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from([4, 9, 512]))
def test_ids_are_exactly_the_tokenizer_s(some: list[str], window: int) -> None:
    tokens = Tokens(tokenizer(), window)
    assert tokens.ids(some) == encoder.tokenize(tokenizer(), some, window)
    assert tokens.ids(some) == encoder.tokenize(tokenizer(), some, window)  # and again, from memory


def test_a_stretch_is_read_once_and_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KEPT", 4)
    tokens = Tokens(tokenizer(), 512)
    for some in (["a red dog"], ["a dog", "red a"], ["one two three", "a red dog"], ["a b c d e f"]):
        assert tokens.ids(some) == encoder.tokenize(tokenizer(), some, 512)
        assert len(tokens._known) <= max(4, len(" ".join(some).split()))


def test_another_kind_of_tokenizer_reads_whole_texts(tiny_bert: Path) -> None:
    other = AutoTokenizer.from_pretrained(tiny_bert, local_files_only=True)
    tokens = Tokens(other, 8)
    some = ["warm dark", "face", "", "warm " * 20]
    assert tokens.ids(some) == encoder.tokenize(other, some, 8)
    assert tokens.ids([]) == []
    assert not tokens._known
