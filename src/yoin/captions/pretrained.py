"""Models of Hugging Face's format: found, known by a fingerprint, read, and what is wrong with them said plainly."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from yoin import registry
from yoin.encoder import quiet
from yoin.errors import UsageError, YoinError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, ProcessorMixin

_SAMPLE = 4096  # bytes of each tensor that tell one set of weights from another
_REASON_LENGTH = 300


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from; ``arguments`` are for ``from_pretrained``."""

    asked: str
    place: str
    version: str
    arguments: Mapping[str, str | bool] = field(default_factory=dict)


def find(asked: str) -> Source:
    """The model's folder or repository, and what it is known by: its name and a fingerprint."""
    folder = Path(asked).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UsageError(
                f"the folder {asked} holds no model: it has no config.json",
                stage="captions",
                remedy="give the folder that save_pretrained or hf download made",
            )
        version = f"{folder.resolve().name}@{_fingerprint(folder)[:12]}"
        return Source(asked, str(folder), version, {"local_files_only": True})
    if not re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", asked):
        raise UsageError(f"there is no folder {asked}", stage="captions", remedy="use hf:FOLDER or hf:REPO")
    from transformers import AutoConfig

    with quiet():
        config = AutoConfig.from_pretrained(asked, trust_remote_code=False)
    commit = getattr(config, "_commit_hash", None) or ""
    if not commit:
        return Source(asked, asked, asked)
    return Source(asked, asked, f"{asked}@{commit[:12]}", {"revision": commit})


def _fingerprint(folder: Path) -> str:
    """SHA-256 in hex of a model's small files and of the start of every tensor: whole weights would take minutes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if path.suffix in {".json", ".jinja", ".txt", ".model"}:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        elif path.suffix == ".safetensors":
            digest.update(path.name.encode() + b"\0")
            with path.open("rb") as file:
                size = int.from_bytes(file.read(8), "little")
                if size > path.stat().st_size:
                    raise ValueError(f"{path.name} is damaged")
                header = file.read(size)
                digest.update(header)
                tensors = json.loads(header)
                tensors.pop("__metadata__", None)
                for start in sorted(tensor["data_offsets"][0] for tensor in tensors.values()):
                    file.seek(8 + size + start)
                    digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def read_processor(source: Source) -> ProcessorMixin:
    """The model's processor of images and text, which pads on the left.

    Raises:
        UsageError: it is none of both.
    """
    from transformers import AutoProcessor

    with quiet():
        processor: ProcessorMixin = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            source.place, trust_remote_code=False, **source.arguments
        )
    tokenizer = getattr(processor, "tokenizer", None)
    if tokenizer is None or getattr(processor, "image_processor", None) is None:
        raise UsageError(
            f"the model {source.asked} has no processor for images and text",
            stage="captions",
            remedy="use a model that transformers lists as image-text-to-text",
        )
    tokenizer.padding_side = "left"  # what is written goes on from the right
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return processor


def read_weights(source: Source) -> PreTrainedModel:
    """The model, ready to write: on the GPU where there is one, in 16 bits where it is stored so and that is quick.

    Raises:
        UsageError: some of its tensors are not in its files.
    """
    import torch
    from transformers import AutoModelForImageTextToText

    with quiet():
        model: PreTrainedModel
        report: Mapping[str, set[str]]
        model, report = AutoModelForImageTextToText.from_pretrained(  # type: ignore[misc]
            source.place,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="auto",
            output_loading_info=True,
            **source.arguments,
        )
    missing = len(report["missing_keys"])
    if missing:  # transformers would fill them with random numbers
        raise UsageError(
            f"the files of the model {source.asked} are incomplete: {missing} tensors are not there",
            stage="captions",
            remedy="download it again",
        )
    device = _device()
    model.to(device, model.dtype if _quick(device, model.dtype) else torch.float32)  # type: ignore[arg-type]
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _device() -> torch.device:
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def _quick(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether to compute in the 16 bits that the weights are stored in."""
    import torch

    if dtype != torch.bfloat16:
        return device.type == "cuda"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    able: Mapping[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # newer versions of torch have it
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


@contextmanager
def faults(asked: str) -> Iterator[None]:
    """Translate whatever a library finds wrong with a model into one sentence."""
    try:
        yield
    except YoinError:
        raise
    except Exception as error:
        raise _fault(asked, error) from error


def _fault(asked: str, error: Exception) -> UsageError:
    says = one_line(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in registry.EXTRAS:
        return registry.missing_extra(error, stage="captions")
    package = re.search(r"requires? the (\w+) library|No module named '(\w+)|pip install ([\w-]+)", says)
    if isinstance(error, ImportError) and package:
        name = next(filter(None, package.groups())).lower()
        problem, remedy = f"needs the package {name}", f"install it with: pip install {name}"
    elif isinstance(error, MemoryError) or re.search(r"out of memory|allocate memory|not enough memory", says, re.I):
        problem, remedy = "needs more memory than there is", "use a smaller model"
    elif "trust_remote_code" in says or "custom code" in says:
        problem, remedy = "brings code of its own, which is never run", "use a model that transformers itself knows"
    elif "safetensors" in says.lower():
        problem, remedy = f"has no usable weights in the safetensors format ({says})", "use a model that has them"
    elif "Unrecognized" in says or "does not recognize this architecture" in says:
        problem = "is not one that transformers knows as image-text-to-text"
        remedy = "use another, or a newer version of transformers"
    elif re.search(r"gated|401 Client Error|403 Client Error", says):
        problem, remedy = "must be asked for on its page first", "ask there, then log in with: hf auth login"
    elif isinstance(error, OSError) and not Path(asked).expanduser().is_dir():
        problem = "is neither a folder here nor a repository that can be reached"
        remedy = "check the name, and that HF_HUB_OFFLINE is not set if it must be downloaded first"
    else:
        problem, remedy = f"cannot be read ({says})", "download it again, or use another model"
    return UsageError(f"the model {asked} {problem}", stage="captions", remedy=remedy)


def one_line(error: Exception) -> str:
    """An error's kind and text, on one line of at most 300 characters."""
    says = " ".join(str(error).split())
    return (f"{type(error).__name__}: {says}" if says else type(error).__name__)[:_REASON_LENGTH]
