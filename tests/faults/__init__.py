"""The fault harness: a gateway that is killed, starved and cut off, and what it promised."""
