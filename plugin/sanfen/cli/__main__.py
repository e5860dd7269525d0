"""``python -m sanfen.cli``."""

from sanfen.cli import main

main()
