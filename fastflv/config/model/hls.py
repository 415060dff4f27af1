"""`hls { }`: playlists and segments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from posixpath import normpath

from fastflv.config.grammar.section import Section, bounded
from fastflv.config.model.files import HTML_DIR


class HlsOnError(Enum):
    """The reaction to HLS files that cannot be written."""

    IGNORE = "ignore"
    "HLS of the stream ends until the next publish."

    DISCONNECT = "disconnect"
    "The publisher is disconnected."

    CONTINUE = "continue"
    "The segment is left out."


@dataclass(frozen=True, slots=True)
class Hls:
    """`hls { }`: segments and playlists."""

    enabled: bool = False
    "Default off."

    hls_fragment: float = bounded(10.0, 0.01)
    "Length of a segment, seconds. Default 10."

    hls_td_ratio: float = bounded(1.0, 0.0)
    "A segment ends at a keyframe after fragment times this. Default 1.0."

    hls_aof_ratio: float = bounded(2.1, 0.0)
    "A segment ends anywhere after fragment times this. Default 2.1."

    hls_window: float = bounded(60.0, 0.01)
    "Length of the playlist, seconds. Default 60."

    hls_on_error: HlsOnError = HlsOnError.CONTINUE
    "Default continue."

    hls_path: str = HTML_DIR
    "Root directory of the files, where it is written. Default ./objs/nginx/html."

    on_disk: bool = False
    "`hls_path` is written: playlists and segments are files below it, as in SRS. Otherwise they are kept in memory only."

    hls_m3u8_file: str = "[app]/[stream].m3u8"
    "Playlist below the root, and its URL."

    hls_use_fmp4: bool = False
    "Segments are fragmented MP4 instead of TS. Default off."

    hls_ts_file: str = "[app]/[stream]-[seq].ts"
    "TS segment below the root; also [duration] and the variables of `dvr_path`."

    hls_fmp4_file: str = "[app]/[stream]-[seq].m4s"
    "fMP4 segment, likewise."

    hls_init_file: str = "[app]/[stream]/init.mp4"
    "What an fMP4 playlist names as its map."

    hls_ts_floor: bool = False
    "Segments begin at whole multiples of the wall clock. Default off."

    hls_entry_prefix: str = ""
    "Put before the URIs in a playlist. Default empty."

    hls_acodec: str = "aac"
    "aac, mp3, or an = no audio. Default aac."

    hls_vcodec: str = "h264"
    "h264, h265, or vn = no video. Default h264."

    hls_cleanup: bool = True
    "Delete segments that left the playlist. Default on."

    hls_dispose: int = bounded(120, 0)
    "Remove all files this long after the publisher left, seconds; 0 = never. Default 120."

    hls_nb_notify: int = bounded(64, 0)
    "Bytes read from the answer of on_hls_notify. Default 64."

    hls_wait_keyframe: bool = True
    "Segments begin at keyframes. Default on."

    hls_ctx: bool = True
    "A session of its own for each viewer, so that viewers are counted. Default on."

    hls_ts_ctx: bool = True
    "Carry the session into segment URIs. Default on."

    hls_forward_query: bool = False
    "Carry the whole query of a playlist's request into the URIs in it. Default off."

    hls_keys: bool = False
    "Encrypt segments with AES-128. Default off."

    hls_fragments_per_key: int = bounded(5, 1)
    "Segments that share a key. Default 5."

    hls_key_file: str = "[app]/[stream]-[seq].key"
    "Key file below `hls_key_file_path`, and its URL."

    hls_key_file_path: str = ""
    "Root directory of keys for another server. Default empty: keys are kept with the segments and served here."

    hls_key_url: str = ""
    "Put before the URIs of keys. Default empty: relative URIs. SRS's default is a path."

    hls_dts_directly: bool = True
    "No effect: segments keep the publisher's decode times. Default on."

    hls_recover: bool = True
    "Go on with the old playlist after a restart. Default on."

    hls_master_m3u8_path_relative: bool = False
    "Write a relative URI into the master playlist. Default off."


def read_hls(section: Section) -> Hls:
    """Build `hls`; SRS writes files always, fastflv where the file names a directory for them.

    Keys that stand in the directory of the segments are kept with them.
    """
    hls = section.fill(Hls, on_disk=section.value("hls_path") is not None)
    if hls.on_disk and normpath(hls.hls_key_file_path) == normpath(hls.hls_path):
        return replace(hls, hls_key_file_path="")
    return hls
