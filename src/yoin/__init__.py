"""Yoin: from a table of images and a metric to the visual elements that move the metric."""

__version__ = "0.1.0"
