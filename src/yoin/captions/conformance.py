"""Whether a captioner keeps the contract of `yoin.captions.Captioner`: one call in a plugin's own tests."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import json
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from yoin import loop
from yoin.captions.base import Captioner, Passing, call_key
from yoin.errors import YoinError
from yoin.values import Caption, Medium

_STATUSES = ("ok", "truncated", "refused", "blocked", "failed")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.I)
_BEGUN = 0.05  # seconds after which a call is under way
_SECRET_LENGTH = 8  # characters, at least: shorter values are in other words by chance


class ConformanceError(AssertionError):
    """A captioner breaks the contract.

    Attributes:
        violations: each in words.
    """

    def __init__(self, violations: list[str]) -> None:
        self.violations = tuple(violations)
        super().__init__("the captioner breaks its contract:\n" + "\n".join(f"- {one}" for one in violations))


def check(make: Callable[[], Captioner], medium: Medium, *, timeout: float = 120.0) -> None:
    """Check a captioner against the contract, with about four calls of ``caption``.

    What the calls return or raise is all that is seen of them: a model that says nonsense passes. A service that is
    down or out of quota passes as well, as far as its captioner says so in the right way.

    Args:
        make: returns a new captioner, each time with the same options.
        medium: an image or a video that it can read, such as `sample_image`.
        timeout: seconds that one call may take.

    Raises:
        ConformanceError: it breaks the contract; all that was found is in its words.
    """
    checking = _Check(make, medium, timeout)
    loop.run(checking.run)
    violations = checking.violations()
    if violations:
        raise ConformanceError(violations)


def sample_image(folder: Path) -> Medium:
    """Draw a small picture into ``folder``, which must exist, and return it as a medium."""
    from PIL import Image, ImageDraw

    path = folder / "sample.png"
    image = Image.new("RGB", (160, 120), "#87b5e0")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 80, 160, 120), fill="#3d7a3a")
    draw.ellipse((110, 10, 140, 40), fill="#f6d743")
    image.save(path)
    data = path.read_bytes()
    return Medium(
        media_id=hashlib.sha256(data).hexdigest(),
        path=path,
        mime="image/png",
        width=image.width,
        height=image.height,
        bytes=len(data),
    )


class _Check:
    """One check. It doubts the types that it is given, and so takes most values as plain objects."""

    def __init__(self, make: Callable[[], Captioner], medium: Medium, timeout: float) -> None:
        self._make = make
        self._medium = medium
        self._timeout = timeout
        self._found: list[str] = []
        self._secrets = {
            name: value
            for name, value in os.environ.items()
            if _SECRET_NAME.search(name) and len(value.strip()) >= _SECRET_LENGTH
        }

    def violations(self) -> list[str]:
        """What was found so far, each once, in its order, with secrets left out."""
        shown = list(dict.fromkeys(self._found))
        for name, value in self._secrets.items():
            shown = [one.replace(value.strip(), f"[{name}]") for one in shown]
        return shown

    async def run(self) -> None:
        """Look at everything."""
        try:
            captioner, other = self._make(), self._make()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._found.append(f"it cannot be made: {_named(error)}")
            return
        sound = self._attributes(captioner)
        before = _identity(captioner) if sound else None
        if sound and _identity(other) != before:
            self._found.append("two that are made alike have different keys: what they take would be paid for twice")
        await self._closes(other, "an unused")
        try:
            await self._calls(captioner)
        finally:
            await self._closes(captioner, "a used")
        if sound and _identity(captioner) != before:
            self._found.append("its key changes with use: what it takes would be paid for twice")

    def _attributes(self, captioner: Captioner) -> bool:
        """Whether the attributes are there, of the right types, and free of secrets."""
        known = len(self._found)
        for name in ("name", "model_version", "prompt_id", "provider", "endpoint"):
            value = _value(captioner, name)
            if not isinstance(value, str):
                self._found.append(f"{name} must be a text, and is {value!r}")
        word = _value(captioner, "name")
        if isinstance(word, str) and (not word or re.search(r"[\s:@]", word)):
            self._found.append(f"name must be one word without : and @, and is {word!r}")
        if _value(captioner, "model_version") == "":
            self._found.append("model_version is empty: captions of different models could not be told apart")
        if _value(captioner, "provider") and not _value(captioner, "endpoint"):
            self._found.append("endpoint is empty though there is a provider: its calls could not be paced")
        concurrency = _value(captioner, "concurrency")
        if not _is_whole(concurrency, least=1):
            self._found.append(f"concurrency must be a whole number from 1, and is {concurrency!r}")
        self._settings(_value(captioner, "settings"))
        for method in ("caption", "aclose"):
            if not callable(_value(captioner, method)):
                self._found.append(f"it has no method {method}")
        for name in ("name", "model_version", "prompt_id", "settings", "provider", "endpoint"):
            self._without_secrets(name, repr(_value(captioner, name)))
        self._without_secrets("its repr", repr(captioner))
        return len(self._found) == known

    def _settings(self, settings: object) -> None:
        if not isinstance(settings, Mapping):
            self._found.append(f"settings must be a mapping, and is {settings!r}")
            return
        for name, value in settings.items():
            if not isinstance(name, str):
                self._found.append(f"settings must have texts as names, and has {name!r}")
            elif not isinstance(value, str | int | float | bool):
                self._found.append(f"settings[{name!r}] must be a text, a number or a bool, and is {value!r}")
            elif isinstance(value, float) and not math.isfinite(value):
                self._found.append(f"settings[{name!r}] must be finite, and is {value!r}")
        try:
            json.dumps(dict(settings))
        except (TypeError, ValueError) as error:
            self._found.append(f"settings cannot be written as JSON: {error}")

    async def _calls(self, captioner: Captioner) -> None:
        if not callable(_value(captioner, "caption")):
            return
        await self._call(captioner, self._medium)
        if _is_whole(_value(captioner, "concurrency"), least=2):
            await asyncio.gather(self._call(captioner, self._medium), self._call(captioner, self._medium))
        await self._cancelled(captioner)
        await self._lost(captioner)

    async def _call(self, captioner: Captioner, medium: Medium) -> Caption | BaseException | None:
        """One call, and what came of it; None where that was a violation."""
        try:
            asked = _outcome(captioner, "caption", medium)
            if not inspect.isawaitable(asked):
                self._found.append("caption must be async")
                return None
            async with asyncio.timeout(self._timeout):
                made: object = await asked
        except TimeoutError as error:
            self._found.append(f"caption took longer than {self._timeout:g} s or raised {_named(error)}")
            return None
        except Passing as error:
            self._passing(error)
            return error
        except YoinError as error:
            self._without_secrets("what it raises", str(error))
            return error
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            self._found.append(f"caption may raise Throttled, Passing and YoinError only, and raised {_named(error)}")
            self._without_secrets("what it raises", str(error))
            return None
        if not isinstance(made, Caption):
            self._found.append(f"caption must return a Caption, and returned {made!r}")
            return None
        self._caption(made)
        return made

    def _passing(self, error: Passing) -> None:
        self._one_line("the reason of what it raises", error.reason)
        if not _is_number(error.wait):
            self._found.append(f"wait must be seconds from 0, and is {error.wait!r}")
        self._without_secrets("what it raises", str(error))

    def _caption(self, made: Caption) -> None:
        status, text, reason = _value(made, "status"), _value(made, "text"), _value(made, "reason")
        if status not in _STATUSES:
            self._found.append(f"status must be one of {', '.join(_STATUSES)}, and is {status!r}")
        if not isinstance(text, str):
            self._found.append(f"text must be a text, and is {text!r}")
        elif status in ("ok", "truncated"):
            if not text.strip():
                self._found.append(f"the text of a caption that is {status} must not be blank")
        elif text and status in _STATUSES:
            self._found.append(f"text must be empty where the status is {status}, and is {text!r}")
        if status in _STATUSES and status != "ok":
            self._one_line(f"the reason of a caption that is {status}", reason)
        elif not isinstance(reason, str):
            self._found.append(f"reason must be a text, and is {reason!r}")
        version = _value(made, "model_version")
        if not isinstance(version, str):
            self._found.append(f"a caption's model_version must be a text, and is {version!r}")
        for name in ("tokens_in", "tokens_out"):
            if not _is_whole(_value(made, name), least=0):
                self._found.append(f"{name} must be a whole number from 0, and is {_value(made, name)!r}")
        if not _is_whole(_value(made, "attempts"), least=1):
            self._found.append(f"attempts must be a whole number from 1, and is {made.attempts!r}")
        for name in ("cost_usd", "seconds"):
            if not _is_number(_value(made, name)):
                self._found.append(f"{name} must be a finite number from 0, and is {_value(made, name)!r}")
        self._without_secrets("a caption", repr(made))

    def _one_line(self, what: str, reason: object) -> None:
        if not isinstance(reason, str) or not reason.strip() or "\n" in reason:
            self._found.append(f"{what} must be one line, and is {reason!r}")

    async def _cancelled(self, captioner: Captioner) -> None:
        """A call that is cancelled, as by Ctrl-C, ends."""
        task = asyncio.ensure_future(self._cancellable(captioner))
        done, _ = await asyncio.wait([task], timeout=_BEGUN)
        if done:
            return
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=self._timeout)
        if not done:
            self._found.append("a call that is cancelled does not end")
        elif not task.cancelled():
            self._found.append("a call that is cancelled goes on to its end: it must let CancelledError pass")

    async def _cancellable(self, captioner: Captioner) -> None:
        try:
            asked = _outcome(captioner, "caption", self._medium)
            if inspect.isawaitable(asked):
                await asked
        except Exception:  # noqa: BLE001, S110 - looked at by `_call`
            pass

    async def _lost(self, captioner: Captioner) -> None:
        """A file that is gone is that medium's failure, and never the end of a run."""
        nowhere = self._medium.path.with_name("no such file" + self._medium.path.suffix)
        lost = replace(
            self._medium,
            media_id=hashlib.sha256(b"no such file").hexdigest(),
            path=nowhere,
            copy=None,
            poster=None,
            frames=tuple(nowhere for _ in self._medium.frames),
        )
        outcome = await self._call(captioner, lost)
        if isinstance(outcome, BaseException):
            self._found.append(f"a lost file must be a Caption with the status failed, and raised {_named(outcome)}")
        elif outcome is not None and outcome.status != "failed":
            self._found.append(f"a lost file must be a Caption with the status failed, and is {outcome.status}")

    async def _closes(self, captioner: Captioner, state: str) -> None:
        for time in ("first", "second"):
            try:
                closing = _outcome(captioner, "aclose")
                if not inspect.isawaitable(closing):
                    self._found.append("aclose must be async")
                    return
                async with asyncio.timeout(self._timeout):
                    await closing
            except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
                self._found.append(f"the {time} aclose of {state} captioner raised {_named(error)}")
                return

    def _without_secrets(self, what: str, text: str) -> None:
        for name, value in self._secrets.items():
            if value.strip() in text:
                self._found.append(f"{what} contains the value of the environment variable {name}")


def _identity(captioner: Captioner) -> str:
    return call_key(
        "medium",
        captioner=captioner.name,
        base_url="",
        model=captioner.model_version,
        prompt_id=captioner.prompt_id,
        settings=captioner.settings,
    )


def _value(owner: object, name: str) -> object:
    return getattr(owner, name, None)


def _outcome(captioner: Captioner, method: str, *taken: Medium) -> object:
    """What the method returns; it may be anything."""
    returned: object = getattr(captioner, method)(*taken)
    return returned


def _is_whole(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _named(error: BaseException) -> str:
    says = " ".join(str(error).split())
    return f"{type(error).__name__}: {says}" if says else type(error).__name__
