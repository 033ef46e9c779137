"""What is found out before any work: whether the table, the captioner, the model and the attributes are there."""

from __future__ import annotations

import difflib
from pathlib import Path

from yoin import registry
from yoin.errors import UsageError
from yoin.options import RunOptions, Spec


def require_table(path: Path) -> None:
    """Raise a `UsageError` that names the nearest file where there is no file at ``path``."""
    if path.is_file():
        return
    names = [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    raise UsageError(
        f"there is no file {str(path)!r}",
        stage="table",
        remedy=f"did you mean {near[0]!r}?" if near else "check the path",
    )


def check_installed(options: RunOptions) -> None:
    """Find out before any work whether the captioner and the model can run.

    Raises:
        UsageError: an unknown name.
        MissingExtraError: a known one whose extra is not installed.
    """
    specs: list[tuple[registry.Kind, str]] = [("models", options.model)]
    if not options.captioned:
        specs.append(("captioners", options.captioner))
    for kind, text in specs:
        found = registry.missing(kind, Spec.parse(text).name)
        if found:
            raise found


def check_attributes(options: RunOptions) -> None:
    """Find out before any work whether attributes that are asked for are there, and can be filled in.

    Raises:
        UsageError: they are not, or cannot.
    """
    from yoin.captions import attributes

    if options.attributes is None:
        return
    if options.captioned:
        raise UsageError(
            "captions that are there already have no attributes",
            stage="options",
            remedy="leave out --attributes, or the captions",
        )
    attributes.load(options.attributes, options.lang)
    name = Spec.parse(options.captioner).name
    attributes.require_taken(registry.load("captioners", name), name)
