class Follower:
    """Base of what is made from a log as it grows; subclasses are in Cython."""
