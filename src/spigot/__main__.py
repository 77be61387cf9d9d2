"""``python -m spigot`` is the command ``spigot``."""

from spigot.cli import main

if __name__ == "__main__":
    main(prog_name="spigot")
