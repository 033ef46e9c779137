"""The house rules, held over the import statements of the source."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import yoin

SOURCE = Path(yoin.__file__).parent
STAGES = {"table", "media", "captions", "model", "explanations", "drivers", "report"}
SHARED = {
    "values", "errors", "options", "registry", "language", "features", "encoder", "hub", "images", "videos", "ledger",
    "files", "loop", "amounts", "japanese", "workers",
}  # fmt: skip
JOINERS = {
    "pipeline",
    "checks",
    "preview",
    "stages",
    "work",
    "rows",
    "compare",
    "audit",
    "brief",
    "score",
    "label",
    "own",
    "picture",
    "summarise",
    "estimate",
    "cli",
    "flags",
    "terminal",
    "study",
    "doctor",
    "files",
    "__init__",
    "__main__",
    "demo",
}
HEAVY = {
    "torch", "transformers", "shap", "cv2", "rapidocr", "onnxruntime", "jinja2", "google", "openai", "anthropic",
    "keyring", "playwright",
    "av", "pycurl", "fsspec", "efficientnet_lite_pytorch", "sentence_transformers",
}  # fmt: skip
SLOW = {"pandas", "pyarrow", "scipy", "simplemma", "sklearn"}  # a stage has them; a command that does nothing does not


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(SOURCE).parts[0]
    return first.removesuffix(".py")


def imported(path: Path, *, at_top: bool = False) -> set[str]:
    """Dotted names that ``path`` imports; those under ``if TYPE_CHECKING`` cost nothing and are left out."""
    tree = ast.parse(path.read_text("utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found = set()
    for node in tree.body if at_top else ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("yoin.")}


def test_every_room_is_known() -> None:
    assert {room(path) for path in modules()} == STAGES | SHARED | JOINERS


@pytest.mark.parametrize("name", ["values", "errors"])
def test_values_and_errors_import_nothing_of_ours(name: str) -> None:
    assert ours(SOURCE / f"{name}.py") == set()


def test_options_import_only_values_and_errors() -> None:
    assert ours(SOURCE / "options.py") <= {"values", "errors"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_stage_imports_no_other_stage(path: Path) -> None:
    if room(path) in STAGES | SHARED:
        allowed = SHARED | ({room(path)} if room(path) in STAGES else set())
        assert ours(path) <= allowed


def brought_by(libraries: set[str], *names: str) -> dict[str, list[str]]:
    """Those of ``libraries`` that a new process holds once it has imported each of ``names``, one after another."""
    script = """if True:
        import importlib, json, sys
        libraries, *names = json.loads(sys.argv[1])
        found = {}
        for name in names:
            importlib.import_module(name)
            found[name] = sorted(sys.modules.keys() & libraries)
        print(json.dumps(found))"""
    words = [sys.executable, "-c", script, json.dumps([sorted(libraries), *names])]
    found: dict[str, list[str]] = json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
    return found


def test_heavy_libraries_are_imported_in_leaves_only() -> None:
    # A package's __init__ and whatever the command line imports at its top stay light.
    assert brought_by(HEAVY | SLOW, "yoin.cli") == {"yoin.cli": []}


def test_a_stage_imports_lightly() -> None:
    names = [f"yoin.{stage}" for stage in sorted(STAGES)]
    assert brought_by(HEAVY - {"jinja2"}, *names) == {name: [] for name in names}


def test_import_yoin_brings_nothing() -> None:
    assert brought_by({"numpy", "pandas", "pydantic", "torch"}, "yoin") == {"yoin": []}


def test_files_stay_under_400_lines() -> None:
    long = {str(path): len(path.read_text("utf-8").splitlines()) for path in modules()}
    assert {path: lines for path, lines in long.items() if lines > 400} == {}
