"""A creative brief and prompts for text-to-image models, from a study's own drivers and nothing else."""

from __future__ import annotations

from yoin.brief.make import Brief, make_brief

__all__ = ["Brief", "make_brief"]
