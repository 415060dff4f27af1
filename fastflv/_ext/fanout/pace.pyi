from fastflv._ext.log.medialog import MediaLog

def bytes_per_second(log: MediaLog) -> int:
    """Return the mean rate of the pages that *log* keeps; 0 while they are too few."""

def pace_socket(fd: int, wanted: int, paced: int) -> int:
    """Bound the rate of sending on *fd* by *wanted* bytes a second; return the bound of now."""

def limit_unsent(fd: int, rate: int) -> None:
    """Bound the unsent bytes of *fd* in the kernel, for a stream of *rate* bytes a second (0: not known)."""
