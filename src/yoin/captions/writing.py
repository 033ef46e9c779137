"""Words from a captioner's model without an image, for what is written about a study."""

from __future__ import annotations

from yoin import loop, registry
from yoin.captions.base import Passing
from yoin.errors import UsageError
from yoin.options import CaptionOptions, Spec
from yoin.values import Caption


def write(text: str, options: CaptionOptions) -> Caption:
    """What the captioner's model answers to ``text``, in one call; a failed caption where it could not be reached.

    Raises:
        UsageError: there is no such captioner, it cannot work at all, or it writes nothing but captions.
        MissingExtraError: it needs a package that is not installed.
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

    async def ask() -> Caption:
        try:
            answered: Caption = await captioner.write(text)
        except Passing as error:
            return Caption(text="", status="failed", reason=error.reason)
        finally:
            await captioner.aclose()
        return answered

    return loop.run(ask)
