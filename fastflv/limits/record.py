"""Recordings."""

from __future__ import annotations

from typing import Final

RECORD_PULL_SECONDS: Final = 0.5
"How often a recorder reads the log and writes what is new, seconds: after a crash less than a second is missing, and frames in between cost nothing."

RECORD_PHASES: Final = 10
"Recordings are read in so many groups one after the other within RECORD_PULL_SECONDS: one call of a thread writes a group, and with 100 recordings one turn of the loop reads 10, which takes some 1 ms."

RECORD_WAITING_BYTES: Final = 4 * 1024 * 1024
"Bytes of a recording that wait to be written: with more the log is not read, which bounds the memory of a slow disk. 60 s at 500 kbit/s."

RECORD_AHEAD_MS: Final = 300
"A file begins when the log has this much behind its first frame, ms: sound that stands behind a keyframe may be older than it, and no time in a file is below 0."

RECORD_STALL_SECONDS: Final = 20.0
"A write that takes longer ends the recording, seconds: a disk that answers again after 20 s has lost more than the log holds."

RECORD_STOP_SECONDS: Final = 8.0
"Time to finish all files when the server stops, seconds: service managers kill after 10 to 90."

RECORD_KEYS_MAX: Final = 1800
"Keyframes in the index of an FLV file: an hour of 2 s each. A longer file lists every second, fourth, ... of them. AMF readers here take 4096 values."

RECORD_KEYS_PER_SECOND: Final = 2
"Room for the index of a segment, keyframes a second of its length: encoders send one in 1 to 10 s."

RECORD_KEYS_MIN: Final = 64
"And as many at least: a segment waits for a keyframe, and gets longer than it should."

RECORD_METADATA_SLACK_BYTES: Final = 512
"Room in the head of an FLV file for metadata that grows while it is recorded, bytes: a track that comes later has some 100."

RECORD_FILE_MS_MAX: Final = (1 << 31) - 60_000
"Longest FLV file, ms: its times have 31 bits. A file ends at the last keyframe before."

RECORD_LIST_MAX: Final = 10_000
"Recordings of one directory that are looked at for a list, count: a look at each costs some 10 us on a thread."

RECORD_HEAD_BYTES_MAX: Final = 128 * 1024
"Begin of an FLV file that is read for its duration and codecs, bytes: metadata and the longest index written here have 34 KB."

REPAIR_BLOCK_BYTES: Final = 1024 * 1024
"A file is read for its repair in blocks of this many bytes: one holds the longest tag that encoders send."

RECORD_NAMES_MAX: Final = 1000
"Names tried where a file is there already: NAME.flv, NAME-1.flv, NAME-2.flv, ..."
