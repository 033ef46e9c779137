"""Read the user's table: the columns named, the metric as numbers, and what was left out counted by reason."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

import pandas as pd

from yoin.errors import NothingLeftError, TableError, UsageError
from yoin.options import TableOptions
from yoin.table.load import load
from yoin.table.numbers import parse_numbers
from yoin.table.profile import profile, shorten
from yoin.values import ColumnProfile, Table

MINIMUM_ROWS = 30
_PREVIEW_ROWS = 8
# Why a row is left out, in words; a row counts under the first that fits.
_DROP_REASONS = {
    "no_metric": "without a metric",
    "metric_not_a_number": "whose metric is not a number",
    "bad_weight": "whose weight is not a number above 0",
    "no_group": "without a group",
}


def read(options: TableOptions) -> Table:
    """Read and check the table; see `Table` for what comes back.

    Reasons in ``dropped``: ``no_metric``, ``metric_not_a_number``, ``bad_weight`` and ``no_group``. Rows whose image or
    caption cell is blank stay. ``features`` holds float64 where the column's kind is number, else text.

    Raises:
        TableError: the file or a column is missing or unusable, or the metric is mostly text.
        UsageError: columns are used in ways that contradict each other, or the metric is constant.
        NothingLeftError: the metric is blank everywhere, or fewer than 30 rows are usable.
    """
    _check_roles(options)
    frame = load(options.table, options.sheet)
    if options.limit is not None:
        frame = frame.head(options.limit)
    _check_columns(options, list(frame.columns))
    numbers_used = {options.metric, options.weight}
    columns = tuple(profile(frame[name], number=name in numbers_used) for name in frame.columns)
    kinds = {column.name: column.kind for column in columns}

    metric = _read_metric(frame[options.metric], columns)
    reason, rows = _reasons(frame, options, metric)
    kept = reason == ""
    dropped = {name: int((reason == name).sum()) for name in _DROP_REASONS if (reason == name).any()}
    _check_enough(options.metric, metric[kept], len(frame), dropped)
    features, audited = (
        {name: _feature(frame[name], kinds[name]) for name in dict.fromkeys(names)}
        for names in (options.features, options.audit)
    )
    return Table(
        source=options.table,
        read=len(frame),
        rows=_by_row_id(rows[kept]),
        features=_by_row_id(pd.DataFrame(features, index=frame.index)[kept]),
        audited=_by_row_id(pd.DataFrame(audited, index=frame.index)[kept]),
        columns=columns,
        dropped=dropped,
        preview=frame.head(_PREVIEW_ROWS).fillna(""),
    )


def _by_row_id(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.rename_axis(index="row_id")


def _check_roles(options: TableOptions) -> None:
    if options.caption is not None and options.captions is not None:
        raise UsageError(
            "a caption column and a file of captions are given",
            stage="table",
            remedy="leave out --caption or --captions",
        )
    if options.image is None and options.caption is None and options.captions is None:
        raise UsageError(
            "neither an image column nor a caption column is given", stage="table", remedy="name one with --image"
        )
    roles = [("the image", options.image), ("the caption", options.caption), ("the group", options.group)]
    roles += [("the weight", options.weight), *(("a feature", name) for name in options.features)]
    roles += [("a column to audit", name) for name in options.audit]
    for role, name in roles:
        if name == options.metric:
            raise UsageError(
                f"the column {name!r} is used as the metric and as {role}", stage="table", remedy="name another column"
            )


def _check_columns(options: TableOptions, present: Sequence[str]) -> None:
    single = {
        "metric": options.metric,
        "image": options.image,
        "caption": options.caption,
        "group": options.group,
        "weight": options.weight,
    }
    wanted = [(role, name) for role, name in single.items() if name is not None]
    several = [("features", options.features), ("audit", options.audit)]
    for role, name in [*wanted, *((role, name) for role, names in several for name in names)]:
        if name not in present:
            raise TableError(
                f"there is no column named {name!r} (asked for as --{role})",
                stage="table",
                remedy=_nearest_columns(name, present),
            )


def _nearest_columns(name: str, present: Sequence[str]) -> str:
    folded: dict[str, list[str]] = {}
    for column in present:
        folded.setdefault(column.strip().casefold(), []).append(column)
    wanted = name.strip().casefold()
    near = [wanted] if wanted in folded else difflib.get_close_matches(wanted, folded, n=3)
    if near:
        return "use " + _listed([column for key in near for column in folded[key]], " or ")
    return f"use one of its columns: {_listed(present, ', ')}"


def _listed(names: Iterable[str], joiner: str) -> str:
    return joiner.join(repr(name) for name in names)


def _read_metric(cells: pd.Series, columns: Iterable[ColumnProfile]) -> pd.DataFrame:
    """The metric's ``value`` and ``unread`` in every row, refused where it is mostly text or not there at all."""
    value, unread, note = parse_numbers(cells)
    filled = value.notna() | unread
    if not filled.any():
        raise NothingLeftError(
            f"the metric column {cells.name!r} is blank in every row", stage="table", remedy="name another column"
        )
    if 2 * unread.sum() >= filled.sum():
        first = int(unread.to_numpy().argmax())
        numeric = [column.name for column in columns if column.kind == "number" and column.name != cells.name]
        raise TableError(
            f"the metric column {cells.name!r} is not numeric: {shorten(str(cells.iloc[first]))!r} is not read as a "
            "number" + (f" ({note})" if note else ""),
            stage="table",
            row=first + 1,
            remedy=f"use a numeric column, such as {_listed(numeric[:5], ', ')}" if numeric else "use a numeric column",
        )
    return pd.DataFrame({"value": value, "unread": unread})


def _reasons(frame: pd.DataFrame, options: TableOptions, metric: pd.DataFrame) -> tuple[pd.Series, pd.DataFrame]:
    """Why each row is left out ("" where it is not), and the columns that the analysis uses."""
    reason = pd.Series("", index=frame.index, dtype=object)
    rows = pd.DataFrame({"metric": metric["value"]})
    reason[metric["value"].isna()] = "no_metric"
    reason[metric["unread"]] = "metric_not_a_number"
    for role, name in (("image", options.image), ("caption", options.caption)):
        if name is not None:
            rows[role] = frame[name]
    if options.group is not None:
        rows["group"] = frame[options.group].str.strip()
    if options.weight is not None:
        rows["weight"] = parse_numbers(frame[options.weight])[0]
        reason[(reason == "") & ~(rows["weight"] > 0)] = "bad_weight"
    if options.group is not None:
        reason[(reason == "") & rows["group"].isna()] = "no_group"
    return reason, rows


def _check_enough(name: str, usable: pd.DataFrame, read: int, dropped: dict[str, int]) -> None:
    value = usable["value"]
    if len(value) > 1 and value.nunique() == 1:
        raise UsageError(
            f"the metric {name!r} has the same value in every row, so there is nothing to explain",
            stage="table",
            remedy="name another column",
        )
    if len(value) < MINIMUM_ROWS:
        why = ", ".join(f"{count} {_DROP_REASONS[reason]}" for reason, count in dropped.items())
        raise NothingLeftError(
            f"only {len(value)} of {read} rows are usable" + (f" ({why})" if why else ""),
            stage="table",
            remedy=f"give at least {MINIMUM_ROWS}",
        )


def _feature(cells: pd.Series, kind: str) -> pd.Series:
    return parse_numbers(cells)[0] if kind == "number" else cells
