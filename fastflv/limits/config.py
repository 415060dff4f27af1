"""Configuration files."""

from __future__ import annotations

from typing import Final

CONFIG_FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"Largest configuration file read, bytes. The longest sample of SRS, all comments, is 90 KB; a bigger one is a wrong path."

CONFIG_DEPTH_MAX: Final = 32
"Deepest nesting of blocks in a configuration. SRS's own schema ends at 5 (vhost, transcode, engine, vparams and one more)."

INCLUDE_FILES_MAX: Final = 1024
"Files one configuration may include, counted each time: one vhost per file on a large host, and an end to files that include each other twice."

INCLUDE_DEPTH_MAX: Final = 16
"Deepest chain of includes. Nobody nests more than three."

CONFIG_PROBLEMS_MAX: Final = 100
"Problems of one configuration that are reported; beyond that the file is hardly a configuration, and nobody reads on."

CHUNK_BYTES_ADVISED: Final = (128, 65536)
"Chunk sizes that pass without a warning, bytes (as SRS): below, headers cost more than media; above, some clients fail."

MW_MSGS_MAX: Final = 128
"Largest `mw_msgs`; a larger one is brought down to it with a notice (as SRS)."
