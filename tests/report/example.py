"""A made-up study, as real as the report needs: drawn images, captions, drivers and explanations."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

from yoin.explanations.interactions import Pairwise
from yoin.explanations.result import to_pairs
from yoin.language import sentences
from yoin.options import ReportOptions
from yoin.report.bias import AgreementSummary, AuditSummary, MentionSummary, SubgroupSummary
from yoin.report.explained import DeletionSummary, ExplanationsSummary, PrecisionSummary, SanitySummary
from yoin.report.html import render
from yoin.report.sizes import ab_tests, next_test
from yoin.report.summary import (
    CaptionsSummary,
    ColumnSummary,
    DriverInteraction,
    DriversSummary,
    LabelledSummary,
    MediaSummary,
    MissingSummary,
    ModelSummary,
    RatersSummary,
    RowsSummary,
    SignalSummary,
    Summary,
    summarize_metric,
    summarize_preview,
)
from yoin.report.trust import (
    EpochSummary,
    GroupResidualSummary,
    LeakSummary,
    RecipeEpochSummary,
    RecipeSummary,
    ReliabilityBinSummary,
    ReliabilitySummary,
    SeedSummary,
)
from yoin.values import CAPTION_COLUMNS, DRIVER_COLUMNS, EXPLANATION_COLUMNS, OCCURRENCE_COLUMNS, PREDICTION_COLUMNS

# concept, the sentence that says it, effect, share of the images
FACTS = (
    ("warm palette", "The palette is warm, mostly orange and red.", 0.55, 0.45),
    ("dark scene", "The scene is dark with deep shadows.", -0.42, 0.4),
    ("large face", "A large face fills the centre 🙂 of the picture.", 0.31, 0.35),
    ("much text", "Much text covers the lower third.", -0.22, 0.5),
    ("strong contrast", "The contrast is strong.", 0.05, 0.5),
    ("empty space", "Wide empty space surrounds the figure.", 0.02, 0.3),
    ("symmetry", "The layout is symmetric.", -0.04, 0.25),
    ("富士山", "背景に富士山が見える。", 0.12, 0.2),
)
BASE = 6.2
PAIRED = 10


@dataclass(frozen=True)
class Example:
    """What `render` takes."""

    summary: Summary
    drivers: pd.DataFrame
    occurrences: pd.DataFrame
    captions: pd.DataFrame
    metric: pd.Series
    labels: pd.Series | None
    predictions: pd.DataFrame
    explanations: pd.DataFrame
    pairs: pd.DataFrame
    images: dict[str, Path]
    seconds: dict[str, float]
    frames: dict[str, list[Path]]

    def html(self, options: ReportOptions | None = None) -> str:
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return render(given.pop("summary"), **given, max_pixels=10_000_000, options=options or ReportOptions())

    def with_summary(self, **changes: Any) -> Example:
        return replace(self, summary=self.summary.model_copy(update=changes))


def draw_poster(path: Path, has: np.ndarray, shade: int) -> None:
    """A poster that shows what its caption says."""
    back = (190 + shade % 40, 110, 50) if has[0] else (60, 110, 170 + shade % 60)
    if has[1]:
        back = tuple(value // 3 for value in back)
    image = Image.new("RGB", (120, 180), back)
    pen = ImageDraw.Draw(image)
    radius = 42 if has[2] else 16
    pen.ellipse((60 - radius, 70 - radius, 60 + radius, 70 + radius), fill=(235, 200, 170))
    for line in range(6 if has[3] else 1):
        pen.rectangle((14, 120 + 9 * line, 106 - shade % 30, 124 + 9 * line), fill=(240, 240, 240))
    image.save(path, "PNG")


def make_example(
    folder: Path,
    *,
    rows: int = 120,
    explained: int = 40,
    verdict: str = "signal",
    features: bool = True,
    images: bool = True,
    drivers: bool = True,
    videos: bool = False,
    lost: bool = False,
    hostile: str = "",
    seed: int = 7,
) -> Example:
    """A study of ``rows`` posters.

    With ``videos`` every third one is a video, with ``lost`` many rows have no usable image; ``hostile`` is put into
    every text that comes from a user or a model.
    """
    random = np.random.default_rng(seed)
    has = random.random((rows, len(FACTS))) < np.array([share for *_, share in FACTS])
    effects = np.array([effect for _, _, effect, _ in FACTS])
    metric = pd.Series(np.round(BASE + has @ effects + random.normal(0, 0.7, rows), 1), index=range(rows))
    opening = f"A poster {hostile} in portrait format. "
    captions, files, occurrences, spans, pairs, predictions = [], {}, [], [], [], []
    for row in range(rows):
        said = [sentence for (_, sentence, *_), yes in zip(FACTS, has[row], strict=True) if yes]
        text = opening + " ".join(said)
        media_id = hashlib.sha256(f"{seed} {row}".encode()).hexdigest()
        if images:
            path = folder / f"{row:04d}.png"
            draw_poster(path, has[row], row)
            files[media_id] = path
        captions.append((row, media_id if images else None, text, "ok", "", "describe", "1", "d"))
        prediction = BASE + 0.7 * float(has[row] @ effects)
        predictions += [(row, "tfidf", row % 5, metric[row], BASE), (row, "minilm", row % 5, metric[row], prediction)]
        for (concept, sentence, *_), yes in zip(FACTS, has[row], strict=True):
            if yes:
                at = text.index(sentence)
                occurrences.append((row, concept + hostile, at, at + len(sentence) - 1, False))
        if row < explained:
            values = {sentence: 0.7 * effect for _, sentence, effect, _ in FACTS}
            for start, end in sentences(text):
                value = values.get(text[start:end], 0.0)
                spans.append((row, start, end, text[start:end], value, BASE, prediction, 0.01))
        if row < min(explained, PAIRED):
            pairs.append((row, _pairwise(text, random)))
    table = pd.DataFrame(
        [
            _driver(concept + hostile, has[:, k], metric.to_numpy(), features, k)
            for k, (concept, *_) in enumerate(FACTS)
        ],
        columns=list(DRIVER_COLUMNS),
    )
    labels = pd.Series([f"images/poster {row}{hostile}.png" for row in range(rows)], index=range(rows))
    preview = pd.DataFrame(
        {"image": labels[:5], f"rating{hostile}": metric[:5].astype(str), "title": ["=1+1", "Ä ö", "猫", "שלום", "x"]}
    )
    if not drivers:
        table, occurrences = table.iloc[:0], []
    sd = float(metric.std())
    failed = {"not_found": 34, "timeout": 21, "bomb": 2} if lost else {"not_found": 3}
    summary = Summary(
        title=f"What goes with rating {hostile}".strip(),
        metric=summarize_metric(f"rating{hostile}", metric),
        rows=RowsSummary(
            read=rows + 6 + sum(failed.values()), used=rows,
            dropped={"no_metric": 4, **{f"{reason}{hostile}": n for reason, n in failed.items()}, "blocked": 2},
        ),
        media=_media(rows, failed, videos) if images else MediaSummary(),
        captions=CaptionsSummary(
            captioner="describe",
            describes="It measures colours, light, faces and text: a floor. A vision-language model sees far more.",
            ok=rows, blocked=2, missing=sum(failed.values()), calls=rows,
        ),
        models=(
            ModelSummary(name="mean", rmse=sd, r2=-0.002, r2_low=-0.006, r2_high=0.001, spearman=None, seconds=0.01),
            ModelSummary(name="tfidf", rmse=0.8 * sd, r2=0.31, r2_low=0.24, r2_high=0.38, spearman=0.56, seconds=1.2),
            ModelSummary(name="frozen", rmse=0.79 * sd, r2=0.33, r2_low=0.26, r2_high=0.41, spearman=0.58, seconds=6.1),
            ModelSummary(name="minilm", rmse=0.77 * sd, r2=0.36, r2_low=0.28, r2_high=0.43, spearman=0.6, seconds=140),
        ),
        signal=_signal(verdict),
        metric_kind="real",
        seeds=(SeedSummary(seed=42, rmse=0.78 * sd, r2=0.35), SeedSummary(seed=43, rmse=0.79 * sd, r2=0.34)),
        training=tuple(
            EpochSummary(
                fold=fold, seed=42, epoch=epoch, train_loss=None if not epoch else 0.9 - 0.1 * epoch,
                inner_loss=1 - 0.12 * epoch + 0.02 * epoch**2 + 0.01 * fold, inner_rmse=sd, learning_rate=1e-4,
                kept=epoch == 3,
            )
            for fold in range(3)
            for epoch in range(5)
        ),
        reliability=ReliabilitySummary(
            model="minilm", level=0.9, low=-1.3, high=1.2, coverage=0.912,
            bins=tuple(
                ReliabilityBinSummary(n=rows // 10, predicted=5.8 + 0.1 * k, observed=5.7 + 0.12 * k, std_error=0.1)
                for k in range(10)
            ),
            groups=(GroupResidualSummary(group=f"spring{hostile}", n=9, mean=-0.4, std_error=0.1, rmse=0.8),),
        ),
        leaks=(
            LeakSummary(
                kind="rating", rows=12, share=0.1, r2=0.97, row_id=4,
                sentence=f"the caption says '8.5/10{hostile}': 12 captions hold a rating",
            ),
        ),
        drivers=DriversSummary(tested=len(table), significant=int((table["q"] < 0.05).sum()), uncovered=0.08,
                               notes=("Near-synonyms are merged with the frozen encoder.",), pairs=7,
                               pairs_significant=1, interactions=(
                                   DriverInteraction(
                                       concept=f"dog{hostile}", other=f"year from 1990{hostile}", column="year",
                                       n_both=31, difference=1.25, difference_low=0.5, difference_high=2.0, q=0.0123,
                                       with_other=0.75, without_other=-0.5, turns=True,
                                   ),
                               )),
        explanations=ExplanationsSummary(
            captions=explained, model="minilm" if explained else "", budget=256, additivity_residual=3.1e-7,
            calls=240 * explained, paired=min(explained, PAIRED), std_error=0.01, typical_value=0.2,
            precision=PrecisionSummary(
                kind="bfloat16", texts=320, largest_error=0.004, mean_error=0.001, spread=0.4, rank_correlation=0.9996,
                used=True,
            ),
            deletion=_deletion() if explained else None,
            sanity=SanitySummary(captions=9, correlation=0.04, size=0.2, passed=True) if explained else None,
        ),
        missing=MissingSummary(
            n_missing=9, difference=-0.6, low=-1.1, high=-0.1, p=0.02,
            sentence="Rows without a caption have a lower rating than the rest: what follows may not hold for them.",
        ),
        audit=AuditSummary(
            set_apart=1,
            mentions=(
                MentionSummary(topic=f"age{hostile}", mention=f"old{hostile}", n_with=30, n_without=90, prevalence=0.25,
                               lift=-0.2, low=-0.4, high=0.0, p=0.05, q=0.1),
                MentionSummary(topic="skin", mention="tone", n_with=3, n_without=117, prevalence=0.025),
            ),
            subgroups=(
                SubgroupSummary(column=f"region{hostile}", group=f"north{hostile}", n=80, mean=6.1, rmse=0.7,
                                residual=0.1, low=-0.1, high=0.3, p_adjusted=0.4),
                SubgroupSummary(column="region", group="south", n=5, mean=5.9, rmse=0.9, residual=-0.1),
            ),
            agreement=(AgreementSummary(concept=f"barn{hostile}", images=30, agreed=0.9, kappa=0.7),),
            warnings=(f"60% of the rows come from one source{hostile}.",),
        ),
        recipe=RecipeSummary(
            model=f"bert:{hostile}", fold=0, rows=24, half=False, mask=False, last_epoch=False, epoch=2, seconds=61.0,
            epochs=tuple(RecipeEpochSummary(epoch=1 + at, train_loss=2.0 - at, rmse=1.2 - 0.1 * at) for at in (0, 1)),
            rmse=1.1, r2=-0.02, ours_rmse=0.9, ours_r2=0.21, gain=0.23, gain_low=0.05, gain_high=0.4,
        ),
        labels=(
            LabelledSummary(concept=f"barn{hostile}", concept_id="barn", yes=31, no=66, sensitivity=0.81,
                            specificity=0.9, kappa=0.7, lift=0.31, lift_low=0.1, lift_high=0.52, corrected=0.44,
                            corrected_low=0.12, corrected_high=0.76,
                            raters=RatersSummary(raters=2, images=97, agreed=0.9, kappa=0.78, ties=3)),
            LabelledSummary(concept="owl", concept_id="owl", yes=2, no=95,
                            note=f"not corrected: only 2 answers are yes{hostile}"),
        ),
        reasons={"not_found": "There is no such image."},
        next_test=next_test(table, sd),
        tests=ab_tests(table, sd),
        columns=(
            ColumnSummary(name="image", kind="image", blanks=3, distinct=rows, examples=("images/poster 1.png",)),
            ColumnSummary(
                name=f"rating{hostile}", kind="number", blanks=4, distinct=31, low="3.9", high="8.4",
                unread=1, unread_example=f"n/a{hostile}",
            ),
            ColumnSummary(name="title", kind="text", blanks=0, distinct=rows),
        ),
        preview=summarize_preview(preview),
        notes=("Two rows share one image and were kept in one fold.",),
        seconds={"table": 0.1, "captions": 71.3, "model": 148.0, "explain": 63.0, "drivers": 2.2},
        versions={"yoin": "0.1.0", "python": "3.11.2", "numpy": "2.0.0"},
        options={"table": {"path": "posters.csv", "metric": f"rating{hostile}", "features": ("year",)}, "seed": 42},
        reproduce=f"yoin run posters.csv --image image --metric 'rating{hostile}' --features year",
    )  # fmt: skip
    return Example(
        summary=summary,
        drivers=table,
        occurrences=pd.DataFrame([(*one, one[1]) for one in occurrences], columns=list(OCCURRENCE_COLUMNS)),
        captions=pd.DataFrame(captions, columns=list(CAPTION_COLUMNS)),
        metric=metric,
        labels=labels,
        predictions=pd.DataFrame(predictions, columns=list(PREDICTION_COLUMNS)),
        explanations=pd.DataFrame(spans, columns=list(EXPLANATION_COLUMNS)),
        pairs=to_pairs(pairs),
        images=files,
        seconds={
            media_id: 0.0 if place % 3 or not videos else 7.5 * place + 4.2 for place, media_id in enumerate(files)
        },
        frames={
            media_id: [*files.values()][place : place + 6]
            for place, media_id in enumerate(files)
            if videos and not place % 3
        },
    )


def _pairwise(text: str, random: np.random.Generator) -> Pairwise:
    """The first sentences of a caption, all others together, and what they add alone and in pairs."""
    spans = (*sentences(text)[:4], (-1, -1))
    halves = random.normal(0, 0.1, (len(spans), len(spans)))
    return Pairwise(text, spans, halves + halves.T)


def _deletion() -> DeletionSummary:
    shares = np.linspace(0, 1, 11)
    top = BASE + 0.4 * (1 - shares)
    bow = 0.5 * shares * (1 - shares)
    return DeletionSummary(
        captions=20, shares=tuple(shares), highest_first=tuple(top - bow), lowest_first=tuple(top + bow),
        random=tuple(top), gap=0.08, gap_low=0.05, gap_high=0.11,
    )  # fmt: skip


def _media(rows: int, failed: dict[str, int], videos: bool) -> MediaSummary:
    """What became of the images: where 20 rows have one reason, those of the most frequent one are clearly lower."""
    present = rows + 2
    compared = {
        reason: MissingSummary(
            n_missing=n, n_present=present, mean_missing=BASE - gap, mean_present=BASE, difference=-gap,
            low=-gap - 0.41, high=-gap + 0.41, p=p, p_adjusted=p_adjusted,
            sentence=f"{n} rows: their metric is {gap} lower than that of the {present} rows with a usable image.",
        )
        for (reason, n), gap, p, p_adjusted in zip(
            failed.items(), (0.82, 0.21, 0.0), (0.0001, 0.31, 1.0), (0.0002, 0.31, 1.0), strict=False
        )
        if n >= 20
    }  # fmt: skip
    n = sum(failed.values())
    p = 0.01 if n > 20 else None
    return MediaSummary(
        images=present, distinct=rows, videos=(rows + 2) // 3 if videos else 0, bytes=48_300_000, failed=failed,
        missing=MissingSummary(
            n_missing=n, n_present=present, mean_missing=BASE - 0.5, mean_present=BASE, difference=-0.5,
            low=-0.9, high=-0.1, p=p, p_adjusted=p, sentence=f"{n} of {n + present} rows have no usable image.",
        ),
        missing_by_reason=compared,
        fewest_compared=20,
    )  # fmt: skip


def _signal(verdict: str) -> SignalSummary:
    reason = {
        "signal": "The captions predict 36% of the variance of rating on unseen rows (95% interval 28% to 43%).",
        "weak": "The captions predict rating, but only 1.2% of its variance; drivers this weak are easily wrong.",
        "none": "On unseen rows no model beat the mean: R² 0.008, 95% interval −0.003 to 0.017, which holds 0.",
    }[verdict]
    r2, low, high, p = {
        "signal": (0.36, 0.28, 0.43, 0.005),
        "weak": (0.012, 0.003, 0.02, 0.02),
        "none": (0.008, -0.003, 0.017, 0.21),
    }[verdict]
    return SignalSummary(verdict=verdict, rung="minilm", quantity="r2", r2=r2, r2_low=low, r2_high=high, p=p,
                         permutations=199, test_rung="frozen", reason=reason)  # fmt: skip


def _driver(concept: str, has: np.ndarray, metric: np.ndarray, features: bool, place: int) -> tuple[object, ...]:
    n_with, n_without = int(has.sum()), int((~has).sum())
    lift = float(metric[has].mean() - metric[~has].mean())
    half = 1.96 * float(np.hypot(metric[has].std() / n_with**0.5, metric[~has].std() / n_without**0.5))
    p = float(np.exp(-0.5 * (lift / half * 1.96) ** 2))
    near = 0.8 * lift
    adjusted = (near, near - half, near + half) if features else (None, None, None)
    note = "SHAP and lift disagree in sign" if place == 5 else ""
    return (
        concept, f"{concept}, {concept}s", n_with, n_without, n_with / len(has), lift, lift - half, lift + half,
        *adjusted, None, None, None, p, min(1.0, 2 * p), 100 / (place + 2) / 1.9, 0.1, -0.1, 0.9, None, note,
    )  # fmt: skip
