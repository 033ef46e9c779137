"""Explanations: which words and phrases of a caption moved its prediction, by Shapley values."""

from __future__ import annotations

from yoin.explanations.api import explain, select_rows
from yoin.explanations.result import Explanations, draw, to_shap
from yoin.explanations.sanity import compare
from yoin.explanations.stage import Explained, explain_captions

__all__ = ["Explained", "Explanations", "compare", "draw", "explain", "explain_captions", "select_rows", "to_shap"]
