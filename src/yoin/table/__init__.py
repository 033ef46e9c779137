"""The table: read, its cells interpreted the way a person means them, its rows checked and dealt into folds."""

from yoin.table.folds import assign_folds, blocks
from yoin.table.load import load
from yoin.table.numbers import parse_numbers
from yoin.table.read import read
from yoin.table.sides import two_sides

__all__ = ["assign_folds", "blocks", "load", "parse_numbers", "read", "two_sides"]
