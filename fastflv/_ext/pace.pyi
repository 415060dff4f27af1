from fastflv._ext.medialog import MediaLog

def bytes_per_second(log: MediaLog) -> int:
    """Rate of what *log* keeps; 0 while that is too little to tell."""

def limit_unsent(fd: int, rate: int) -> None:
    """Let the kernel hold little of a stream of *rate* bytes a second (0: not known) that it has not sent on *fd*."""
