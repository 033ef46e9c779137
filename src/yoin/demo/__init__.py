"""Planted posters: a data set whose truth is known, and a comparison of what was planted with what was found."""

from yoin.demo.planted import PLANTED, Planted, plant, write
from yoin.demo.recovered import Recovered, Recovery, Shadow, compare

__all__ = ["PLANTED", "Planted", "Recovered", "Recovery", "Shadow", "compare", "plant", "write"]
