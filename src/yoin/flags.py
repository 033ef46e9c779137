"""Options records as options of the command line, so that each is described in one place."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from yoin.errors import UsageError
from yoin.options import Options

_PLAIN = (bool, int, float, str)


def takes(
    *records: type[Options], without: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options of ``records``; it gets those that were given as keyword arguments.

    Args:
        records: a field that `yoin.options.option` made is an option, any other is not.
        without: fields that this command does not offer.
    """
    fields = {
        name: field
        for record in records
        for name, field in record.model_fields.items()
        if field.json_schema_extra is not None and name not in without
    }

    def add(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        explicit = [one for one in own.parameters.values() if one.kind is not one.VAR_KEYWORD]
        positional = [one for one in explicit if one.kind is not one.KEYWORD_ONLY]
        keyword = [one for one in explicit if one.kind is one.KEYWORD_ONLY]
        added = [_parameter(name, field) for name, field in fields.items()]

        @wraps(command)
        def called(*positional: object, **given: Any) -> None:
            for name, field in fields.items():
                value = given.pop(name)
                if value is not None:
                    given[name] = _read(name, field, value)
            command(*positional, **given)

        called.__signature__ = own.replace(parameters=[*positional, *added, *keyword])  # type: ignore[attr-defined]
        called.__annotations__ = {one.name: one.annotation for one in [*explicit, *added]}
        return called

    return add


def _parameter(name: str, field: FieldInfo) -> inspect.Parameter:
    extra = field.json_schema_extra
    metavar = extra.get("metavar") if isinstance(extra, dict) else None
    flag = f"--{name.replace('_', '-')}"
    shown = typer.Option(flag, help=field.description, metavar=metavar if isinstance(metavar, str) else None)
    kind = _kind(field)
    required = field.is_required()
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if required else None,
        annotation=Annotated[kind if required else kind | None, shown],  # type: ignore[valid-type, unused-ignore]
    )


def _kind(field: FieldInfo) -> type:
    """What the command line reads: a plain type, or text where the value is something else."""
    first, *others = _members(field.annotation)
    return first if first in _PLAIN and not others else str


def _members(annotation: object) -> list[Any]:
    """The types that ``annotation`` allows, None aside."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [inner for one in get_args(annotation) for inner in _members(one) if inner is not NoneType]
    return [annotation]


def _read(name: str, field: FieldInfo, value: object) -> object:
    """What was written, as the record takes it."""
    if not isinstance(value, str):
        return value
    members = _members(field.annotation)
    if any(get_origin(one) is tuple for one in members):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    words = [word for one in members if get_origin(one) is Literal for word in get_args(one)]
    if int in members and value not in words:
        if not value.isdecimal():
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{flag} cannot be {value!r}", stage="options", remedy=f"give a whole number or {' or '.join(words)}"
            )
        return int(value)
    return value
