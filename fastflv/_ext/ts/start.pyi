from fastflv._ext.log.block import MediaBlock
from fastflv._ext.ts.mux import TsMux

def audio_not_written_ms(live: TsMux) -> int:
    """Return the time of the first audio frame that *live* has gathered and not written, ms; far off without one."""

def tags_as_ts(live: TsMux, tags: bytes | MediaBlock) -> MediaBlock:
    """Return whole FLV *tags* as a block of MPEG-TS with the tables of *live*; the counters of its log follow on from these."""
