"""What people said of a sample of images, concept by concept, against the captions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from yoin.drivers.concepts import Concepts
from yoin.drivers.corrected import Corrected, correct
from yoin.drivers.effects import Interval
from yoin.drivers.robust import Floats, Ints
from yoin.drivers.vocabulary import concept_ids
from yoin.errors import UsageError
from yoin.values import CORRECTED_COLUMNS

CHANCE = "chance"
LITTLE = 0.4  # kappa below it is slight or fair agreement (Landis and Koch 1977)


def check_answers(labels: pd.DataFrame, row_ids: Ints) -> pd.DataFrame:
    """``labels`` by row_id: ``chance``, and a column a concept with 1, 0 or NaN; rows without any answer left out.

    Raises:
        UsageError: no table, a row_id twice or without a caption, an answer that is neither true nor false, or a chance
            that is none.
    """
    if not isinstance(labels, pd.DataFrame):
        raise UsageError("labels is not a DataFrame", stage="drivers", remedy="give a column a concept")
    table = labels.set_index("row_id") if "row_id" in labels.columns else labels
    if not table.columns.is_unique or not table.index.is_unique:
        what = "row" if table.columns.is_unique else "column"
        raise UsageError(f"labels has the same {what} twice", stage="drivers", remedy="keep one of them")
    unknown = ~table.index.isin(row_ids)
    if unknown.any():
        raise UsageError(f"labels has the row_id {table.index[unknown][0]}, which has no caption", stage="drivers")
    answers = {}
    for name in table.columns.drop(CHANCE, errors="ignore"):
        cells = table[name].astype(object).where(table[name].notna(), np.nan)
        wrong = ~(cells.isna() | cells.isin([0, 1]))  # True and False are 1 and 0
        if wrong.any():
            raise UsageError(
                f"the label {str(cells[wrong].iloc[0])[:40]!r} of {name!r} is neither true nor false", stage="drivers",
                row=int(np.flatnonzero(wrong)[0]) + 1, remedy="leave it blank where nobody looked",
            )  # fmt: skip
        answers[str(name)] = cells.astype(float)
    found = pd.DataFrame(answers, index=table.index)
    found = found[found.notna().any(axis=1)]
    chance = pd.Series(1.0, index=found.index)
    if CHANCE in table.columns:
        chance = pd.to_numeric(table.loc[found.index, CHANCE], errors="coerce").astype(float)
        wrong = ~((chance > 0) & (chance <= 1)).to_numpy()
        if wrong.any():
            raise UsageError(
                "a chance is not a number above 0 and up to 1", stage="drivers",
                row=int(np.flatnonzero(table.index == found.index[wrong][0])[0]) + 1,
                remedy="give the one with which the row was drawn",
            )  # fmt: skip
    found.insert(0, CHANCE, chance)
    return found


def corrected_lifts(
    answers: pd.DataFrame,
    vocabulary: Concepts,
    lift: Interval,
    y: Floats,
    row_ids: Ints,
    *,
    weight: Floats | None,
    units: Ints | None,
    min_rows: int,
) -> tuple[pd.DataFrame, list[str]]:
    """The concepts that people answered about, with `yoin.values.CORRECTED_COLUMNS`, and what else there is to say.

    Args:
        answers: from `check_answers`; a concept is known by its name, else by its id.
        vocabulary: the concepts in the captions.
        lift: their lifts by the captions.
        y: the metric, shape (rows,).
        row_ids: of the rows.
        weight: positive, shape (rows,); None for equal weights.
        units: numbers of the clusters; None for independent rows.
        min_rows: the least rows on either side.
    """
    ids = concept_ids(vocabulary.labels)
    by_id = {concept_id: k for k, concept_id in enumerate(ids)}
    by_name = {label: k for k, label in enumerate(vocabulary.labels)}
    aligned = answers.reindex(row_ids)
    chance = aligned.pop(CHANCE).to_numpy(dtype=np.float64)
    notes, rows = [], []
    names = [str(name) for name in aligned.columns]
    for name, concept_id in zip(names, concept_ids(names), strict=True):
        k = by_name.get(name, by_id.get(concept_id))
        if k is None:
            notes.append(f"there are labels for “{name}”, which is not among the concepts")
            continue
        said = vocabulary.present[:, [k]].toarray()[:, 0]
        found = correct(
            y, said, aligned[name].to_numpy(dtype=np.float64), chance, weight=weight, units=units, min_rows=min_rows
        )
        rows.append(
            {
                "concept": vocabulary.labels[k], "concept_id": ids[k], "yes": found.yes, "no": found.no,
                "sensitivity": found.sensitivity, "specificity": found.specificity, "kappa": found.kappa,
                "lift": lift.value[k], "lift_low": lift.low[k], "lift_high": lift.high[k],
                "corrected": found.lift, "corrected_low": found.low, "corrected_high": found.high,
                "note": _note(found, lift.low[k], lift.high[k]),
            }
        )  # fmt: skip
    left_out = len(answers.index.difference(pd.Index(row_ids)))
    if left_out:
        notes.append(f"labels of {left_out} rows that are not analysed were left out")
    return pd.DataFrame(rows, columns=list(CORRECTED_COLUMNS)), notes


def _note(found: Corrected, low: float, high: float) -> str:
    """What to know about a corrected lift, where that of the captions has the interval ``low`` to ``high``."""
    if found.reason:
        return f"not corrected: {found.reason}"
    said = ["captions and people agree little"] if found.kappa < LITTLE else []
    if found.low * found.high <= 0 and low * high > 0:
        said.append("clear by the captions alone")
    elif found.low * found.high > 0 and low * high > 0 and found.low * low < 0:
        said.append("the captions have it the wrong way round")
    elif found.low * found.high > 0 and low * high <= 0:
        said.append("clear by what people saw, not by the captions")
    return "; ".join(said)
