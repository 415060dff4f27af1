class Follower:
    """Base of muxers and observers of a log; subclasses are in Cython."""
