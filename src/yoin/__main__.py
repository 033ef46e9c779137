"""``python -m yoin``."""

from yoin.cli import main

main()
