"""The card beside the fitted models: what they learned from, how they were judged, what they are not."""

from __future__ import annotations

import platform
from importlib.metadata import version

import numpy as np

from yoin.files import digest
from yoin.values import Fit, Reliability

_PACKAGES = ("yoin", "numpy", "scikit-learn", "torch", "transformers")


def make_card(
    fit: Fit,
    reliability: Reliability,
    captions: list[str],
    metric: np.ndarray,
    folds: np.ndarray,
    *,
    name: str,
    table: str,
    captioner: str,
) -> str:
    """A model card in Markdown.

    Args:
        fit: the fitted ladder.
        reliability: of its top rung.
        captions: n texts learned from.
        metric: (n,).
        folds: (n,).
        name: of the metric.
        table: its file's name.
        captioner: what wrote the captions.
    """
    sizes = ", ".join(f"fold {fold + 1}: {np.sum(folds == fold):,}" for fold in np.unique(folds))
    rungs = [
        f"| {_plain(rung.name)} | {rung.rmse:.4g} | {rung.r2:.3f} | {rung.r2_low:.3f} to {rung.r2_high:.3f} |"
        f" {rung.spearman:.3f} |"
        for rung in fit.rungs
    ]
    found = {name: _version(name) for name in _PACKAGES}
    software = ", ".join(f"{name} {known}" for name, known in found.items() if known)
    return "\n".join(
        [
            "---",
            "library_name: yoin",
            "tags: [text-regression, image-captions]",
            "---",
            "",
            f"# {_plain(fit.model)}: {_plain(name)} from captions",
            "",
            "## Data",
            "",
            f"- Table: {_plain(table)}; captions by {_plain(captioner)}",
            f"- Rows: {len(metric):,}; metric: mean {np.mean(metric):.4g}, from {np.min(metric):.4g} to"
            f" {np.max(metric):.4g}, learned as {fit.metric_kind}",
            f"- Fingerprint of captions and metric (SHA-256): `{digest(captions, [float(value) for value in metric])}`",
            f"- A model a fold, each of which has not seen its fold; rows held out: {sizes}",
            "",
            "## How good it is",
            "",
            f"Verdict: **{fit.signal.verdict}**. {_plain(fit.signal.reason)}",
            "",
            "Out of fold, each model on rows that it has not seen:",
            "",
            "| model | RMSE | R² | 95% interval | Spearman |",
            "| --- | --- | --- | --- | --- |",
            *rungs,
            "",
            f"A prediction from {reliability.low:+.4g} to {reliability.high:+.4g} around it holds at least"
            f" {reliability.level:.0%} of new rows like these.",
            "",
            "## Limits",
            "",
            "- It reads captions, not images: what the captioner does not say it cannot know, and captions by another"
            " captioner or prompt are other data.",
            "- It knows rows like these. Other markets, times or kinds of images need a study of their own.",
            "- It goes by what happened together with the metric, and is no proof of what causes it.",
            "- It is not meant for decisions about people.",
            *(f"- {_plain(note)}" for note in fit.notes),
            "",
            "## Files",
            "",
            "A folder a fold, safetensors and JSON only; `yoin score STUDY` predicts with them.",
            f"Made with Python {platform.python_version()}, {software}.",
            "",
        ]
    )


def _plain(text: str) -> str:
    """``text`` on one line, with nothing that Markdown or HTML reads."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]()<>#|!&" else letter for letter in " ".join(text.split()))


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return ""
