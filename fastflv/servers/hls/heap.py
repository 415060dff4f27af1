"""The heap of the process: free memory goes back to the system."""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None)
"None where the C library has none (musl)."


def trim_heap() -> None:
    """Give free memory back to the system.

    The C library keeps what was freed below a block that is in use, and after a large block also what lies above.
    Cost: 0.5 ms, and 0.2 ms for each MB that goes back.
    """
    if _TRIM is not None:
        _TRIM(0)
