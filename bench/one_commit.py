"""Spigot with one commit and one sync for each webhook: ``python bench/one_commit.py serve``.

All else is as it is, so that the difference is what sharing a commit brings, and nothing else.
"""

from spigot.cli import main
from spigot.stores import writer

if __name__ == "__main__":
    writer.BATCH_ITEMS = 1
    main()
