"""The losses of fine-tuning, by the kind of the metric; all as steep as a squared error in standard deviations."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, huber_loss, poisson_nll_loss

from yoin.model.kinds import EDGE, MOST, Scale


def losses(output: torch.Tensor, metric: torch.Tensor, scale: Scale, loss: Literal["squared", "huber"]) -> torch.Tensor:
    """The loss of each row (n,) for the network's outputs (n,) and the metric (n,) in its own unit.

    The losses of rates, binary metrics and counts are divided by the information at the mean, so that their curvature
    there is that of the squared error; rates are quasi-binomial (Papke & Wooldridge 1996), so 0 and 1 may occur.
    """
    if scale.kind in ("real", "positive"):
        told = metric.log() if scale.kind == "positive" else metric
        wanted = (told - scale.middle) / scale.spread
        # twice Huber's: the squared error up to one sd, then straight
        return (output - wanted) ** 2 if loss == "squared" else 2 * huber_loss(output, wanted, reduction="none")
    linear = scale.middle + scale.spread * output
    if scale.kind == "count":
        mean = math.exp(scale.middle)
        lost = poisson_nll_loss(linear.clamp(max=MOST), metric, reduction="none")
        return 2 * lost / max(mean * scale.spread**2, EDGE)
    share = 1 / (1 + math.exp(-scale.middle))
    lost = binary_cross_entropy_with_logits(linear, metric, reduction="none")
    return 2 * lost / max(share * (1 - share) * scale.spread**2, EDGE)
