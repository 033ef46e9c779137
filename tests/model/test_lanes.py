"""How folds are shared out among cores, memory and accelerators."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yoin import hub
from yoin.errors import UsageError
from yoin.model import lanes
from yoin.model.lanes import Lane, lanes_for, on_accelerators, on_processor, quickest, reckoned
from yoin.options import FitOptions

COUNT = st.integers(1, 12)


@given(folds=COUNT, cores=st.integers(1, 64), most=COUNT)
def test_nothing_is_reckoned_to_be_quicker_than_what_is_chosen(folds: int, cores: int, most: int) -> None:
    chosen = quickest(folds, cores, most)
    assert 1 <= chosen <= min(folds, cores, most)
    times = [reckoned(folds, workers, cores, most) for workers in range(1, min(folds, cores, most) + 1)]
    assert min(times) == times[chosen - 1]


@given(folds=COUNT, cores=st.integers(1, 64), most=COUNT, asked=st.none() | COUNT)
def test_lanes_on_the_processor_share_its_cores(folds: int, cores: int, most: int, asked: int | None) -> None:
    chosen = on_processor(folds, cores, most, asked)
    assert set(chosen) == {Lane("cpu", max(1, cores // len(chosen)))}
    assert len(chosen) == (min(folds, asked) if asked else quickest(folds, cores, most))


def test_one_core_or_little_memory_is_one_fold_at_a_time() -> None:
    assert on_processor(5, 1, 8, None) == [Lane("cpu", 1)]
    assert on_processor(5, 16, 0, None) == [Lane("cpu", 16)]


def test_every_accelerator_has_a_lane_and_they_are_shared_where_more_are_asked_for() -> None:
    two = ["cuda:0", "cuda:1"]
    assert on_accelerators(5, two, 16, None) == [Lane("cuda:0", 8), Lane("cuda:1", 8)]
    assert on_accelerators(5, two, 2, 3) == [Lane("cuda:0", 1), Lane("cuda:1", 1), Lane("cuda:0", 1)]
    assert on_accelerators(5, ["mps:0"], 8, None) == [Lane("mps:0", 8)]
    assert len(on_accelerators(5, [f"cuda:{number}" for number in range(8)], 64, None)) == 5


def test_what_is_there_decides(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = FitOptions(model=f"bert:{tiny_bert}")
    monkeypatch.setattr(lanes, "threads", lambda: 16)
    monkeypatch.setattr(lanes, "memory", lambda: 2**36)
    assert len(lanes_for(5, options)) == 1  # a tiny encoder
    monkeypatch.setattr(lanes, "SMALLEST", 0)
    assert len(lanes_for(5, options)) == quickest(5, 16, 5) > 1
    assert len(lanes_for(5, options.model_copy(update={"fit_workers": 1}))) == 1
    assert len(lanes_for(1, options)) == 1
    assert len(lanes_for(5, FitOptions(model="tfidf", fit_workers=4))) == 1
    monkeypatch.setattr(lanes, "memory", lambda: 2**31)  # room for one
    assert len(lanes_for(5, options)) == 1
    monkeypatch.setattr(lanes, "accelerators", lambda: ["cuda:0", "cuda:1"])
    assert [lane.device for lane in lanes_for(5, options)] == ["cuda:0", "cuda:1"]
    monkeypatch.setattr(lanes, "accelerators", list)
    with pytest.raises(UsageError, match="there is no folder"):
        lanes_for(5, FitOptions(model="bert:./nowhere"))


def test_this_machine(tiny_bert: Path) -> None:
    from transformers import AutoModel

    assert lanes.memory() > 2**27
    assert lanes.threads() >= 1
    network = AutoModel.from_pretrained(tiny_bert)
    assert lanes.numbers_in(tiny_bert) == sum(item.numel() for item in network.parameters())
    if hub.best_device().type == "cpu":
        assert hub.accelerators() == []
        hub.use_device("cpu")
        assert hub.best_device().type == "cpu"


def test_the_number_of_workers_is_no_part_of_what_a_fit_is() -> None:
    given_, plain = FitOptions(fit_workers=3), FitOptions()
    assert given_.model_dump(mode="json") == plain.model_dump(mode="json")
