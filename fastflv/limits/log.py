"""The media log and its memory."""

from __future__ import annotations

from typing import Final

PAGE_BYTES_MIN: Final = 64 * 1024
"Smallest page, bytes: one second of 500 kbit/s. A stream without players keeps its GOP, rounded up to pages."

PAGE_BYTES_MAX: Final = 1024 * 1024
"Largest page, bytes (a larger tag gets one of its own). At 20 Mbit/s it lasts 400 ms."

PAGE_SPAN_MS: Final = 500
"Pages that fill faster than this double, ms; four times slower, they halve. Readers look at the list once per page."

TAG_BYTES_TYPICAL: Final = 128
"The tag index of a page has room for one tag in this many bytes. Audio tags are 100 to 400 bytes; a fuller index only ends the page early."

HISTORY_MS: Final = 30_000
"History kept for readers that lag, ms, where no stream says otherwise."

HISTORY_BYTES: Final = 32 * 1024 * 1024
"Bound of that history in bytes, whatever the bitrate."

GOP_BYTES_MAX: Final = 16 * 1024 * 1024
"A GOP above this is not offered to new players, bytes: 10 s at 13 Mbit/s. They wait for the next keyframe."

GOP_FRAMES_MAX: Final = 2500
"Likewise in video frames (SRS gop_cache_max_frames)."

BLOCK_MAPPED_BYTES: Final = 32 * 1024
"A block from this size on has pages of its own, bytes, that go back to the system with it: starts come and go while players join, and in the heap each would leave a hole that the players' own small things keep open. 2,000 joins in 2 s left 6 MB so."
