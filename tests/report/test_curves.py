import math

from yoin.report.curves import BOTTOM, LEFT, RIGHT, TOP, reliability_plane, training_plane
from yoin.report.trust import EpochSummary, ReliabilityBinSummary


def rounds(*losses: float | None, fold: int = 0) -> list[EpochSummary]:
    best = min(loss for loss in losses if loss is not None)
    return [
        EpochSummary(fold=fold, seed=1, epoch=epoch, train_loss=loss if epoch else math.nan, inner_loss=loss,
                     inner_rmse=1, learning_rate=0, kept=loss == best)
        for epoch, loss in enumerate(losses)
    ]  # fmt: skip


def test_training_is_drawn_a_line_a_fold_and_kind() -> None:
    plane = training_plane([*rounds(1.0, 0.8, 0.9), *rounds(1.1, 1.2, 1.0, fold=1)])
    assert plane is not None
    assert [line.kind for line in plane.lines] == ["train", "inner", "train", "inner"]
    assert len(plane.dots) == 2
    assert plane.dots[0].x == (LEFT + RIGHT) / 2
    assert plane.dots[0].y > plane.dots[1].y  # a smaller loss stands lower
    assert all(TOP <= dot.y <= BOTTOM for dot in plane.dots)
    assert [tick.label for tick in plane.x_ticks] == ["0", "1", "2"]
    assert plane.lines[0].path.count("L") == 1  # round 0 has no training loss


def test_nothing_to_draw_is_nothing() -> None:
    assert training_plane([]) is None
    assert training_plane(rounds(1.0)) is None
    assert reliability_plane([]) is None
    same = [ReliabilityBinSummary(n=9, predicted=1.0, observed=2.0, std_error=0.1)] * 5
    assert reliability_plane(same) is None


def test_reliability_has_a_dot_a_bin_and_the_line_of_equality() -> None:
    bins = [ReliabilityBinSummary(n=9, predicted=k, observed=k, std_error=0.2) for k in (1.0, 2.0, 3.0)]
    plane = reliability_plane(bins)
    assert plane is not None
    first = plane.dots[0]
    assert plane.lines[0].path.startswith(f"M{first.x} {first.y}L")
    assert first.low > first.y > first.high
