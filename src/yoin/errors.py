"""Every error a user can meet.

YoinError
├── UsageError            wrong usage or input; exit code 2
│   ├── TableError        the table, a column or a cell
│   ├── StudyError        the study folder: locked, foreign, not a study, disk full
│   ├── MissingExtraError an optional part is not installed
│   └── ConsentError      calls that cost money were not agreed to; nothing was spent
└── NothingLeftError      nothing usable was left to analyse; exit code 3
    └── PendingError      nothing yet: captions are under way in a batch

What happens to one row (a missing image, a blocked caption) is not an error: it is a record with a
reason, counted in the summary.
"""

from __future__ import annotations


class YoinError(Exception):
    """An error with one clear sentence for the user.

    Args:
        problem: what is wrong, without a full stop.
        stage: the stage that found it, such as ``table`` or ``captions``.
        row: the data row concerned, counted from 1 without the header.
        remedy: what the user can do, as an imperative, without a full stop.
    """

    exit_code = 2

    def __init__(self, problem: str, *, stage: str, row: int | None = None, remedy: str = "") -> None:
        self.problem = problem
        self.stage = stage
        self.row = row
        self.remedy = remedy
        place = stage if row is None else f"{stage}, row {row}"
        sentence = f"{place}: {problem}" + (f"; {remedy}" if remedy else "")
        super().__init__(sentence if sentence.endswith((".", "?")) else f"{sentence}.")


class UsageError(YoinError):
    """The command, an option or the input is wrong."""


class TableError(UsageError):
    """The table cannot be read, or a column is missing or unusable."""


class StudyError(UsageError):
    """The study folder cannot be used."""


class MissingExtraError(UsageError):
    """An optional part of Yoin is needed and not installed."""

    def __init__(self, what: str, *, stage: str, extra: str) -> None:
        super().__init__(
            f"{what} is not installed", stage=stage, remedy=f"install it with: pip install 'yoin[{extra}]'"
        )
        self.extra = extra


class ConsentError(UsageError):
    """Calls that cost money were not agreed to; nothing was spent."""


class NothingLeftError(YoinError):
    """Nothing usable was left to analyse."""

    exit_code = 3


class PendingError(NothingLeftError):
    """There is nothing to analyse yet: captions are under way in a batch, and a later run collects them."""
