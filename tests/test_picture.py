"""What ``yoin explain --save`` writes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from yoin.errors import UsageError
from yoin.picture import Wanted


def test_what_is_wanted() -> None:
    assert Wanted.of(None, None) is None
    assert Wanted.of(Path("a/page.HTML"), None) == Wanted(Path("a/page.HTML"), None)
    assert Wanted.of(Path("a.png"), "3, 1,3,") == Wanted(Path("a.png"), (2, 0))


@pytest.mark.parametrize(
    ("save", "rows", "said"),
    [
        ("page.pdf", None, "explain: --save cannot write 'page.pdf'; give a name that ends in .html or .png"),
        ("page", "1", "explain: --save cannot write 'page'; give a name that ends in .html or .png"),
        ("a.png", "0", "explain: --rows cannot be '0'; give numbers of rows from 1, such as 1,5"),
        ("a.png", "1,x", "explain: --rows cannot be 'x'; give numbers of rows from 1, such as 1,5"),
        ("a.png", " ", "explain: --rows cannot be ' '; give numbers of rows from 1, such as 1,5"),
        ("a.png", "²", "explain: --rows cannot be '²'; give numbers of rows from 1, such as 1,5"),
        (None, "1", "explain: --rows says what to save; give --save FILE with it"),
    ],
)
def test_what_cannot_be_wanted(save: str | None, rows: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=f"^{re.escape(said)}\\.$"):
        Wanted.of(Path(save) if save else None, rows)
