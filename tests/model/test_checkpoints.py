"""A fine-tuning that was stopped goes on from its checkpoint, and comes out the same to the bit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.model.conftest import make_captions, make_metric
from yoin.model import fit
from yoin.model.base import outer_folds
from yoin.options import FitOptions
from yoin.values import Progress, silent

pytest.importorskip("torch")
pytestmark = pytest.mark.slow
CAPTIONS = make_captions(120)
METRIC = make_metric(CAPTIONS, 0.3)


class StopError(Exception):
    """In place of what ends a process."""


def stop_at(step: int, steps: list[int]) -> Progress:
    """A progress that notes each step and stops the fit at one."""

    def progress(done: int, total: int, detail: str) -> None:
        if "epoch" in detail:
            steps.append(done)
            if len(steps) == step:
                raise StopError

    return progress


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints after every step."""
    monkeypatch.setattr("yoin.model.checkpoints.SECONDS", 0.0)
    monkeypatch.setattr("yoin.model.checkpoints.SHARE", 1e9)


Train = Callable[..., tuple[list[float], tuple[object, ...], int]]


@pytest.fixture
def train(tiny_bert: Path) -> Train:
    """Fine-tune: predictions, rounds, and how many steps it took; a fit that is stopped gives no predictions."""
    from yoin.model.bert import BertRegressor

    def trained(place: Path | None, stop: int = 0, **options: object) -> tuple[list[float], tuple[object, ...], int]:
        model = BertRegressor(str(tiny_bert), options=FitOptions(max_epochs=3, batch_size=16, **options))
        model.checkpoints = place
        steps: list[int] = []
        try:
            model.fit(CAPTIONS, METRIC, progress=stop_at(stop, steps))
        except StopError:
            return [], (), len(steps)
        rounds = tuple(str(one) for one in model.history)  # as text: the first loss is not a number
        return model.predict(CAPTIONS).tolist(), rounds, len(steps)

    return trained


@pytest.mark.usefixtures("always")
def test_wherever_it_is_stopped_it_goes_on_to_the_same_end(train: Train, tmp_path: Path) -> None:
    whole, rounds, steps = train(None)
    per_round = steps // (len(rounds) - 1)
    for stop in (2, per_round, per_round + 1, 2 * per_round - 1, steps):
        place = tmp_path / str(stop)
        assert train(place, stop) == ([], (), stop)
        # Of the step that was stopped nothing was kept.
        assert train(place) == (whole, rounds, steps - stop + 1)
        assert train(place) == (whole, rounds, 0)


@pytest.mark.usefixtures("always")
def test_settings_tried_and_seeds_done_are_not_done_again(train: Train, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    options: dict[str, object] = {"tune": 2, "seeds": 2}
    whole, rounds, steps = train(None, **options)
    stopped = steps - 5  # in the second seed
    train(tmp_path, stopped, **options)
    sizes = [file.stat().st_size for file in sorted(tmp_path.iterdir())]  # two trials, and two seeds
    assert max(sizes[:2]) < sizes[2] / 4 < sizes[3] / 4  # of trials no weights, of what is under way more than those
    assert train(tmp_path, **options) == (whole, rounds, steps - stopped + 1)


def test_a_short_training_writes_nothing(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "checkpoints")
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.usefixtures("always")
def test_what_cannot_be_read_or_written_costs_no_more_than_itself(train: Train, tmp_path: Path) -> None:
    whole = train(None)
    place = tmp_path / "checkpoints"
    train(place, 20)
    (file,) = place.iterdir()
    good = file.read_bytes()
    for broken in (b"", good[:-100], good.replace(b'\\"steps\\"', b'\\"stept\\"'), b"\xff" * 100):
        assert broken != good
        file.write_bytes(broken)
        assert train(place) == whole
    (tmp_path / "a file").touch()
    assert train(tmp_path / "a file" / "checkpoints") == whole


@pytest.mark.usefixtures("always")
def test_a_checkpoint_of_another_encoder_is_left_alone(train: Train, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    whole = train(None)
    train(tmp_path, 20)
    file = tmp_path / "0.safetensors"
    tensors = load_file(file)
    save_file({name: value[..., :1].contiguous() if value.ndim else value for name, value in tensors.items()}, file)
    assert train(tmp_path) == whole


@pytest.mark.usefixtures("always")
def test_a_fold_of_the_ladder_goes_on_inside_and_leaves_nothing_behind(tiny_bert: Path, tmp_path: Path) -> None:
    def climb(folder: Path, progress: Progress = silent) -> list[float]:
        options = FitOptions(
            model=f"bert:{tiny_bert}", folds=2, max_epochs=2, bootstrap=100, permutations=19, fit_workers=1
        )
        found = fit(
            CAPTIONS, METRIC, outer_folds(120, None, 2, 0), row_ids=np.arange(120), features=None, group=None,
            weight=None, options=options, folder=folder, progress=progress,
        )  # fmt: skip
        return found.predictions["prediction"].tolist()

    whole, told = climb(tmp_path / "whole"), 0

    def stop_in_the_second_fold(done: int, total: int, note: str) -> None:
        nonlocal told
        told += ", fold 2 epoch 1" in note
        if told == 10:
            raise StopError

    with pytest.raises(StopError):
        climb(tmp_path / "stopped", stop_in_the_second_fold)
    assert (tmp_path / "stopped" / "training-1" / "0.safetensors").exists()
    assert climb(tmp_path / "stopped") == whole
    names = [sorted(str(item.relative_to(place)) for item in place.rglob("*")) for place in tmp_path.iterdir()]
    assert names[0] == names[1]
