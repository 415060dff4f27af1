"""Threads that wait for disks."""

from __future__ import annotations

from typing import Final

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
