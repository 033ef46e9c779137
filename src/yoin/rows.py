"""Which rows of a study are analysed, and what stands beside their captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yoin.errors import NothingLeftError
from yoin.options import RunOptions
from yoin.study import Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MIN_ROWS = 30


def table_rows(study: Study) -> pd.DataFrame:
    """The rows with a usable metric, by row_id."""
    return study.frame("table.parquet").set_index("row_id")


def analysed(study: Study, options: RunOptions) -> pd.DataFrame:
    """The rows to analyse, those with an ok caption, with their caption and media_id beside the table's columns.

    Raises:
        NothingLeftError: fewer than 30.
    """
    captions = study.captions[study.captions["status"] == "ok"].set_index("row_id")
    rows = table_rows(study).drop(columns="caption", errors="ignore")
    joined = captions[["caption", "media_id"]].join(rows, how="inner")
    if len(joined) < MIN_ROWS:
        statuses = study.captions[study.captions["status"] != "ok"]["reason"].value_counts()
        why = f"; most often: {statuses.index[0].replace('_', ' ')} ({statuses.iloc[0]} rows)" if len(statuses) else ""
        raise NothingLeftError(
            f"only {len(joined)} rows have a caption, and at least {MIN_ROWS} are needed{why}",
            stage="captions",
            remedy="look at the reasons in captions.parquet",
        )
    return joined


def features_of(rows: pd.DataFrame, options: RunOptions) -> pd.DataFrame | None:
    """The user's other columns under their own names, None where none were asked for."""
    if not options.features:
        return None
    columns = {f"feature: {name}": name for name in options.features}
    return rows[list(columns)].rename(columns=columns)


def weight_of(rows: pd.DataFrame) -> np.ndarray | None:
    """The weights (n,), None without."""
    return rows["weight"].to_numpy() if "weight" in rows else None


def duplicates(rows: pd.DataFrame, options: RunOptions) -> list[pd.Series]:
    """The labels that duplicates share: the same media bytes, or the same caption where the table has them."""
    by_caption = options.caption is not None or options.image is None
    return [rows["media_id"], *([rows["caption"]] if by_caption else [])]
