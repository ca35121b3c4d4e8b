"""What the system lets this process have."""

from __future__ import annotations

import sys


def address_space_limit() -> int | None:
    """Bytes that it may map (``ulimit -v``, and what batch systems set); None: as many as there are."""
    if sys.platform == "win32":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit
