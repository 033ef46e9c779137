"""The media: every image cell found or fetched, proven to be an image, hashed and kept."""

from yoin.media.gather import collect
from yoin.media.reasons import REASONS

__all__ = ["REASONS", "collect"]
