from fastflv._ext.log.medialog import MediaLog

def bytes_per_second(log: MediaLog) -> int:
    """Rate of what *log* keeps; 0 while that is too little to tell."""

def pace_socket(fd: int, wanted: int, paced: int) -> int:
    """Have the kernel send no faster than *wanted* bytes a second, unless that is near *paced*; return what it is told now."""

def limit_unsent(fd: int, rate: int) -> None:
    """Let the kernel hold little of a stream of *rate* bytes a second (0: not known) that it has not sent on *fd*."""
