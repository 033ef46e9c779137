from __future__ import annotations

import importlib.util

import pytest

from yoin import registry
from yoin.errors import MissingExtraError, UsageError


def test_built_ins_are_entry_points() -> None:
    assert {"describe"} <= set(registry.names("captioners"))
    assert {"tfidf", "frozen", "minilm", "bert"} <= set(registry.names("models"))


def test_an_unknown_name_brings_the_nearest() -> None:
    with pytest.raises(UsageError, match="there is no model named 'tfdif'; use one of: tfidf"):
        registry.load("models", "tfdif")


@pytest.mark.parametrize(
    ("kind", "name", "package", "extra"),
    [
        ("models", "minilm", "torch", "offline"),
        ("models", "bert", "transformers", "bert"),
        ("captioners", "describe", "rapidocr", "offline"),
    ],
)
def test_a_missing_package_is_one_sentence_with_the_command(
    monkeypatch: pytest.MonkeyPatch, kind: registry.Kind, name: str, package: str, extra: str
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(registry, "find_spec", lambda asked: None if asked == package else real(asked))
    found = registry.missing(kind, name)
    assert isinstance(found, MissingExtraError)
    assert str(found) == (
        f"{kind}: the package {package} is not installed; install it with: pip install 'yoin[{extra}]'."
    )
    with pytest.raises(MissingExtraError):
        registry.load(kind, name)


def test_a_foreign_missing_module_is_not_taken_for_an_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match="nonsense"):
        registry.missing_extra(ModuleNotFoundError("No module named 'nonsense'", name="nonsense"), stage="model")


@pytest.mark.parametrize(("kind", "name"), sorted(registry.NEEDS))
def test_what_is_needed_is_what_is_imported(kind: registry.Kind, name: str) -> None:
    if registry.missing(kind, name):
        pytest.skip("not installed")
    assert registry.load(kind, name)
