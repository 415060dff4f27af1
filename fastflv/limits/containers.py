"""FLV, MPEG-TS and fragmented MP4."""

from __future__ import annotations

from typing import Final

FLV_HEADER_BYTES_MAX: Final = 1024
"Longest FLV header taken, bytes. Writers in use have 9; a larger DataOffset leaves room for later fields (FLV v10.1, E.2)."

TS_BASE_MS: Final = 1000
"Time in TS of what has time 0 in the stream, ms: room for the lead of the PCR and for a negative composition offset. FFmpeg starts at 1400."

TS_PCR_LEAD_MS: Final = 200
"The PCR is this much before the decode time of what it comes with, ms: gathered audio (70) and encoders that interleave unevenly stay within it. GStreamer leads by 125, FFmpeg by 700; VLC shows the picture later by it."

TS_PCR_MS: Final = 100
"A PCR stands at least this often, ms (ISO 13818-1, 2.7.2)."

TS_PCR_EARLY_MS: Final = 80
"Audio brings a PCR packet of its own when the last PCR is older than this, ms: above one frame of 15 pictures a second, below the bound by one gathered PES of small frames."

TS_PCR_FILL_MAX: Final = 50
"A longer silence than this many PCR intervals is a new start of the clock, not filled with PCR packets: 5 s, 14 KB with the tables. Cameras at 1 frame in 5 s exist; a publisher that invents silences must not get much for little."

TS_RESTART_MS: Final = 1000
"A step back of the clock by more than this is a new start (time_jitter off), ms; by less, it is uneven interleaving."

TS_SHIFT_MS: Final = 150
"Pictures with a negative composition offset are decoded earlier by up to this, ms: three frames of 20 a second. Below the PCR's lead."

TS_TABLES_MS: Final = 400
"PAT and PMT stand before each keyframe, and before the first entry that is this much behind the last ones, ms: entries are at most 100 ms apart, so twice a second."

TS_AUDIO_MS: Final = 70
"Audio frames gathered for one PES, ms, unless a picture comes: three AAC frames of 44.1 kHz. A PES of its own for each would be one third stuffing at 64 kbit/s."

TS_TRACK_LOST_MS: Final = 1200
"A track that was announced by a header, or by the publisher before, and shows no frame for this long leaves the PMT, ms: above the interval of a camera at 1 frame a second."

TS_SETS_BYTES_MAX: Final = 8 * 1024
"Parameter sets of a video track, bytes: they are written before each keyframe that has none, however small that is. Real ones have 50 to 1,000; a track with more is not carried."

TS_SETS_SHARE: Final = 8
"Parameter sets written to TS may take this many times the bytes of their pictures in the long run. A still of 30 bytes with sets of 60 stays below."

TS_SETS_CREDIT_BYTES: Final = 64 * 1024
"And this many before, bytes: eight times the largest. A keyframe for which nothing is left has none, and is no place to start."

TS_FILE_STEP_BYTES: Final = 256 * 1024
"A whole file is muxed in steps of this many bytes: its log stays in the cache and its memory is used again."

MP4_RUN_SAMPLES_MAX: Final = 1 << 20
"Samples in one run of a fragment that is read, count: recordings have some hundred; others up to an hour."

MP4_MOVIE_BYTES_MAX: Final = 64 * 1024 * 1024
"Largest head of a fragment or of a movie of fragments that is read, bytes: those of an hour in one fragment have 5 MB."

MP4_DRIFT_MS: Final = 30
"Audio in MP4 runs on by its samples while the publisher's times lie within this, ms: more than rounding and jitter, less than is seen on lips."
