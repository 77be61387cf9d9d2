"""What the public listener bears of one sender."""

LARGE = 256 * 1024
"""Bodies from this size on are read on a thread of their own: the others do not wait for them."""

SEND_SECONDS = 60.0
"""A request must be complete within this time."""

IDLE_SECONDS = 75.0
"""An idle connection is closed after it; nginx keeps its own for 60 s, and closes first."""

LINGER_SECONDS = 2.0
"""How long a refused sender may go on sending before its connection is cut."""
