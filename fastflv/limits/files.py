"""Threads that wait for disks."""

from __future__ import annotations

from typing import Final

FILE_NICE: Final = 10
"Priority of the threads for what viewers ask of files, below that of live media, nice value: they keep a tenth of a core that live players fill. With 0 the p99 delay of 1,000 players grew by half beside clips and files, with 10 by a quarter."

FILE_OPEN_THREADS: Final = 4
"Threads that look for files: a look takes 0.1 ms, or as long as its disk sleeps."

FILE_OPEN_WAITING: Final = 1024
"Requests that wait for a look, count: 25 ms of looks, and 2.5 s on a disk that seeks for each. One more is answered with 503."

FILE_SEND_THREADS: Final = 8
"Threads that send files: a step takes 1 ms from the page cache, 10 ms from a disk; eight keep several disks busy."

FILE_INDEX_THREADS: Final = 2
"Threads that read media files for an index: one file of gigabytes leaves one for all others."

FILE_INDEX_WAITING: Final = 256
"Files that wait for their index, count. One more is answered with 503."

FILE_HLS_THREADS: Final = 2
"Threads that write and delete HLS files: one may wait for the disk while the other works."

FILE_RECORD_THREADS: Final = 4
"Threads that write recordings: a write of 1 MB takes 10 ms on a slow disk, so four write 400 MB/s of small streams."

FILE_CLIP_THREADS: Final = 2
"Threads that make clips: a clip of 30 s takes 5 to 50 ms, and the interpreter runs one thread at a time."

FILE_CLIP_WAITING: Final = 64
"Clips that wait for a thread, count: 1 to 2 s. One more is answered with 503."

FILE_SPOOL_THREADS: Final = 2
"Threads that move the past of streams to files: one may wait for its disk while the other works."

CLIP_BYTES_MAX: Final = 128 * 1024 * 1024
"Largest clip, bytes of tags: 4 minutes at 4 Mbit/s."

CLIPS_BYTES_MAX: Final = 512 * 1024 * 1024
"Clips of a server that are made or kept, bytes of memory; what was not asked for the longest goes first."

CLIPS_MAX: Final = 64
"Clips likewise, count: each that is kept holds one of the CONNECTIONS_RESERVED descriptors."

CLIP_KEEP_SECONDS: Final = 60.0
"A clip stays for further ranges of it so long after the last request, seconds."

CLIP_STEP_BYTES: Final = 128 * 1024
"Tags that a clip takes in one step, bytes: other threads of the interpreter run between two steps, 1 ms apart."
