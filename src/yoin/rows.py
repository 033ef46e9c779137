"""Which rows of a study are analysed, and what stands beside their captions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from yoin.errors import NothingLeftError
from yoin.files import digest
from yoin.options import RunOptions
from yoin.study import Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MIN_ROWS = 30
COMPARED = "prompt_captions.parquet"  # what each prompt of a comparison said


def table_rows(study: Study) -> pd.DataFrame:
    """The rows with a usable metric, by row_id."""
    return study.frame("table.parquet").set_index("row_id")


def analysed(study: Study, options: RunOptions) -> pd.DataFrame:
    """The rows to analyse, with their caption and media_id beside the table's columns.

    These are the rows with an ok caption that played no part in choosing the prompt.

    Raises:
        NothingLeftError: fewer than 30.
    """
    joined = captioned(study)
    if len(joined) < MIN_ROWS:
        statuses = study.captions[study.captions["status"] != "ok"]["reason"].value_counts()
        why = f"; most often: {statuses.index[0].replace('_', ' ')} ({statuses.iloc[0]} rows)" if len(statuses) else ""
        raise NothingLeftError(
            f"only {len(joined)} rows have a caption, and at least {MIN_ROWS} are needed{why}",
            stage="captions",
            remedy="look at the reasons in captions.parquet",
        )
    left = joined[~chose_prompt(study, joined, options)]
    if len(left) < MIN_ROWS:
        raise NothingLeftError(
            f"only {len(left)} of {len(joined)} rows played no part in choosing the prompt, and at least {MIN_ROWS} "
            "are needed",
            stage="captions",
            remedy="use a table with more rows",
        )
    return left


def captioned(study: Study) -> pd.DataFrame:
    """The rows with an ok caption, by row_id, with it and media_id beside the table's columns."""
    captions = study.captions[study.captions["status"] == "ok"].set_index("row_id")
    rows = table_rows(study).drop(columns="caption", errors="ignore")
    return captions[["caption", "media_id"]].join(rows, how="inner")


def image_stamps(study: Study, options: RunOptions) -> object:
    """What tells that a local image changed since: its size and time, without reading it."""
    if not options.image:
        return None
    stamps = []
    for cell in study.frame("table.parquet")["image"].dropna().unique():
        with suppress(OSError, ValueError):  # not there, or a URL
            status = (options.table.parent / cell).stat()
            stamps.append((cell, status.st_size, status.st_mtime_ns))
    return digest(stamps)


# Rows that helped to choose the prompt


def comparisons(study: Study) -> list[Mapping[str, Any]]:
    """What was found whenever prompts were compared, as `yoin.compare.Comparison` has it."""
    return list(study.facts("prompts")["comparisons"]) if "prompts" in study.seconds else []


def own_comparisons(study: Study) -> list[Mapping[str, Any]]:
    """Those that the prompt of the study's captions took part in."""
    known = comparisons(study)
    used = set(study.captions["prompt_id"].dropna()) - {""} if known else set()
    return [one for one in known if used & {prompt["prompt_id"] for prompt in one["ranked"]}]


def chose_prompt(study: Study, rows: pd.DataFrame, options: RunOptions) -> np.ndarray:
    """Which of ``rows`` (n,) helped to choose the prompt of the study's captions, or belong with one that did.

    Choosing looked at their metric: the prompt's captions fit these rows better than others by the very choice.
    """
    return spent(study, rows, options, [one["id"] for one in own_comparisons(study)])


def who_chose_prompt(study: Study, options: RunOptions) -> list[int] | None:
    """The row_ids that are left out for it, None without any: what tells that other rows are analysed than before."""
    if not own_comparisons(study):
        return None
    rows = captioned(study)
    return rows.index[chose_prompt(study, rows, options)].tolist() or None


def spent(study: Study, rows: pd.DataFrame, options: RunOptions, among: Collection[str] | None = None) -> np.ndarray:
    """Which of ``rows`` (n,) helped to choose in any comparison, or those ``among``, or belong with one that did."""
    import numpy as np

    from yoin import table

    wanted = {one["id"] for one in comparisons(study)} if among is None else set(among)
    if not wanted:
        return np.zeros(len(rows), dtype=bool)
    kept = study.frame(COMPARED)
    media = set(kept.loc[kept["comparison"].isin(wanted) & (kept["part"] == "selection"), "media_id"])
    block = table.blocks(labels(rows, options))
    return np.isin(block, block[rows["media_id"].isin(media).to_numpy()])


# What stands beside the captions


def labels(rows: pd.DataFrame, options: RunOptions) -> list[pd.Series]:
    """The labels that rows share which belong together: the duplicates', and the group where there is one."""
    return [*duplicates(rows, options), *([rows["group"]] if options.group else [])]


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
