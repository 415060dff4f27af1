"""The media log and its memory."""

from __future__ import annotations

from typing import Final

PAGE_BYTES_MIN: Final = 8 * 1024
"Smallest page, bytes: one second of sound at 64 kbit/s. It has what is left of a frame of the arena too, 16 KB."

PAGE_BYTES_MAX: Final = 480 * 1024
"Largest page, bytes (a larger tag gets one of its own). At 20 Mbit/s it lasts 195 ms. With its index two of them fill an extent of the arena, and a larger one is a mapping of its own, which the kernel clears."

PAGE_SPAN_MS: Final = 200
"Media that a page holds, by the stream's own rate, ms: what lies around the GOP is half a page before it and half a page behind. 16 KB at 510 kbit/s, where pages of 64 KB made a stream of 127 KB a GOP cost 230 KB. Each page is an allocation, and a look at the list for each thread with players."

PAGE_CROWD_SPAN_MS: Final = 500
"Likewise where a crowd reads, or the past is kept, ms: above the longest merge window, so that most sends lie in one page or two."

PAGE_CROWD_COUNT: Final = 32
"Readers beyond this are a crowd, count: a thousandth of a core for the pieces of their sends, where pages would cost 20 KB less."

PAGE_PAST_BYTES_MIN: Final = 64 * 1024
"Smallest page where the past is kept, bytes: each is a mapping of its file, of which a process may have 65,530."

PAGE_PAST_BYTES_MAX: Final = 960 * 1024
"Largest page where the past is kept, bytes, for the same reason: 65,530 pages are 7 hours at 20 Mbit/s."

RATE_PAGES: Final = 16
"Pages that the rate of a stream is the mean of, count: 3 s of media, so that a keyframe does not show in it."

TAG_BYTES_TYPICAL: Final = 128
"The tag index of a first page has room for one tag in this many bytes, and no later page for more. Audio tags are 100 to 400 bytes; a fuller index only ends the page early."

HISTORY_MS: Final = 30_000
"History kept for readers that lag, ms, where no stream says otherwise."

READ_BEHIND_MS: Final = 2000
"Media that waits for this long is read by recorders and HLS without waiting for their timers, ms: a file that is published faster than it plays would leave the log, which keeps some seconds."

HISTORY_BYTES_MIN: Final = 64 * 1024
"What a reader has still to read is kept up to this many bytes, however old: a publisher that was cut off brings seconds of sound in one read, and nobody was slow."

HISTORY_BYTES: Final = 32 * 1024 * 1024
"Bound of that history in bytes, whatever the bitrate."

GOP_BYTES_MAX: Final = 16 * 1024 * 1024
"A GOP above this is not offered to new players, bytes: 10 s at 13 Mbit/s. They wait for the next keyframe."

GOP_FRAMES_MAX: Final = 2500
"Likewise in video frames (SRS gop_cache_max_frames)."

BLOCK_ARENA_BYTES: Final = 32 * 1024
"A block from this size on lies with the pages, bytes, whose memory goes back to the system: starts come and go while players join, and in the heap each would leave a hole that the players' own small things keep open. 2,000 joins in 2 s left 6 MB so."
