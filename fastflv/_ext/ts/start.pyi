from fastflv._ext.ts.mux import TsMux

def sound_before(live: TsMux) -> int:
    """Return the time, ms, from which on the log of *live* is still to bring the sound."""

def tags_as_ts(live: TsMux, tags: bytes) -> bytes:
    """Return whole FLV *tags* as MPEG-TS: tables and tracks are those of *live*, and its counters go on from here."""
