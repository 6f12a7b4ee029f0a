"""`python -m lastro` is `lastro`."""

from lastro.cli import main

main()
