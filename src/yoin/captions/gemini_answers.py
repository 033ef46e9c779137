"""What Gemini's answers and errors mean: a caption, a reason to wait, or the end of the stage."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from yoin.captions import keys
from yoin.captions.base import Passing, Throttled
from yoin.captions.refusals import is_refusal
from yoin.errors import UsageError
from yoin.values import Caption, CaptionStatus

if TYPE_CHECKING:
    from google.genai.errors import APIError

Json: TypeAlias = Mapping[str, object]

KEYS: Final = ("GOOGLE_API_KEY", "GEMINI_API_KEY")  # the variables that may hold the key, the first one first
TOKEN: Final = "GOOGLE_OAUTH_ACCESS_TOKEN"  # noqa: S105 - the variable's name

_STOPPED: Final = frozenset({"", "STOP", "FINISH_REASON_UNSPECIFIED"})
_BLOCKED: Final = frozenset(
    "SAFETY IMAGE_SAFETY PROHIBITED_CONTENT IMAGE_PROHIBITED_CONTENT RECITATION IMAGE_RECITATION SPII BLOCKLIST "
    "MODEL_ARMOR JAILBREAK".split()
)
_SECRET: Final = re.compile(r"AIza[\w-]{20,}|AQ\.[\w-]{20,}|ya29\.[\w.-]+")
_LONGEST: Final = 200  # characters of the service's own words that are kept
_SAME_DAY: Final = 3600.0  # seconds; a shorter wait than this is not the one for a new day


class Gone(Passing):
    """An uploaded file that a call names has expired, or cannot be used yet: it must be uploaded again."""


def read(body: str, model: str) -> Caption | Passing:
    """What an answer of the service says; ``model`` is the one asked for."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return Passing("the answer is not JSON")
    if not isinstance(answer, dict):
        return Passing("the answer is malformed")
    return read_answer(answer, model)


def read_answer(answer: Json, model: str) -> Caption:
    """What the JSON of an answer says; ``model`` is the one asked for."""
    usage = _record(answer.get("usageMetadata"))
    feedback = _record(answer.get("promptFeedback"))
    candidates = _records(answer.get("candidates"))
    candidate = candidates[0] if candidates else {}
    text = _text(candidate)
    reason = _word(candidate.get("finishReason"))
    status: CaptionStatus = "ok"
    if blocked := _word(feedback.get("blockReason")):
        status, reason = "blocked", blocked + _categories(feedback)
    elif reason in _BLOCKED:
        status, reason = "blocked", reason + _categories(candidate)
    elif reason == "MAX_TOKENS":
        status, reason = "truncated", reason if text else f"{reason} before any text"
    elif reason not in _STOPPED:
        status = "failed"
    elif not text:
        status, reason = "failed", "empty answer"
    elif is_refusal(text):
        status, reason = "refused", "says it cannot help"
    else:
        reason = ""
    return Caption(
        text=text if status in {"ok", "truncated"} else "",
        status=status,
        reason=without_secrets(reason),
        model_version=_word(answer.get("modelVersion")) or model,
        tokens_in=_count(usage, "promptTokenCount"),
        tokens_out=_count(usage, "candidatesTokenCount") + _count(usage, "thoughtsTokenCount"),
    )


def judge(
    error: APIError, *, model: str, settings: Collection[str], uploaded: bool = False
) -> Caption | Passing | UsageError:
    """What an error of the service means for this call, or for all.

    Args:
        error: as the package raised it.
        model: the one asked for.
        settings: the names of the options that were sent; a complaint about one concerns every call.
        uploaded: whether the call names an uploaded file.

    Returns:
        A failed caption where only this medium is at fault. Nothing returned holds a key.
    """
    code = error.code
    body = _record(error.details)
    body = _record(body.get("error")) or body
    says = without_secrets(_word(body.get("message")) or _word(_record(error.details).get("error")))
    details = _records(body.get("details"))
    wait = max(_retry_info(details), _retry_after(error))
    told = f"HTTP {code}: {says}" if says else f"HTTP {code}"
    if code == 429:
        return _throttled(told, says, details, wait, model)
    lost = code in {403, 404} and re.search(r"\bfiles?\b", says, re.IGNORECASE)
    if uploaded and (lost or (code == 400 and "ACTIVE state" in says)):
        return Gone(f"the uploaded video cannot be used ({told})")
    if code in {401, 403} or (code == 400 and _about_key(says, details)):
        return _not_allowed(told, says, details)
    if code == 402:
        return wrong(f"the account cannot pay ({told})", "see to its billing, then run the command again")
    if code in {404, 410}:
        return wrong(
            f"there is no model {model!r} that this account can use ({told})",
            "name another one; yoin doctor lists them",
        )
    if code in {408, 409, 425, 499} or code >= 500 or code < 300:
        return Passing(told, wait=wait)
    if code in {400, 413, 415, 422}:
        if body.get("status") == "FAILED_PRECONDITION":
            return wrong(f"the account cannot be used here ({told})", "see to its billing and its region")
        if "attributes" in settings and "schema" in says.lower():
            return wrong(f"{model} does not take these attributes ({told})", "use fewer or simpler ones")
        for name in settings:
            if name.replace("_", "") in re.sub(r"[^a-z]", "", says.lower()):
                option = f"--{name.replace('_', '-')}"
                return wrong(f"{model} does not take {option} as it is ({told})", "change it or leave it out")
        return Caption(text="", status="failed", reason=f"rejected, {told}", model_version=model)
    return wrong(f"what answers is not Gemini ({told})", "check the address")


