"""A study: one folder with the inputs' fingerprints and every artefact. Only this file knows its layout.

Nothing is ever half-written: a file is written beside its place, flushed to the disk and renamed. A stage is
fresh when the key of its inputs, options and code is the one recorded in ``study.json`` and its artefacts
are the ones recorded with it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from yoin.errors import StudyError
from yoin.files import digest_file, is_unfinished, mark_of, neutralise, put
from yoin.ledger import Ledger, disk_errors
from yoin.options import RunOptions
from yoin.values import Media, Medium

if TYPE_CHECKING:
    import pandas as pd
    import shap

    from yoin.report.summary import Summary

FORMAT = 1
_MEDIUM_FACTS = ("mime", "width", "height", "bytes", "seconds")
_PACKAGES = ("yoin", "numpy", "pandas", "scipy", "scikit-learn", "pillow", "torch", "transformers")


class Study:
    """A study folder, opened for reading; `pipeline.run` fills it.

    Args:
        folder: an existing study.

    Raises:
        StudyError: no such folder, or not a study.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not (self.folder / "study.json").is_file():
            raise StudyError(
                f"{str(self.folder)!r} is not a study", stage="study", remedy="make one with: yoin run TABLE --out DIR"
            )
        self._manifest = self._read_manifest()
        self.ran: tuple[str, ...] = ()

    def _read_manifest(self) -> dict[str, Any]:
        try:
            manifest = json.loads((self.folder / "study.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise StudyError(
                f"study.json in {str(self.folder)!r} cannot be read", stage="study", remedy="choose another folder"
            ) from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise StudyError(
                f"{str(self.folder)!r} was not made by this version of Yoin",
                stage="study",
                remedy="choose another --out",
            )
        return manifest

    @classmethod
    def create(cls, folder: Path, options: RunOptions) -> Study:
        """Open the study in ``folder`` with ``options``, making it where there is none.

        Raises:
            StudyError: the folder holds a study of another table.
        """
        if (folder / "study.json").exists():
            study = cls(folder)
            study._same_table(options)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            _write_json(folder / "study.json", {"format": FORMAT, "stages": {}})
            study = cls(folder)
        study._manifest.update(
            yoin=version("yoin"), options=options.model_dump(mode="json"), versions=installed_versions()
        )
        return study

    def _same_table(self, options: RunOptions) -> None:
        known = self._manifest.get("table", {})
        if not known or Path(known["path"]) == options.table or known["sha256"] == digest_file(options.table):
            return
        raise StudyError(
            f"{str(self.folder)!r} holds a study of another table, {Path(known['path']).name}",
            stage="study",
            remedy="choose another --out",
        )

    # What a reader finds

    @property
    def options(self) -> RunOptions:
        """The resolved options of the last run."""
        return RunOptions.model_validate(self._manifest["options"])

    @property
    def versions(self) -> dict[str, str]:
        """The versions that the last run used."""
        found: dict[str, str] = self._manifest["versions"]
        return found

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds each stage took when it last did its work."""
        return {name: record["seconds"] for name, record in self._manifest["stages"].items()}

    @cached_property
    def summary(self) -> Summary:
        """Everything the report says, as a typed record."""
        from yoin.report.summary import Summary

        return Summary.model_validate_json(self._artefact("summary.json").read_bytes())

    @cached_property
    def captions(self) -> pd.DataFrame:
        """One row a row_id: caption, status and reason; columns as in `yoin.values.CAPTION_COLUMNS`."""
        return self.frame("captions.parquet")

    @cached_property
    def attributes(self) -> pd.DataFrame:
        """One row a row_id and a column an attribute, where they were asked for; blank where there is no ok caption."""
        return self.frame("attributes.parquet")

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Out-of-fold predictions of every rung; columns as in `yoin.values.PREDICTION_COLUMNS`."""
        return self.frame("predictions.parquet")

    @cached_property
    def explanations(self) -> pd.DataFrame:
        """A row a span with its Shapley value; columns as in `yoin.values.EXPLANATION_COLUMNS`."""
        return self.frame("explanations.parquet")

    @cached_property
    def drivers(self) -> pd.DataFrame:
        """The driver table; columns as in `yoin.values.DRIVER_COLUMNS`."""
        return self.frame("drivers.parquet")

    def explanation(self, rows: int | Iterable[int] | None = None) -> shap.Explanation:
        """The explanations of ``rows`` (row_ids; all that were explained by default) for shap's plots.

        Raises:
            UsageError: a row was not explained.
            MissingExtraError: shap is not installed.
        """
        from yoin.explanations.result import to_shap

        wanted = None if rows is None else [rows] if isinstance(rows, int) else list(rows)
        return to_shap(self.explanations, self.captions.set_index("row_id")["caption"], wanted)

    @property
    def report(self) -> Path:
        """The path of ``report.html``."""
        return self._artefact("report.html")

    def _repr_html_(self) -> str:
        """Show the report in a notebook, in a frame of its own that runs nothing from outside."""
        from html import escape

        page = escape(self.report.read_text("utf-8"), quote=True)
        return f'<iframe sandbox="allow-scripts" srcdoc="{page}" width="100%" height="800"></iframe>'

    def __repr__(self) -> str:
        return f"Study({str(self.folder)!r})"

    def frame(self, name: str) -> pd.DataFrame:
        """The Parquet artefact ``name``."""
        import pandas as pd

        return pd.read_parquet(self._artefact(name))

    def _artefact(self, name: str) -> Path:
        path = self.folder / name
        if not path.exists():
            raise StudyError(
                f"{name} is not there yet", stage="study", remedy="run the earlier stages first, or yoin run"
            )
        return path

    # What the pipeline does with it

    @property
    def media_folder(self) -> Path:
        """Where images are kept under their content hash."""
        return self.folder / "media"

    def ledger(self) -> Ledger:
        """The study's ledger, opened."""
        return Ledger(self.folder / "ledger.db")

    def write_media(self, found: Media) -> None:
        """Write ``media.parquet``: what became of every image, and where what there is lies in this folder."""
        import pandas as pd

        def inside(path: Path | None) -> str:
            return "" if path is None else path.relative_to(self.folder).as_posix()

        facts = {
            item.media_id: {
                **{name: getattr(item, name) for name in _MEDIUM_FACTS},
                "file": inside(item.path),
                "poster": inside(item.poster),
                "copy": inside(item.copy),
                "frames": [inside(frame) for frame in item.frames],
            }
            for item in found.items.values()
        }
        columns = ["file", *_MEDIUM_FACTS, "poster", "copy", "frames"]
        frame = found.rows.join(pd.DataFrame.from_dict(facts, orient="index", columns=columns), on="media_id")
        self.write_frame("media.parquet", frame.rename_axis("row_id").reset_index())

    def media(self) -> dict[str, Medium]:
        """The distinct images and videos by their media_id."""
        found = self.frame("media.parquet").dropna(subset=["media_id"]).drop_duplicates("media_id")
        return {
            str(item["media_id"]): Medium(
                media_id=str(item["media_id"]),
                path=self.folder / str(item["file"]),
                mime=str(item["mime"]),
                width=int(item["width"]),
                height=int(item["height"]),
                bytes=int(item["bytes"]),
                seconds=float(item["seconds"]),
                frames=tuple(self.folder / frame for frame in item["frames"]),
                poster=self.folder / item["poster"] if item["poster"] else None,
                copy=self.folder / item["copy"] if item["copy"] else None,
            )
            for item in found.to_dict("records")
        }

    def work(self, stage: str, key: str) -> Path:
        """A folder for what ``stage`` has done so far under ``key``; unfinished work of other keys is removed."""
        folder = self.folder / "work" / f"{stage}-{key[:16]}"
        if folder.parent.is_dir():
            for other in folder.parent.glob(f"{stage}-*"):
                if other != folder:
                    shutil.rmtree(other)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def facts(self, stage: str) -> Mapping[str, Any]:
        """What ``stage`` noted when it was last done.

        Raises:
            StudyError: it was never done.
        """
        try:
            facts: Mapping[str, Any] = self._manifest["stages"][stage]["facts"]
        except KeyError:
            raise StudyError(
                f"the stage {stage!r} has not been run", stage="study", remedy=f"run: yoin {stage} {self.folder}"
            ) from None
        return facts

    def fingerprint(self, artefacts: Iterable[str]) -> dict[str, str]:
        """The recorded fingerprint of each artefact of earlier stages."""
        known = {name: mark for record in self._manifest["stages"].values() for name, mark in record["made"].items()}
        missing = [name for name in artefacts if name not in known]
        if missing:
            raise StudyError(f"{missing[0]} is not there yet", stage="study", remedy="run the earlier stages first")
        return {name: known[name] for name in artefacts}

    def fresh(self, stage: str, key: str) -> bool:
        """Whether ``stage`` was done under ``key`` and its artefacts are still what it made."""
        record = self._manifest["stages"].get(stage)
        if record is None or record["key"] != key:
            return False
        return all(mark_of(self.folder / name) == mark for name, mark in record["made"].items())

    def finish(self, stage: str, key: str, made: Iterable[str], facts: Mapping[str, Any], seconds: float) -> None:
        """Record that ``stage`` was done; its artefacts are on the disk by now."""
        self._manifest["stages"][stage] = {
            "key": key,
            "made": {name: mark_of(self.folder / name) for name in made},
            "facts": dict(facts),
            "seconds": round(seconds, 3),
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self.save()
        shutil.rmtree(self.folder / "work", ignore_errors=True)
        for name in ("summary", "captions", "attributes", "predictions", "explanations", "drivers"):
            self.__dict__.pop(name, None)  # read before: now out of date

    def save(self) -> None:
        """Write ``study.json``."""
        _write_json(self.folder / "study.json", self._manifest)

    def remember_table(self, path: Path, sha256: str) -> None:
        """Note which table this is a study of."""
        self._manifest["table"] = {"path": str(path), "sha256": sha256}

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Write a Parquet artefact."""
        self.write(name, lambda path: frame.to_parquet(path, index=False))

    def write_csv(self, name: str, frame: pd.DataFrame) -> None:
        """Write a CSV artefact in which no cell is a formula to a spreadsheet."""
        self.write(name, lambda path: neutralise(frame).to_csv(path, index=False, lineterminator="\n"))

    def write_text(self, name: str, text: str) -> None:
        """Write a text artefact as UTF-8."""
        self.write(name, lambda path: path.write_text(text, "utf-8", newline="\n"))

    def write(self, name: str, make: Callable[[Path], object]) -> None:
        """Put the file that ``make`` writes under ``name``, whole or not at all."""
        put(self.folder / name, make)

    def adopt(self, folder: Path, name: str) -> None:
        """Move a finished folder into place as the artefact ``name``."""
        place = self.folder / name
        old = self.folder / f".old-{uuid.uuid4().hex}"
        if place.exists():
            place.rename(old)
        folder.rename(place)
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the study in ``folder`` for one run; the lock goes with the process, however it ends.

    Raises:
        StudyError: the folder holds something else, or another run holds it; the error names that process.
    """
    ours = (folder / "study.json").exists() or (folder.is_dir() and all(map(_is_ours, folder.iterdir())))
    if folder.exists() and not ours:
        raise StudyError(f"{str(folder)!r} is not empty and not a study", stage="study", remedy="choose another --out")
    with disk_errors("study"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise StudyError(
                f"{str(folder)!r} is not a folder", stage="study", remedy="choose another --out"
            ) from error
        except PermissionError as error:
            raise StudyError(
                f"{str(folder)!r} cannot be written", stage="study", remedy="choose another --out"
            ) from error
    owner = folder / "study.owner"
    lock = FileLock(folder / "study.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = owner.read_text("utf-8").strip() if owner.exists() else "another process"
        raise StudyError(
            f"{str(folder)!r} is in use by {holder}", stage="study", remedy="wait for it to end, or end it"
        ) from None
    try:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        for left in filter(is_unfinished, folder.iterdir()):  # by a run that was killed
            left.unlink(missing_ok=True)
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()} since {since}\n", "utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _is_ours(item: Path) -> bool:
    """Whether a folder that has only such things in it is a study that was killed in its first moment."""
    return item.name in {"study.lock", "study.owner"} or (is_unfinished(item) and item.name.startswith(".study.json."))


def installed_versions() -> dict[str, str]:
    """The versions of Python and of what shapes a result, as far as installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    put(path, lambda place: place.write_text(json.dumps(content, indent=1, ensure_ascii=False), "utf-8"))
