"""`estimate_drivers` without the encoder: what it adds to merging has tests of its own."""

from __future__ import annotations

from functools import partial

import yoin

estimate_drivers = partial(yoin.estimate_drivers, embed=None)
