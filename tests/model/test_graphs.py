"""Steps recorded on a CUDA device do what they do when called; skipped where there is none."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from yoin.model.graphs import Recorder  # noqa: E402

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


class Line:
    """Learns a line from (batch,) numbers by gradient steps; ``waits`` for the device at each."""

    def __init__(self, *, waits: bool = False) -> None:
        self.weight = torch.zeros(2, device="cuda", requires_grad=True)
        self.optimizer = torch.optim.AdamW(
            [self.weight], lr=torch.tensor(0.1, device="cuda"), fused=True, capturable=True
        )
        self.waits, self.calls = waits, 0

    def __call__(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        lost = ((self.weight[0] + self.weight[1] * x - y) ** 2).mean()
        if self.waits:
            lost.item()
        lost.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=False)
        return lost.detach()


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    random = torch.Generator().manual_seed(0)
    xs = [torch.randn(size, generator=random) for size in (8, 8, 16, 8, 16, 16, 4, 8, 4)]
    return [(x.cuda(), 2 * x.cuda() - 1) for x in xs]


def test_what_is_played_is_what_is_called() -> None:
    plain, recorded = Line(), Line()
    recorder = Recorder(recorded)
    lost = [(plain(*batch), recorder(*batch)) for batch in batches()]
    assert torch.equal(*(torch.stack(one) for one in zip(*lost, strict=True)))
    assert torch.equal(plain.weight, recorded.weight)
    assert recorded.calls == 1 + 3  # a plain one, and one for each shape


def test_a_rate_that_changes_counts() -> None:
    line = Line()
    recorder = Recorder(line)
    for batch in batches():
        before = line.weight.detach().clone()
        recorder(*batch)
    assert not torch.equal(line.weight, before)
    line.optimizer.param_groups[0]["lr"].fill_(0.0)
    before = line.weight.detach().clone()
    recorder(*batches()[0])
    assert torch.equal(line.weight, before)


def test_what_waits_for_the_device_is_called_each_time() -> None:
    plain, waiting = Line(), Line(waits=True)
    recorder = Recorder(waiting)
    for batch in batches():
        assert torch.equal(plain(*batch), recorder(*batch))
    assert torch.equal(plain.weight, waiting.weight)
