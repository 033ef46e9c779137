"""Explanations: which words and phrases of a caption moved its prediction, by Shapley values."""

from __future__ import annotations

from yoin.explanations.api import explain, explain_rows, select_rows
from yoin.explanations.result import Explanations, to_shap

__all__ = ["Explanations", "explain", "explain_rows", "select_rows", "to_shap"]
