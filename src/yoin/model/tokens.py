"""Token ids of texts that share most of their words, put together from those of the words."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from yoin import encoder

MOST_KEPT = 200_000  # stretches of text


class Tokens:
    """A tokenizer that reads each stretch between blanks once.

    Where the tokenizer is BERT's, a blank always ends a token and leaves no trace, so the ids of a text are those
    of its stretches one after the other: exactly what the tokenizer itself gives. With any other tokenizer, texts
    are read whole.

    Args:
        tokenizer: with its special tokens.
        window: how many tokens a text may have, special ones included; the rest is cut.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, window: int) -> None:
        self._tokenizer = tokenizer
        self._window = window
        self._frame = _frame(tokenizer)
        self._known: dict[str, list[int]] = {}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text with its special tokens, cut to the window."""
        if self._frame is None or not texts:
            return encoder.tokenize(self._tokenizer, texts, self._window) if texts else []
        cut = [text.split(" ") for text in texts]
        self._learn(cut)
        known, room = self._known, self._window - 2
        first, last = self._frame
        found = []
        for stretches in cut:
            ids = [first]
            for stretch in stretches:
                ids += known[stretch]
            del ids[room + 1 :]
            ids.append(last)
            found.append(ids)
        return found

    def _learn(self, cut: list[list[str]]) -> None:
        new = list({stretch: None for stretches in cut for stretch in stretches if stretch not in self._known})
        if not new:
            return
        if len(self._known) + len(new) > MOST_KEPT:
            self._known.clear()
            new = list({stretch: None for stretches in cut for stretch in stretches})
        with encoder.quiet():
            encoded = self._tokenizer(new, add_special_tokens=False, truncation=False, padding=False)
        self._known.update(zip(new, encoded["input_ids"], strict=True))


def _frame(tokenizer: PreTrainedTokenizerBase) -> tuple[int, int] | None:
    """The special tokens before and after a text, or None unless the tokenizer is known to read BERT's way."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or tokenizer.truncation_side != "right":
        return None
    kinds = [type(part).__name__ for part in (backend.normalizer, backend.pre_tokenizer, backend.model)]
    blank_in_token = any(" " in token.content for token in backend.get_added_tokens_decoder().values())
    empty = encoder.tokenize(tokenizer, [""], 8)[0]
    if kinds != ["BertNormalizer", "BertPreTokenizer", "WordPiece"] or blank_in_token or len(empty) != 2:
        return None
    return empty[0], empty[1]
