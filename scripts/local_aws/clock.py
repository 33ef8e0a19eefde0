"""Times as AWS writes them."""

import time


def iso(seconds: float) -> str:
    """`2026-01-01T00:00:00.250Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime(seconds)) + f"{int(seconds % 1 * 1000):03d}Z"
