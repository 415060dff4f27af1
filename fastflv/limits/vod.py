"""Parts of media files."""

from __future__ import annotations

from typing import Final

VOD_BLOCK_BYTES: Final = 256 * 1024
"Bytes read at a time to find the tags of a file: some twenty of them at 5 Mbit/s."

VOD_READ_BYTES_MIN: Final = 4096
"What the shortest read of a file counts for, bytes: a page."

VOD_STEP_BYTES: Final = 32 * 1024 * 1024
"Bytes of a file that a thread reads before other files have their turn: 10 ms from the page cache, 0.2 s from a disk."

VOD_POINTS_MAX: Final = 32 * 1024
"Keyframes kept of a file, count: 18 hours of one each 2 s. A file with more keeps every second one, so a part begins a little earlier."

VOD_AUDIO_STEP_MS: Final = 1000
"A file without video has a place to start each so many ms."

VOD_NOTES_MAX: Final = 1_000_000
"Keyframes and headers looked at in a file, count: 11 hours where each picture is one. What lies behind is not served in parts."

VOD_HEAD_BYTES_MAX: Final = 1024 * 1024
"Metadata and headers kept of a file, bytes: a keyframe list of 18 hours has 0.6 MB, an AVC header 50 bytes. What lies behind is not served in parts."

VOD_HEADER_COPIES_MAX: Final = 10_000
"Headers in force from each change of one on, summed over the changes of a file, count: 3,000 changes of AVC and AAC, but a file of 2 MB can change 256 tracks 45,000 times. What lies behind is not served in parts."

VOD_CLAIM_BYTES_MIN: Final = 64 * 1024 * 1024
"In a file with more bytes than this the keyframe list of its metadata is used where samples show that it is true; a shorter one is read in less than a second."

VOD_CLAIM_SAMPLES: Final = 16
"Entries of a keyframe list that are compared with the file, count, spread over all of it."

VOD_CLAIM_SLACK_MS: Final = 100
"Times in a keyframe list may differ from those of the tags by this, ms: some writers round to tenths of a second."

VOD_CACHE_BYTES: Final = 64 * 1024 * 1024
"Memory for the indexes of files, bytes: a film of two hours has 60 KB, so a thousand of them."

VOD_INDEX_EXTRA_BYTES: Final = 2048
"What an index costs beside its lists and headers, bytes."

MP4_MOOV_BYTES_MAX: Final = 16 * 1024 * 1024
"Largest movie box that is read, bytes: 8 hours of 25 pictures and 47 audio frames a second have 15 MB of tables."

MP4_BOXES_MAX: Final = 1024
"Boxes in a box or in a file, count: files of players have some twenty."

VOD_HELD_BYTES: Final = 256 * 1024 * 1024
"Headers of parts that their clients have not taken yet, bytes: those of a film of two hours have 4 MB in MP4 and some KB in FLV. With more, parts are 503."

MP4_PIECE: Final = 64 * 1024
"Entries of a table that are added up without a break, count: 2 ms, in which nothing else of Python runs."
