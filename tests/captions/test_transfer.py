from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from yoin.captions.transfer import export_captions, import_captions
from yoin.errors import UsageError
from yoin.ledger import Ledger
from yoin.values import Caption

GOOD = Caption(text="A cat, 猫.", status="ok", model_version="m", tokens_in=3, tokens_out=2, cost_usd=0.5, attempts=4)
BAD = Caption(text="", status="failed", reason="timeout")
KEYS = [letter * 64 for letter in "abc"]


def filled(path: Path, *captions: Caption) -> Ledger:
    ledger = Ledger(path)
    for key, made in zip(KEYS, captions, strict=False):
        ledger.put_caption(key, "d" * 64, "gemini", "p", made)
    return ledger


def test_captions_come_back_as_they_went(tmp_path: Path) -> None:
    with filled(tmp_path / "one.db", GOOD, BAD) as one, Ledger(tmp_path / "two.db") as two:
        assert export_captions(one, tmp_path / "c.parquet") == 2
        assert import_captions(two, tmp_path / "c.parquet") == 2
        assert two.captions(KEYS) == one.captions(KEYS) == {KEYS[0]: GOOD, KEYS[1]: BAD}
        assert two.caption_rows() == one.caption_rows()
        assert import_captions(two, tmp_path / "c.parquet") == 0


def test_an_ok_caption_is_never_overwritten_and_only_by_one_is_another(tmp_path: Path) -> None:
    other = Caption(text="Another.", status="ok", cost_usd=0.25)
    with (
        filled(tmp_path / "one.db", other, other, BAD) as one,
        filled(tmp_path / "two.db", GOOD, BAD, Caption(text="", status="blocked", cost_usd=1.0)) as two,
    ):
        export_captions(one, tmp_path / "c.parquet")
        assert import_captions(two, tmp_path / "c.parquet") == 1
        found = two.captions(KEYS)
        assert [found[key].status for key in KEYS] == ["ok", "ok", "blocked"]
        assert (found[KEYS[0]], found[KEYS[1]]) == (GOOD, other)


def test_an_empty_ledger_has_an_empty_file(tmp_path: Path) -> None:
    with Ledger(tmp_path / "one.db") as ledger:
        assert export_captions(ledger, tmp_path / "c.parquet") == 0
        assert import_captions(ledger, tmp_path / "c.parquet") == 0


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("key", "short", "no hash"),
        ("status", "fine", "unknown status"),
        ("text", " ", "ok without a text"),
        ("reason", None, "has no reason"),
        ("cost_usd", float("nan"), "no usable cost_usd"),
        ("tokens_in", -1, "no usable tokens_in"),
    ],
)
def test_one_wrong_row_changes_nothing(tmp_path: Path, column: str, value: object, said: str) -> None:
    with filled(tmp_path / "one.db", GOOD, GOOD) as one, Ledger(tmp_path / "two.db") as two:
        export_captions(one, tmp_path / "c.parquet")
        frame = pd.read_parquet(tmp_path / "c.parquet")
        frame.loc[1, column] = value
        frame.to_parquet(tmp_path / "c.parquet")
        with pytest.raises(UsageError, match=rf"row 2: a caption of c\.parquet .*{said}"):
            import_captions(two, tmp_path / "c.parquet")
        assert two.captions(KEYS) == {}


def test_another_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "c.parquet").write_bytes(b"<html>")
    pd.DataFrame({"caption": ["x"]}).to_parquet(tmp_path / "d.parquet")
    with Ledger(tmp_path / "one.db") as ledger:
        with pytest.raises(UsageError, match=r"c\.parquet cannot be read as Parquet"):
            import_captions(ledger, tmp_path / "c.parquet")
        with pytest.raises(UsageError, match=r"d\.parquet has no column key"):
            import_captions(ledger, tmp_path / "d.parquet")
        with pytest.raises(UsageError, match="cannot be read"):
            import_captions(ledger, tmp_path / "not there.parquet")