def wrong(problem: str, remedy: str) -> UsageError:
    """An error that concerns every call."""
    return UsageError(problem, stage="captions", remedy=remedy)


def no_credentials(problem: str) -> UsageError:
    """An error about the credentials of Google Cloud."""
    return wrong(problem, f"run: gcloud auth application-default login, or set {TOKEN} to an access token")


def without_secrets(text: str) -> str:
    """``text`` in one line, cut, and without keys and tokens."""
    text = keys.hidden(text, *KEYS, TOKEN)
    line = " ".join(_SECRET.sub("***", text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _throttled(told: str, says: str, details: list[Json], wait: float, model: str) -> Passing | UsageError:
    if re.search(r"depleted|spending cap", says, re.IGNORECASE):
        return wrong(f"the account's credit is used up ({told})", "see to its billing, then run the command again")
    if re.search(r"\blimit: 0\b(?![.\d])", says):
        return wrong(f"this account has no quota for {model}", "switch its billing on, or name another model")
    quotas = [
        f"{violation.get('quotaId')} {violation.get('quotaMetric')}"
        for detail in details
        for violation in _records(detail.get("violations"))
    ]
    daily = any(re.search(r"per_?day", quota, re.IGNORECASE) for quota in quotas)
    if daily:
        # What the service asks for beside it is a minute's wait.
        reason = "the day's quota is used up; Google renews it at midnight, Pacific time"
        return Throttled(reason, wait=wait if wait >= _SAME_DAY else 0.0, daily=True)
    return Throttled(told, wait=wait)


def _about_key(says: str, details: list[Json]) -> bool:
    reasons = {detail.get("reason") for detail in details}
    return bool(reasons & {"API_KEY_INVALID", "API_KEY_EXPIRED"}) or "api key" in says.lower()


def _not_allowed(told: str, says: str, details: list[Json]) -> UsageError:
    reasons = {detail.get("reason") for detail in details}
    if "billing" in says.lower() or "BILLING_DISABLED" in reasons:
        return wrong(f"billing is off for this account ({told})", "switch it on, then run the command again")
    if "SERVICE_DISABLED" in reasons:
        return wrong(f"the project does not have this API switched on ({told})", "switch it on in its console")
    return wrong(
        f"Google did not accept the key or the credentials ({told})",
        f"check {KEYS[0]} (for vertex: the credentials and the project's permissions)",
    )


def _retry_info(details: list[Json]) -> float:
    asked = (_word(detail.get("retryDelay")) for detail in details)
    return max((float(match[1]) for delay in asked if (match := re.fullmatch(r"(\d+(?:\.\d+)?)s", delay))), default=0.0)


def _retry_after(error: APIError) -> float:
    """The header's seconds, or those until its date."""
    headers = getattr(error.response, "headers", None) or {}
    value = str(headers.get("retry-after") or "").strip()
    if re.fullmatch(r"\d{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _text(candidate: Json) -> str:
    parts = _records(_record(candidate.get("content")).get("parts"))
    return "".join(_word(part.get("text")) for part in parts if not part.get("thought")).strip()


def _categories(rated: Json) -> str:
    """The categories that are why, as far as it is told, after a colon."""
    ratings = _records(rated.get("safetyRatings"))
    why = [one for one in ratings if one.get("blocked")] or [
        one for one in ratings if one.get("probability") in {"MEDIUM", "HIGH"}
    ]
    names = [_word(one.get("category")).removeprefix("HARM_CATEGORY_") for one in why]
    return f": {', '.join(names)}" if names else ""


def _count(usage: Json, name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _record(value: object) -> Json:
    """The JSON object, or an empty one in place of anything else (an error's body may be a list of one)."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _records(value: object) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
