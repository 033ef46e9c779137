"""The media: every image cell found or fetched, proven to be an image, hashed and kept."""

from yoin.media.addresses import shown
from yoin.media.gather import collect
from yoin.media.reasons import MAY_PASS, REASONS

__all__ = ["MAY_PASS", "REASONS", "collect", "shown"]
