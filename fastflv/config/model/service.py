"""Blocks of a vhost that come after publishing and playing: callbacks, access, files, other servers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fastflv.config.grammar.section import Section, bounded
from fastflv.errors import ConfigValueError

HTML_DIR: Final = "./objs/nginx/html"
"SRS's default root for files."


class TimeJitter(Enum):
    """How the times of a stream are repaired."""

    FULL = "full"
    ZERO = "zero"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class HttpStatic:
    """`http_static { }`: files of a vhost."""

    enabled: bool = False
    "Default off."

    mount: str = "[vhost]/"
    "URL prefix; `[vhost]` stands for the vhost's name."

    dir: str = HTML_DIR
    "Directory of the files. Default ./objs/nginx/html."


@dataclass(frozen=True, slots=True)
class Hooks:
    """`http_hooks { }`: URLs to POST to, called in order; none by default."""

    enabled: bool = False
    "Default off."

    on_connect: tuple[str, ...] = ()
    "A client connected; may refuse it."

    on_close: tuple[str, ...] = ()
    "A client left."

    on_publish: tuple[str, ...] = ()
    "A publisher begins; may refuse it."

    on_unpublish: tuple[str, ...] = ()
    "A publisher ended."

    on_play: tuple[str, ...] = ()
    "A player begins; may refuse it."

    on_stop: tuple[str, ...] = ()
    "A player ended."

    on_dvr: tuple[str, ...] = ()
    "A recording is closed."

    on_hls: tuple[str, ...] = ()
    "An HLS segment is closed."

    on_hls_notify: tuple[str, ...] = ()
    "GET templates that warm a cache with a new segment."


@dataclass(frozen=True, slots=True)
class Refer:
    """`refer { }`: sites whose pages may embed a player or publisher. An empty list passes all."""

    enabled: bool = False
    "Default off."

    all: tuple[str, ...] = ()
    "Ends of host names, for both."

    publish: tuple[str, ...] = ()
    "Ends of host names, for publishers."

    play: tuple[str, ...] = ()
    "Ends of host names, for players."


@dataclass(frozen=True, slots=True)
class Rule:
    """One `allow` or `deny` of `security { }`."""

    allow: bool
    "True for allow, False for deny."

    action: str
    "publish or play."

    peers: str
    "`all`, an IP address, or a network as 10.0.0.0/8."


@dataclass(frozen=True, slots=True)
class Security:
    """`security { }`: who may publish and play. Any deny that matches refuses; then any allow passes."""

    enabled: bool = False
    "Default off."

    rules: tuple[Rule, ...] = ()
    "In file order."


@dataclass(frozen=True, slots=True)
class Forward:
    """`forward { }`: pushes each published stream to other servers."""

    enabled: bool = False
    "Default off."

    destination: tuple[str, ...] = ()
    "RTMP servers, host or host:port; port 1935 where none is given."

    backend: str = ""
    "URL that is asked for the destinations at publish; when set, `destination` is not used."

    rtmps: bool = False
    "Push over TLS. Default off."


class ClusterMode(Enum):
    """Whether the vhost's streams are published here or fetched."""

    LOCAL = "local"
    REMOTE = "remote"


class PullProtocol(Enum):
    """How an edge fetches."""

    RTMP = "rtmp"
    FLV = "flv"
    FLVS = "flvs"


@dataclass(frozen=True, slots=True)
class Cluster:
    """`cluster { }`: origin or edge."""

    mode: ClusterMode = ClusterMode.LOCAL
    "remote = edge. Default local."

    origin: tuple[str, ...] = ()
    "Upstreams of an edge, host or host:port; ports 1935, 80 (flv), 443 (flvs) where none is given."

    token_traverse: bool = False
    "Ask the origin before a client is served. Default off."

    vhost: str = "[vhost]"
    "Vhost named to the upstream."

    debug_srs_upnode: bool = True
    "Tell the upstream about this server in connect. Default on."

    protocol: PullProtocol = PullProtocol.RTMP
    "Default rtmp."

    follow_client: bool = False
    "Fetch by the protocol of the first client. Default off."

    origin_cluster: bool = False
    "Redirect to the coworker that has the stream. Default off."

    coworkers: tuple[str, ...] = ()
    "HTTP APIs of the other origins, host:port."


class DvrPlan(Enum):
    """When a recording ends."""

    SESSION = "session"
    SEGMENT = "segment"


@dataclass(frozen=True, slots=True)
class Dvr:
    """`dvr { }`: recording."""

    enabled: bool = False
    "Default off."

    dvr_apply: tuple[str, ...] = ("all",)
    "`all`, or streams as app/stream."

    dvr_plan: DvrPlan = DvrPlan.SESSION
    "session: one file a publish; segment: cut by `dvr_duration`. Default session."

    dvr_path: str = f"{HTML_DIR}/[app]/[stream].[timestamp].flv"
    "Path of a file, with variables; the ending picks the container."

    dvr_duration: int = bounded(30, 1)
    "Length of a segment, seconds. Default 30."

    dvr_wait_keyframe: bool = True
    "Cut at keyframes. Default on."

    time_jitter: TimeJitter = TimeJitter.FULL
    "Default full."


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

    hls_keys: bool = False
    "Encrypt with AES-128. Default off."

    hls_fragments_per_key: int = bounded(5, 1)
    "Segments that share a key. Default 5."

    hls_key_file: str = "[app]/[stream]-[seq].key"
    "Key file below `hls_key_file_path`."

    hls_key_file_path: str = HTML_DIR
    "Root directory of keys. Default ./objs/nginx/html."

    hls_key_url: str = HTML_DIR
    "Put before key URIs. SRS's default is a path, so set it."

    hls_dts_directly: bool = True
    "Keep the publisher's decode times. Default on."

    hls_recover: bool = True
    "Go on with the old playlist after a restart. Default on."

    hls_master_m3u8_path_relative: bool = False
    "Write a relative URI into the master playlist. Default off."


def read_hls(section: Section) -> Hls:
    """Build `hls`; SRS writes files always, fastflv where the file names a directory for them."""
    return section.fill(Hls, on_disk=section.value("hls_path") is not None)


def read_security(section: Section) -> Security:
    """Build the rules of *section*; raise ConfigValueError for one that names nobody."""
    rules = []
    for directive in section.directive.children if section.directive else ():
        if directive.name == "enabled":
            continue
        if (
            len(directive.args) != 2
            or directive.args[0] not in ("publish", "play")
            or not _names_peers(directive.args[1])
        ):
            raise ConfigValueError(
                f"cannot be '{' '.join((directive.name, *directive.args))}'",
                file=directive.file,
                line=directive.line,
                hint=f"write '{directive.name} publish|play all|ADDRESS|NETWORK;'",
            )
        rules.append(Rule(directive.name == "allow", *directive.args))
    return section.fill(Security, rules=tuple(rules))


def _names_peers(word: str) -> bool:
    if word == "all":
        return True
    try:
        ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
    return True
