from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from tests.drivers.plain import estimate_drivers
from yoin.drivers.vocabulary import MOST, concept_ids, read_concepts
from yoin.errors import UsageError
from yoin.options import DriverOptions


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.txt"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return path


def test_a_list_is_read(tmp_path: Path) -> None:
    text = "\ufeff# ours\n\n  Large   face : big face,close-up; large face\r\nno text\n富士山：富士、雪の山\n★: star\n"
    assert read_concepts(written(tmp_path, text)) == {
        "Large face": ("Large face", "big face", "close-up", "large face"),
        "no text": ("no text",),
        "富士山": ("富士山", "富士", "雪の山"),
        "★": ("star",),
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "names no concept"),
        ("# only this\n\n", "names no concept"),
        ("dog\n★\n", "line 2 of 'mine.txt': '★' has no words"),
        ("dog: cat, !!\n", "line 1 of 'mine.txt': '!!' has no words"),
        ("dog\n" + "word " * 13, "line 2 of 'mine.txt': .* has 13 words; write a few there"),
        (": cat\n", "line 1 of 'mine.txt': there is no name"),
        ("dog\ncat\n dog : hound\n", "line 3 of 'mine.txt' names the concept 'dog' again, after line 1"),
        (b"caf\xe9\n", "'mine.txt' is not UTF-8 text"),
        ("\n".join(f"word{n}" for n in range(MOST + 1)), "names more than 1,000 concepts"),
    ],
)
def test_a_list_that_is_none(tmp_path: Path, text: str | bytes, says: str) -> None:
    with pytest.raises(UsageError, match=f"concepts: .*{says}"):
        read_concepts(written(tmp_path, text))


def test_a_list_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing.txt"):
        with pytest.raises(UsageError, match="cannot be read"):
            read_concepts(path)


def test_ids_rest_on_the_name_alone() -> None:
    names = ["Warm palettes", "no text", "text", "without any text", "富士山", "★", "face of a woman", "no-text"]
    ids = concept_ids(names)
    assert ids == [
        "palette+warm", ids[1], "text", ids[3], "富士山", "★", "face+woman", "no-text",
    ]  # fmt: skip
    assert ids[1].startswith("no:text~")  # the two denials come to the same, and are marked apart
    assert ids[3].startswith("no:text~")
    assert len(set(ids)) == len(ids)
    order = list(range(len(names)))
    random.Random(0).shuffle(order)
    assert concept_ids([names[k] for k in order]) == [ids[k] for k in order]
    assert concept_ids(["no text"]) == ["no:text"]
    assert concept_ids(["palette, warm"]) == ["palette+warm"]


def planted(seed: int) -> tuple[list[str], np.ndarray]:
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    lines = (("warm palette", "cool palette"), ("large face", "small face", "no face"), ("dog", "cat", "owl"))
    captions = [". ".join(rng.choice(pool) for pool in lines) + "." for _ in range(200)]
    return captions, np.array(["warm" in caption for caption in captions]) + noise.normal(size=200)


def test_ids_are_the_same_in_other_data_and_stand_beside_the_occurrences() -> None:
    first, second = (estimate_drivers(*planted(seed)) for seed in (0, 1))
    assert list(first.ids) == first.table["concept"].tolist()
    shared = first.ids.keys() & second.ids.keys()
    assert {"warm palette", "no face"} <= shared
    assert all(first.ids[name] == second.ids[name] for name in shared)
    assert first.ids["no face"] == "no:face"
    places = first.occurrences
    assert (places["concept"].map(first.ids) == places["concept_id"]).all()


def test_a_list_beside_the_concepts_found() -> None:
    captions, metric = planted(0)
    own = {"pet": ["dog", "cat"], "palettes": ["Warm palettes"], "zebra": ["zebra"]}
    alone = estimate_drivers(captions, metric, concepts=own)
    found = estimate_drivers(captions, metric)
    both = estimate_drivers(captions, metric, concepts=own, extend=True)
    assert set(alone.table["concept"]) == set(own)
    gone = {"dog", "cat", "warm palette"}  # phrases of an own concept
    assert gone <= set(found.table["concept"])
    assert set(both.table["concept"]) == set(own) | set(found.table["concept"]) - gone
    mine, theirs = both.table.set_index("concept"), found.table.set_index("concept")
    assert mine.loc["owl", "lift"] == theirs.loc["owl", "lift"]
    assert mine.loc["pet", "n_with"] == theirs.loc["dog", "n_with"] + theirs.loc["cat", "n_with"]
    assert mine.loc["palettes", "lift"] == theirs.loc["warm palette", "lift"]
    assert both.tested == found.tested - 3 + 2
    assert set(both.occurrences["concept"]) == set(both.table["concept"]) - {"zebra"}
    assert both.occurrences["row_id"].is_monotonic_increasing
    few = estimate_drivers(captions, metric, concepts=own, extend=True, options=DriverOptions(max_concepts=4))
    assert len(few.table) == 4
    assert set(own) < set(few.table["concept"])
