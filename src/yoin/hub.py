"""Models of Hugging Face's format: fetched, where they run here, and what is wrong with them said plainly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from yoin.encoder import quiet
from yoin.errors import UsageError, YoinError
from yoin.files import MODEL_FILES
from yoin.registry import EXTRAS, missing_extra

if TYPE_CHECKING:
    import torch

_REASON_LENGTH = 300


def fetch_model(source: str) -> Path:
    """The folder of a model given as a folder or a hub name.

    Raises:
        UsageError: there is none, or it has no configuration or no safetensors weights.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        _require(folder, source)
        return folder
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    remedy = "give a folder with config.json, tokenizer files and model.safetensors, or use --model minilm"
    if source.startswith((".", "/", "~")) or source.count("/") != 1:
        raise UsageError(f"there is no folder {source!r}", stage="model", remedy=remedy)
    try:
        with quiet(), _no_bars():
            folder = Path(snapshot_download(source, allow_patterns=list(MODEL_FILES)))
    except (OSError, HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise UsageError(f"the model {source!r} could not be fetched", stage="model", remedy=remedy) from error
    _require(folder, source)
    return folder


def _require(folder: Path, source: str) -> None:
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise UsageError(
                f"the model {source!r} has no {pattern}",
                stage="model",
                remedy="give a folder with config.json, tokenizer files and model.safetensors",
            )


@contextmanager
def _no_bars() -> Iterator[None]:
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()


def best_device() -> torch.device:
    """The accelerator that torch finds (CUDA, MPS, XPU), else the processor."""
    import torch

    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def accelerators() -> list[str]:
    """The names of all accelerators of the kind that `best_device` takes, such as ``cuda:0``; none without one."""
    import torch

    kind = best_device().type
    return [] if kind == "cpu" else [f"{kind}:{number}" for number in range(torch.accelerator.device_count())]


def use_device(name: str) -> None:
    """Let `best_device` be the accelerator of this name from now on, in this process; ``cpu`` changes nothing."""
    import torch

    device = torch.device(name)
    if device.index is not None:
        torch.get_device_module(device).set_device(device.index)


def has_bfloat16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 (a processor: AVX-512 BF16, AMX): elsewhere it is slower."""
    import torch

    if device.type != "cpu":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return has_amx() or _has("_is_avx512_bf16_supported")


def has_amx() -> bool:
    """Whether the processor has tiles, which multiply bfloat16 several times as fast."""
    return _has("_is_amx_tile_supported")


def _has(probe: str) -> bool:
    import torch

    found = getattr(torch.cpu, probe, None)
    return bool(found and found())


@contextmanager
def faults(asked: str, *, stage: str, task: str) -> Iterator[None]:
    """Translate whatever a library finds wrong with a model for ``task`` into one sentence."""
    try:
        yield
    except YoinError:
        raise
    except Exception as error:
        raise _fault(asked, error, stage, task) from error


def _fault(asked: str, error: Exception, stage: str, task: str) -> UsageError:
    says = one_line(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in EXTRAS:
        return missing_extra(error, stage=stage)
    package = re.search(
        r"requires? the (\w+) library|No module named '(\w+)|need to install ([\w-]+)|pip install ([\w-]+)", says
    )
    if isinstance(error, (ImportError, ValueError)) and package:
        name = next(filter(None, package.groups())).lower()
        problem, remedy = f"needs the package {name}", f"install it with: pip install {name}"
    elif "instantiate the backend tokenizer" in says:
        problem = "has no tokenizer that can be read here"
        remedy = "add its tokenizer.json to the folder, or install what reads others: pip install sentencepiece"
    elif isinstance(error, MemoryError) or re.search(r"out of memory|allocate memory|not enough memory", says, re.I):
        problem, remedy = "needs more memory than there is", "use a smaller model"
    elif "trust_remote_code" in says or "custom code" in says:
        problem, remedy = "brings code of its own, which is never run", "use a model that transformers itself knows"
    elif "safetensors" in says.lower():
        problem, remedy = f"has no usable weights in the safetensors format ({says})", "use a model that has them"
    elif "Can't load image processor" in says:
        problem, remedy = "has no image processor", "use a model of images, with its preprocessor_config.json"
    elif "Unrecognized" in says or "does not recognize this architecture" in says:
        problem = f"is not one that transformers knows as {task}"
        remedy = "use another, or a newer version of transformers"
    elif re.search(r"gated|401 Client Error|403 Client Error", says):
        problem, remedy = "must be asked for on its page first", "ask there, then log in with: hf auth login"
    elif isinstance(error, OSError) and not Path(asked).expanduser().is_dir():
        problem = "is neither a folder here nor a repository that can be reached"
        remedy = "check the name, and that HF_HUB_OFFLINE is not set if it must be downloaded first"
    else:
        problem, remedy = f"cannot be read ({says})", "download it again, or use another model"
    return UsageError(f"the model {asked} {problem}", stage=stage, remedy=remedy)


def one_line(error: Exception) -> str:
    """An error's kind and text, on one line of at most 300 characters."""
    says = " ".join(str(error).split())
    return (f"{type(error).__name__}: {says}" if says else type(error).__name__)[:_REASON_LENGTH]
