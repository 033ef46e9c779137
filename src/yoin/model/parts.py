"""What is done of a fit so far, kept on the disk, so that a fit that was stopped goes on with the next fold."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from yoin.files import put
from yoin.model.base import HeldOut
from yoin.values import Epoch


@dataclass(frozen=True, slots=True)
class Part:
    """One rung in one fold: predictions for the fold's rows, the seconds they took, what was held out inside.

    ``each`` (seeds, k) and ``history`` are those of a model that is fine-tuned.
    """

    predictions: np.ndarray
    seconds: float = 0.0
    held_out: HeldOut | None = None
    notes: tuple[str, ...] = ()
    each: np.ndarray | None = None
    history: tuple[Epoch, ...] = ()


class Parts:
    """The finished parts of a fit in ``folder``; a folder with anything of other inputs than ``digest`` is emptied."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.digest = digest
        self._folder = folder / "parts"
        marker = self._folder / "inputs.json"
        if not marker.exists() or json.loads(marker.read_text("utf-8")) != digest:
            shutil.rmtree(folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            put(marker, lambda path: path.write_text(json.dumps(digest), "utf-8"))

    def find(self, number: int, fold: int) -> Part | None:
        """The part of rung ``number`` (its place on the ladder) in ``fold``, or None where it is still to do."""
        path = self._path(number, fold)
        if not path.exists():
            return None
        kept = load_file(path)
        held = HeldOut(kept["held_rows"], kept["held_predictions"]) if "held_rows" in kept else None
        notes = tuple(json.loads(kept["notes"].tobytes()))
        history = tuple(Epoch(**epoch) for epoch in json.loads(kept["history"].tobytes()))
        return Part(kept["predictions"], float(kept["seconds"][0]), held, notes, kept.get("each"), history)

    def keep(self, number: int, fold: int, part: Part) -> None:
        """Commit a finished part.

        Raises:
            StudyError: the disk is full.
        """
        arrays = {
            "predictions": part.predictions,
            "seconds": np.array([part.seconds]),
            "notes": np.frombuffer(json.dumps(part.notes).encode(), np.uint8),
            "history": np.frombuffer(json.dumps([asdict(epoch) for epoch in part.history]).encode(), np.uint8),
        }
        if part.each is not None:
            arrays["each"] = part.each
        if part.held_out:
            arrays |= {"held_rows": part.held_out.rows, "held_predictions": part.held_out.predictions}
        put(self._path(number, fold), lambda path: path.write_bytes(save(arrays)))

    def clear(self) -> None:
        """Forget all parts."""
        shutil.rmtree(self._folder)

    def _path(self, number: int, fold: int) -> Path:
        return self._folder / f"{number}-{fold}.safetensors"
