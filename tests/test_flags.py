from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
import typer
from typer.testing import CliRunner

from yoin.errors import UsageError
from yoin.flags import takes
from yoin.options import Options, RunOptions, option


class Choices(Options):
    needed: str = option(..., "Must be there.", "COL")
    names: tuple[str, ...] = option((), "Several.", "A,B")
    count: int | Literal["all"] = option(5, "How many.", "N|all")
    size: float | None = option(None, "How large.", gt=0)
    loud: bool = option(False, "A switch.")
    inner: int = 3


def given_by(*words: str, without: tuple[str, ...] = ()) -> dict[str, Any]:
    app = typer.Typer()
    seen: dict[str, Any] = {}

    @app.command()
    @takes(Choices, without=without)
    def command(
        place: Annotated[str, typer.Argument()], *, own: Annotated[int, typer.Option("--own")] = 1, **given: Any
    ) -> None:
        seen.update(given, place=place, own=own)

    result = CliRunner().invoke(app, list(words))
    if isinstance(result.exception, UsageError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return seen


def test_only_what_was_written_is_given() -> None:
    assert given_by("here", "--needed", "x") == {"place": "here", "own": 1, "needed": "x"}


def test_values_are_read_as_the_record_takes_them() -> None:
    words = ("here", "--needed", "x", "--names", "a, b,", "--count", "7", "--size", "1.5", "--loud", "--own", "2")
    given = given_by(*words)
    assert given == {
        "place": "here", "own": 2, "needed": "x", "names": ("a", "b"), "count": 7, "size": 1.5, "loud": True,
    }  # fmt: skip
    assert Choices(**{name: given[name] for name in Choices.model_fields if name in given}).count == 7
    assert given_by("here", "--needed", "x", "--count", "all")["count"] == "all"


@pytest.mark.parametrize("count", ["-1", "1.5", "many"])
def test_neither_a_number_nor_a_known_word(count: str) -> None:
    with pytest.raises(UsageError, match=f"--count cannot be '{count}'"):
        given_by("here", "--needed", "x", "--count", count)


def test_what_is_left_out_or_not_an_option_is_not_offered() -> None:
    for word, without in (("--loud", ("loud",)), ("--inner", ())):
        with pytest.raises(AssertionError, match="No such option"):
            given_by("here", "--needed", "x", word, without=without)


def test_every_option_of_a_run_has_help() -> None:
    offered = {name for name, field in RunOptions.model_fields.items() if field.json_schema_extra is not None}
    assert set(RunOptions.model_fields) - offered == {"table", "ask"}
    assert all(RunOptions.model_fields[name].description for name in offered)
