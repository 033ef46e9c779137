"""Captions of a sample made again: the same sample, each paid for once, none without consent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pandas as pd
import pytest

import yoin
from tests.captions.scripted import Scripted, media_of
from yoin.captions import caption, repeat
from yoin.errors import ConsentError, UsageError
from yoin.ledger import Ledger
from yoin.options import RepeatOptions
from yoin.values import REPEAT_COLUMNS, Caption, Captions, Medium

NAMES = tuple("abcdefgh")
MEDIA = media_of(*NAMES, None, "a")


class Varied(Scripted):
    """Never says the same twice; refuses to look at ``bad``."""

    def __init__(self) -> None:
        super().__init__(act=self.vary)
        self._numbers = count()

    async def vary(self, medium: Medium) -> Caption:
        if str(medium.path) == "h":
            return Caption(text="", status="blocked", reason="SAFETY")
        return Caption(text=f"A {medium.path}, {next(self._numbers)}.", status="ok", tokens_in=10, cost_usd=0.5)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.db") as opened:
        yield opened


@pytest.fixture
def captioner() -> Varied:
    return Varied()


@pytest.fixture
def first(ledger: Ledger, captioner: Varied) -> pd.DataFrame:
    made = caption(MEDIA, ledger=ledger, options=options(), captioner=captioner).frame
    captioner.asked.clear()
    return made


def options(**changes: object) -> RepeatOptions:
    return RepeatOptions.model_validate({"captioner": "scripted", **changes})


def again(first: pd.DataFrame, ledger: Ledger, captioner: Scripted, **changes: object) -> Captions:
    chosen = options(**changes)
    return repeat(first, MEDIA.items, ledger=ledger, options=chosen, make=lambda options: captioner)


def test_one_caption_of_each_is_no_repeat(first: pd.DataFrame, ledger: Ledger, captioner: Varied) -> None:
    made = again(first, ledger, captioner)
    assert not captioner.asked
    assert tuple(made.frame) == REPEAT_COLUMNS
    assert (len(made.frame), made.calls, made.cost_usd) == (0, 0, 0)


def test_every_medium_of_the_sample_is_asked_about_so_many_times_more(
    first: pd.DataFrame, ledger: Ledger, captioner: Varied
) -> None:
    made = again(first, ledger, captioner, repeat=3, repeat_sample=4)
    assert set(captioner.asked.values()) == {2}
    assert len(captioner.asked) == 4
    assert tuple(made.frame) == REPEAT_COLUMNS
    assert made.frame.groupby("media_id")["repeat"].apply(list).tolist() == [[1, 2]] * 4
    assert (made.calls, made.tokens_in, made.cost_usd) == (8, 80, 4.0)
    texts = {*first["caption"], *made.frame["caption"]}
    assert len(texts) == 7 + 8 + 1  # those of seven images, all repeats, and that of the blocked and the missing one

    asked = captioner.asked.copy()
    once_more = again(first, ledger, captioner, repeat=3, repeat_sample=4)
    assert captioner.asked == asked  # nothing is paid for twice
    pd.testing.assert_frame_equal(once_more.frame, made.frame)


def test_only_media_with_an_ok_caption_are_in_the_sample(
    first: pd.DataFrame, ledger: Ledger, captioner: Varied
) -> None:
    made = again(first, ledger, captioner, repeat=2)
    assert sorted(captioner.asked) == list("abcdefg")
    assert made.frame["row_id"].tolist() == list(range(10, 17))  # each under the first row that has it
    assert first["row_id"].max() > 16


def test_a_larger_sample_holds_the_smaller_one_and_another_seed_draws_another(
    first: pd.DataFrame, ledger: Ledger, captioner: Varied
) -> None:
    def sample(size: int, seed: int = 1) -> set[str]:
        return set(again(first, ledger, captioner, repeat=2, repeat_sample=size, seed=seed).frame["media_id"])

    assert sample(2) < sample(3) < sample(5)
    assert len({frozenset(sample(3, seed)) for seed in range(6)}) > 1
    shuffled = first.sample(frac=1, random_state=0)
    made = again(shuffled, ledger, captioner, repeat=2, repeat_sample=3, seed=1)
    assert set(made.frame["media_id"]) == sample(3)


def test_consent_is_asked_for_all_of_them_at_once(first: pd.DataFrame, ledger: Ledger) -> None:
    paid = Varied()
    paid.provider = "google"
    with pytest.raises(ConsentError, match=r"14 captions by scripted .* agree with --yes"):
        again(first, ledger, paid, repeat=3, ask=True)
    assert not paid.asked
    assert paid.closed == 1
    again(first, ledger, paid, repeat=3)
    assert again(first, ledger, paid, repeat=3, ask=True).calls == 0  # all there: nothing to agree to


def test_consent_to_captions_counts_the_repeats_that_follow(ledger: Ledger) -> None:
    paid = Scripted()
    paid.provider = "google"
    also = list(MEDIA.items.values())[:2]
    with pytest.raises(ConsentError, match="10 captions by scripted"):
        caption(MEDIA, ledger=ledger, options=options(ask=True), captioner=paid, also=also)


def test_captions_that_were_given_cannot_be_made_again(tmp_path: Path) -> None:
    texts = [f"A {word} picture, {number}." for number, word in enumerate(["red", "blue"] * 20)]
    pd.DataFrame({"text": texts, "score": range(40)}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(UsageError, match=r"captions: captions that were given cannot be made again; leave out"):
        yoin.run(tmp_path / "t.csv", caption="text", metric="score", repeat=2, out=tmp_path / "s")
