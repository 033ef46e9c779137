"""Models of Hugging Face's format: found, known by a fingerprint, and read."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from yoin.encoder import quiet
from yoin.errors import UsageError
from yoin.hub import best_device, has_bfloat16

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

_SAMPLE = 4096  # bytes of each tensor that tell one set of weights from another


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
    device = best_device()
    quick = has_bfloat16(device) if model.dtype == torch.bfloat16 else device.type == "cuda"
    model.to(device, model.dtype if quick else torch.float32)  # type: ignore[arg-type]
    model.eval()  # type: ignore[no-untyped-call]
    return model
