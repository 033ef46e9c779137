"""Words from a captioner's model without an image, for what is written about a study."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from yoin import loop, registry
from yoin.amounts import dollars
from yoin.captions import money
from yoin.captions.base import FURTHER, Captioner, Further, Passing
from yoin.errors import UsageError, YoinError
from yoin.ledger import Ledger
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption

_KEY = "brief"  # of its requests in the ledger, where those for captions have a hash
_ANSWER = 1000  # tokens that it probably has


def write(text: str, options: CaptionOptions, ledger: Ledger) -> Caption:
    """What the captioner's model answers to ``text``, in one call, and what that cost.

    Its requests are on record in ``ledger`` and count for the quota a day and the limit of the cost, as those for
    captions do. Where these do not allow it, or the model cannot be reached, it is a failed caption.

    Raises:
        UsageError: there is no such captioner, it cannot work at all, or it writes nothing but captions.
        MissingExtraError: it needs a package that is not installed.
        StudyError: the ledger cannot be written.
    """
    spec = Spec.parse(options.captioner)
    kind = registry.load("captioners", spec.name)
    if not hasattr(kind, "write"):
        raise UsageError(
            f"the captioner {spec.name} writes captions only",
            stage="brief",
            remedy="leave out --llm, which needs a study whose captioner is a language model's",
        )
    captioner = kind(spec, options)
    provider, model = captioner.provider, captioner.model_version
    expected = money.cost(provider, model, money.text_tokens(text), _ANSWER)
    sent, why_not = 0, ""

    async def may_send(_: Further) -> bool:
        nonlocal sent, why_not
        why_not = _why_not(captioner, options, ledger, expected)
        if why_not:
            return False
        sent += 1
        ledger.send_calls(_KEY, captioner.name, sent, sent * expected)
        return True

    async def ask() -> Caption:
        if not await may_send(Further()):
            return _failed(why_not)
        FURTHER.set(may_send)
        try:
            made = money.with_cost(await captioner.write(text), provider, model)
        except Passing as error:
            made = _failed(error.reason)
        except YoinError:
            ledger.lose_calls(_KEY, captioner.name, sent, 0.0)
            raise
        ledger.lose_calls(_KEY, captioner.name, sent, made.cost_usd)  # of no caption's key: it stays as it is
        return made

    async def ask_and_close() -> Caption:
        try:
            return await ask()
        finally:
            await captioner.aclose()

    return loop.run(ask_and_close)


def _why_not(captioner: Captioner, options: CaptionOptions, ledger: Ledger, expected: float) -> str:
    """Why a request that will probably cost ``expected`` may not go out; "" where it may."""
    limit, since = options.max_cost, datetime.now(UTC) - timedelta(days=1)
    if limit is not None:
        if not money.priced(captioner.provider, captioner.model_version):
            return "its price is not known, so that its cost cannot be limited"
        if ledger.spent(captioner.name) + expected > limit:
            return f"it could exceed the limit of {dollars(limit)} on what this study costs"
    if options.rpd is not None and ledger.calls_since(captioner.name, since)[0] >= int(options.rpd):
        return f"the {options.rpd:,.0f} requests a day are used up"
    return ""


def _failed(reason: str) -> Caption:
    return Caption(text="", status="failed", reason=reason)
