"""Captioners that fill in attributes: their answers checked as they come, and turned into sentences and columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from yoin.captions.attributes import Attribute, Schema
from yoin.captions.base import Captioner, Passing, may_call_again
from yoin.values import Caption, Medium


class Structured:
    """A captioner of which an answer that is not as asked is a ``failed`` caption; a service is asked once more first.

    What it returns holds the model's answer itself, so that the ledger can be read anew without paying again.

    Args:
        inner: a captioner that takes attributes; it is closed with this one.
        schema: the attributes that it was made with.
    """

    def __init__(self, inner: Captioner, schema: Schema) -> None:
        self._inner, self._schema = inner, schema
        self.name, self.model_version, self.prompt_id = inner.name, inner.model_version, inner.prompt_id
        self.concurrency = inner.concurrency
        self.settings: Mapping[str, str | int | float | bool] = inner.settings
        self.provider, self.endpoint = inner.provider, inner.endpoint
        self.batches = getattr(inner, "batches", None)  # whose answers the stage checks
        self._earlier: dict[str, Caption] = {}  # not as asked, and the second call still to be made

    async def caption(self, medium: Medium) -> Caption:
        """The answer for ``medium``, from one call or from two; see `Captioner`."""
        earlier = self._earlier.pop(medium.media_id, None)
        if earlier is None:
            made = await self._inner.caption(medium)
            checked = self._schema.checked(made)
            if checked is made or not self.endpoint:  # a local model would say the same again
                return checked
            if not await may_call_again(made, anew=True):
                return checked
            earlier = made
        try:
            made = await self._inner.caption(medium)
        except Passing:
            self._earlier[medium.media_id] = earlier  # so that the next attempt does not pay for it again
            raise
        return replace(
            self._schema.checked(made),
            tokens_in=earlier.tokens_in + made.tokens_in,
            tokens_out=earlier.tokens_out + made.tokens_out,
            cost_usd=earlier.cost_usd + made.cost_usd,
            seconds=earlier.seconds + made.seconds,
            attempts=earlier.attempts + made.attempts,
        )

    async def aclose(self) -> None:
        """Close the captioner."""
        await self._inner.aclose()


def columns(rows: pd.DataFrame, captions: Mapping[str, Caption], schema: Schema) -> pd.DataFrame:
    """The attributes of each row: ``row_id`` and a column an attribute, blank where there is no ok caption.

    Args:
        rows: indexed by row_id, with ``media_id``.
        captions: the answers, by media_id.
        schema: the attributes.

    Returns:
        Words as text, whole numbers as integers, other numbers as floats, bools as booleans; each of a type that has
        blanks.
    """
    values = {media_id: schema.values(made) or {} for media_id, made in captions.items()}
    found = [values.get(media_id, {}) for media_id in rows["media_id"].astype(object)]
    filled = {one.name: [each.get(one.name) for each in found] for one in schema.attributes}
    frame = pd.DataFrame({"row_id": rows.index.to_numpy(dtype="int64"), **filled})
    return frame.astype({one.name: _type(one) for one in schema.attributes})


def _type(attribute: Attribute) -> str:
    if attribute.kind == "number":
        return "Int64" if attribute.whole else "Float64"
    return "string" if attribute.kind == "enum" else "boolean"
