"""What every part of the summary is made of: frozen records, and numbers that are finite or ``None``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

import numpy as np
import pandas as pd
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue


def _finite(value: object) -> object:
    """``None`` for what is no finite number; numpy numbers become Python's own."""
    if value is None or value is pd.NA:
        return None
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def _plain(value: object) -> object:
    """``value`` as JSON can hold it: paths and anything foreign as text, sequences as lists, NaN as ``None``."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, (Sequence, set, frozenset)):
        return [_plain(item) for item in (sorted(value, key=str) if isinstance(value, (set, frozenset)) else value)]
    value = _finite(value)
    return value if value is None or isinstance(value, (int, float)) else str(value)


Number: TypeAlias = Annotated[float | None, BeforeValidator(_finite)]
"""A finite number, or ``None``."""
Count: TypeAlias = Annotated[int, Field(ge=0)]
Plain: TypeAlias = Annotated[JsonValue, BeforeValidator(_plain)]


class Record(BaseModel):
    """The base of every part of the summary."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), from_attributes=True)
