"""The user's plain lists, Series and DataFrames, checked and made into arrays."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from yoin.drivers.robust import Floats, Ints
from yoin.errors import UsageError


def finite_column(name: str, values: ArrayLike, *, rows: int | None = None, positive: bool = False) -> Floats:
    """``values`` as float64, shape (rows,).

    Raises:
        UsageError: not one-dimensional, of another length, or with an entry that is not a finite number (or,
            for ``positive``, is below zero).
    """
    series = pd.Series(values) if not isinstance(values, pd.Series) else values
    if rows is not None and len(series) != rows:
        raise UsageError(f"{name} has {len(series)} entries and captions {rows}", stage="drivers")
    if series.dtype == bool:
        series = series.astype(float)
    numbers = pd.to_numeric(series, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        cell = series.iloc[int(wrong[0])]
        what = "is missing" if pd.isna(cell) else f"is not a number: {str(cell)[:40]!r}"
        raise UsageError(f"the {name} {what}", stage="drivers", row=int(wrong[0]) + 1, remedy="leave such rows out")
    if positive and (numbers < 0).any():
        row = int(np.flatnonzero(numbers < 0)[0])
        raise UsageError(f"the {name} is negative", stage="drivers", row=row + 1, remedy="use weights above zero")
    return numbers


def labels_of(name: str, values: Sequence[Hashable] | pd.Series, rows: int) -> pd.Series:
    """``values`` as a Series with a plain index; each blank label becomes a label of its own.

    Raises:
        UsageError: of another length.
    """
    if isinstance(values, str) or not hasattr(values, "__len__"):
        raise UsageError(f"{name} is not a list of labels", stage="drivers", remedy="give one label a row")
    series = pd.Series(list(values), dtype=object)
    if len(series) != rows:
        raise UsageError(f"{name} has {len(series)} entries and captions {rows}", stage="drivers")
    blank = series.isna() | (series == "")
    codes = pd.Series(pd.factorize(series.where(~blank))[0])
    codes[blank] = codes.max() + 1 + np.arange(int(blank.sum()))
    return codes


def cluster_numbers(rows: int, labels: Sequence[pd.Series]) -> Ints | None:
    """Numbers 0, 1, … of the clusters: rows that share any of the ``labels``; None where every row stands alone."""
    offset, edges = rows, []
    for series in labels:
        codes = series.to_numpy(dtype=np.int64)
        edges.append((np.arange(rows), offset + codes))
        offset += int(codes.max(initial=-1)) + 1
    if not edges:
        return None
    left, right = (np.concatenate(side) for side in zip(*edges, strict=True))
    graph = sparse.coo_array((np.ones(len(left)), (left, right)), shape=(offset, offset))
    component = connected_components(graph, directed=False)[1][:rows]
    clusters = np.unique(component, return_inverse=True)[1].astype(np.int64)
    return None if int(clusters.max(initial=-1)) + 1 == rows else clusters


def texts_of(captions: Sequence[str] | pd.Series) -> tuple[list[str], list[bool]]:
    """The captions as texts, and which of them are usable (not missing, not blank).

    Raises:
        UsageError: not a list, or an entry is neither a text nor missing.
    """
    if isinstance(captions, str | bytes) or not hasattr(captions, "__len__"):
        raise UsageError("captions is not a list of texts", stage="drivers", remedy="give one caption a row")
    texts: list[str] = []
    usable: list[bool] = []
    for row, caption in enumerate(captions):
        if isinstance(caption, str):
            texts.append(caption)
            usable.append(bool(caption.strip()))
        elif pd.api.types.is_scalar(caption) and pd.isna(caption):
            texts.append("")
            usable.append(False)
        else:
            raise UsageError(f"the caption is not a text but {type(caption).__name__}", stage="drivers", row=row + 1)
    return texts, usable


def features_of(features: pd.DataFrame | Mapping[str, Sequence[object]] | None, rows: int) -> pd.DataFrame | None:
    """The other columns as a DataFrame, None where there are none.

    Raises:
        UsageError: no table, or another number of rows.
    """
    if features is None:
        return None
    if not isinstance(features, pd.DataFrame | Mapping):
        raise UsageError("features is not a table", stage="drivers", remedy="give a DataFrame or a mapping of columns")
    if isinstance(features, pd.DataFrame):
        frame = features
    else:
        columns = {}
        for name, values in features.items():
            if len(values) != rows:
                raise UsageError(f"the feature {name!r} has {len(values)} entries and captions {rows}", stage="drivers")
            columns[name] = pd.Series(list(values))
        frame = pd.DataFrame(columns)
    if not len(frame.columns):
        return None
    if len(frame) != rows:
        raise UsageError(f"features has {len(frame)} rows and captions {rows}", stage="drivers")
    return frame.reset_index(drop=True)


def row_ids_of(captions: Sequence[str] | pd.Series, row_ids: Sequence[int] | None, rows: int) -> Ints:
    """The row_id of each caption: as given, else a Series' own index of distinct whole numbers, else its position.

    Raises:
        UsageError: another number of ids, ids that are no whole numbers, or the same id twice.
    """
    if row_ids is None:
        index = captions.index if isinstance(captions, pd.Series) else pd.RangeIndex(rows)
        if not pd.api.types.is_integer_dtype(index.dtype) or not index.is_unique:
            return np.arange(rows)
        row_ids = index.tolist()
    ids = np.asarray(row_ids)
    if ids.shape != (rows,) or (rows and not np.issubdtype(ids.dtype, np.integer)):
        raise UsageError("row_ids is not one whole number a caption", stage="drivers")
    if len(np.unique(ids)) != rows:
        raise UsageError("row_ids has the same number twice", stage="drivers", remedy="give each caption its own")
    return ids.astype(np.int64)
