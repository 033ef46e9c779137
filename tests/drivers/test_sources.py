from __future__ import annotations

import pandas as pd

from yoin.drivers.sources import copies, dominance, one_sided


def test_shared_images_and_captions_alike_are_told() -> None:
    media = pd.Series([f"m{n}" for n in range(80)] + ["a"] * 20)
    captions = pd.Series([f"{chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(100)])
    (said,) = copies(media, captions)
    assert said.startswith("20 of 100 rows share their image")
    captions[:12] = [f"A barn, shot {n}." for n in range(12)]
    assert copies(media, captions)[1].startswith("12 of 100 rows have a caption")


def test_without_copies_nothing_is_told() -> None:
    media = pd.Series([pd.NA] * 100)
    assert copies(media, pd.Series(["x" * (n + 1) for n in range(100)])) == []
    assert copies(media, pd.Series([""] * 100)) == []


def test_a_dominant_source_is_told_by_rows_or_by_weight() -> None:
    group = pd.Series(["a"] * 40 + ["b"] * 60)
    (said,) = dominance({"the group": group})
    assert said.startswith("60% of the rows come from one source by the group, “b”")
    (said,) = dominance({"the group": group}, [3.0] * 40 + [1.0] * 60)
    assert said.startswith("67% of the weight come from one source by the group, “a”")
    assert dominance({"the group": pd.Series(["a", "b", "c"] * 10)}) == []


def test_one_source_alone_or_none_is_no_news() -> None:
    assert dominance({"host": pd.Series(["a"] * 10), "group": pd.Series([pd.NA] * 10)}) == []


def test_a_heavy_row_is_told() -> None:
    assert dominance({}, [1.0] * 50 + [50.0]) == ["One row carries 50% of the weight."]


def test_drivers_of_one_source_are_told() -> None:
    drivers = pd.DataFrame({"concept": ["dog", "cat", "owl"], "q": [0.01, 0.01, 0.5]})
    places = [("dog", row) for row in range(10)] + [("cat", row) for row in range(0, 40, 4)] + [("owl", 1)]
    occurrences = pd.DataFrame(places, columns=["concept", "row_id"]).assign(negated=False)
    group = pd.Series(["spring"] * 8 + ["summer"] * 16 + ["autumn"] * 16)
    (said,) = one_sided(drivers, occurrences, {"the group": group})
    assert said.startswith(
        "Drivers that stand mostly in rows of one source by the group: “dog” (8 of 10 captions, “spring”)."
    )
    assert one_sided(drivers, occurrences, {"the group": pd.Series(["spring"] * 30 + ["summer"] * 10)}) == []
    assert one_sided(drivers.assign(q=0.5), occurrences, {"the group": group}) == []
    assert one_sided(drivers, occurrences.assign(negated=True), {"the group": group}) == []
