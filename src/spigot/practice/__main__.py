"""``python -m spigot.practice``."""

from spigot.practice.command import main

if __name__ == "__main__":
    main()
