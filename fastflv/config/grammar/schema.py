"""Which directives exist in which block: SRS 7.0.18's whitelist, newer SRS names, and fastflv's own.

SRS refuses a file with a name that it does not know, and so does fastflv: a typo must not turn
into a default. Blocks that SRS does not look into are FREE here and take anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.problems import Problems
from fastflv.errors import ConfigError, ConfigNameError, ConfigValueError


@dataclass(frozen=True, slots=True)
class BlockSchema:
    """The directives that one block may hold."""

    values: frozenset[str]
    "Names of statements with arguments."

    blocks: Mapping[str, BlockSchema]
    "Names of blocks, and what they may hold."

    free: bool = False
    "True where SRS checks no names, so anything passes."


def block(values: str = "", **blocks: BlockSchema) -> BlockSchema:
    return BlockSchema(frozenset(values.split()), blocks)


FREE: Final = BlockSchema(frozenset(), {}, free=True)

LIMITS: Final = block("conn req publish send_rate ingest_rate")

EXTENSIONS: Final = frozenset(
    {
        "fanout_threads",
        "reuse_port",
        "flv_tcp",
        "flv_tcp.enabled",
        "flv_tcp.listen",
        "flv_tcp.app",
        "exporter.streams",
        "srs_log_format",
        "trusted_proxies",
        "rtmp.proxy_protocol",
        "rtmps.proxy_protocol",
        "http_server.pages",
        "http_server.proxy_protocol",
        "http_server.https.http2",
        "http_server.https.proxy_protocol",
        "http_api.proxy_protocol",
        "http_api.console",
        "http_api.read_only",
        "http_api.https.http2",
        "http_api.https.proxy_protocol",
        "vhost.play.start",
        "vhost.play.live_clock",
        "vhost.play.start_burst_max_ms",
        "vhost.play.start_burst_max_bytes",
        "vhost.play.pacing",
        "vhost.play.lag_drop",
        "vhost.play.lag_jump",
        "vhost.play.lag_close",
        "vhost.play.gop_cache_max_bytes",
        "vhost.play.on_missing",
        "vhost.cluster.linger",
        "vhost.cluster.warm",
        *(
            f"vhost.cluster.{name}"
            for name in ("directory", "advertise", "redirect", "max_players", "max_bandwidth")
        ),
        "vhost.forward.tls_verify",
        "vhost.hls.hls_forward_query",
        "vhost.publish.grace",
        "vhost.publish.takeover",
        "vhost.publish.failover",
        "vhost.publish.failback",
        "vhost.publish.backup_suffix",
        "vhost.record_api",
        "vhost.record_path",
        "vhost.http_remux.on_missing",
        "vhost.auth",
        "vhost.auth.enabled",
        "vhost.auth.apply",
        "vhost.auth.key",
        "vhost.auth.jwks",
        "vhost.auth.tencent",
        "vhost.auth.aliyun",
        "vhost.auth.cdn_ttl",
        "vhost.auth.algorithms",
        "vhost.auth.issuer",
        "vhost.auth.audience",
        "vhost.auth.enforce_expiry",
        "limits",
        "limits.accept",
        *(f"{where}limits.{name}" for where in ("", "vhost.") for name in LIMITS.values),
        "vhost.limits",
        "vhost.timeshift",
        "vhost.timeshift.window",
        "vhost.timeshift.max_bytes",
        "vhost.timeshift.path",
    }
)
"Directives that SRS does not know: a file that uses one is refused by SRS."

HTTPS: Final = BlockSchema(
    frozenset({"enabled", "listen", "key", "cert", "http2", "proxy_protocol"}), {}, free=True
)
"What is read of an `https` block; SRS checks no names in it."

ENGINE: Final = block(
    "enabled iformat oformat vcodec vbitrate vfps vwidth vheight vthreads vprofile vpreset"
    " acodec abitrate asample_rate achannels output",
    perfile=FREE,
    vfilter=FREE,
    vparams=FREE,
    aparams=FREE,
)

VHOST: Final = block(
    "enabled chunk_size min_latency tcp_nodelay in_ack_size out_ack_size record_api record_path",
    auth=block("enabled apply key jwks algorithms issuer audience enforce_expiry tencent aliyun cdn_ttl"),
    bandcheck=FREE,
    cluster=block(
        "mode origin token_traverse vhost debug_srs_upnode coworkers origin_cluster protocol follow_client linger warm"
        " directory advertise redirect max_players max_bandwidth"
    ),
    dash=block(
        "enabled dash_fragment dash_update_period dash_timeshift dash_path dash_mpd_file dash_window_size"
        " dash_dispose dash_cleanup"
    ),
    dvr=block("enabled dvr_apply dvr_plan dvr_path dvr_duration dvr_wait_keyframe time_jitter"),
    exec=block("enabled publish"),
    # `rtmps` is newer than 7.0.18.
    forward=block("enabled destination backend rtmps tls_verify"),
    hds=FREE,
    hls=block(
        "enabled hls_fragment hls_td_ratio hls_aof_ratio hls_window hls_on_error hls_path hls_m3u8_file"
        " hls_ts_file hls_ts_floor hls_entry_prefix hls_acodec hls_vcodec hls_cleanup hls_dispose"
        " hls_nb_notify hls_wait_keyframe hls_ctx hls_ts_ctx hls_keys hls_fragments_per_key hls_key_file"
        " hls_key_file_path hls_key_url hls_dts_directly hls_storage hls_mount"
        # Newer than 7.0.18:
        " hls_use_fmp4 hls_fmp4_file hls_init_file hls_recover hls_master_m3u8_path_relative hls_forward_query"
    ),
    http_hooks=block(
        "enabled on_connect on_close on_publish on_unpublish on_play on_stop on_dvr on_hls on_hls_notify"
    ),
    http_remux=block(
        "enabled mount fast_cache drop_if_not_match has_audio has_video guess_has_av on_missing"
    ),
    http_static=block("enabled mount dir"),
    ingest=block("enabled ffmpeg", input=FREE, engine=FREE),
    play=block(
        "gop_cache gop_cache_max_frames queue_length time_jitter mix_correct atc atc_auto mw_latency mw_msgs"
        " send_min_interval reduce_sequence_header start start_burst_max_ms start_burst_max_bytes gop_cache_max_bytes"
        " on_missing lag_drop lag_jump lag_close pacing live_clock"
    ),
    limits=LIMITS,
    publish=block(
        "mr mr_latency firstpkt_timeout normal_timeout parse_sps try_annexb_first kickoff_for_idle grace"
        " takeover failover failback backup_suffix"
    ),
    refer=block("enabled all publish play"),
    timeshift=block("window max_bytes path"),
    rtc=block(
        "enabled nack nack_no_copy twcc bframe aac stun_timeout stun_strict_check dtls_role dtls_version"
        " drop_for_pt rtc_to_rtmp pli_for_rtmp rtmp_to_rtc keep_bframe opus_bitrate aac_bitrate"
        " keep_avc_nalu_sei init_rate_from_sdp"
    ),
    rtsp=block("enabled rtmp_to_rtsp"),
    security=block("enabled allow deny"),
    srt=block("enabled srt_to_rtmp"),
    transcode=block("enabled ffmpeg", engine=ENGINE),
)

ROOT: Final = block(
    "listen chunk_size max_connections pid daemon work_dir asprocess server_id utc_time pithy_print_ms"
    " srs_log_tank srs_log_level srs_log_level_v2 srs_log_file srs_log_format ff_log_dir ff_log_level"
    " grace_start_wait grace_final_wait force_grace_quit empty_ip_ok in_docker disable_daemon_for_docker"
    " inotify_auto_reload auto_reload_for_docker tcmalloc_release_rate query_latest_version"
    " first_wait_for_qlv is_full fanout_threads reuse_port trusted_proxies",
    circuit_breaker=FREE,
    exporter=block("enabled listen label tag streams"),
    flv_tcp=block("enabled listen app"),
    heartbeat=block("enabled interval url device_id summaries ports"),
    limits=BlockSchema(LIMITS.values | {"accept"}, {}),
    http_api=block(
        "enabled listen crossdomain console read_only proxy_protocol",
        raw_api=block("enabled allow_reload allow_query allow_update"),
        auth=block("enabled username password"),
        https=HTTPS,
    ),
    http_server=block("enabled listen dir crossdomain pages proxy_protocol", https=HTTPS),
    rtc_server=block(
        "enabled listen dir candidate ecdsa encrypt reuseport merge_nalus protocol ip_family"
        " api_as_candidates resolve_api_domain keep_api_domain use_auto_detect_network_ip",
        tcp=FREE,
        black_hole=FREE,
    ),
    rtmp=block("listen chunk_size proxy_protocol"),
    rtmps=block("enabled listen key cert proxy_protocol"),
    rtsp_server=block("enabled listen"),
    srt_server=block(
        "enabled listen maxbw mss latency recvlatency peerlatency connect_timeout peer_idle_timeout sendbuf"
        " recvbuf payloadsize default_app sei_filter mix_correct tlpktdrop tsbpdmode passphrase pbkeylen"
    ),
    stats=block("enabled network disk"),
    stream_caster=block(
        "enabled caster output listen", sip=block("enabled listen timeout reinvite candidate")
    ),
    tencentcloud_apm=FREE,
    tencentcloud_cls=FREE,
    threads=FREE,
    vhost=VHOST,
)

NAMES_LISTED_MAX: Final = 12
"Directives of a block that a message lists when none of them is near."

REPEATED: Final = frozenset(
    {
        "stream_caster",
        "trusted_proxies",
        "vhost",
        "vhost.auth.aliyun",
        "vhost.auth.jwks",
        "vhost.auth.key",
        "vhost.auth.tencent",
        "vhost.exec.publish",
        "vhost.http_remux",
        "vhost.http_remux.mount",
        "vhost.ingest",
        "vhost.ingest.engine",
        "vhost.security.allow",
        "vhost.security.deny",
        "vhost.transcode",
        "vhost.transcode.engine",
    }
)
"Statements that may stand several times, and blocks that are checked elsewhere when they do."

KNOWN_ELSEWHERE: Final = {
    "worker_processes": "this looks like an nginx file; fastflv reads SRS-style files",
    "events": "this looks like an nginx file; fastflv reads SRS-style files",
    "http": "this looks like an nginx file; fastflv reads SRS-style files",
    "realtime": "write 'min_latency on;' in the vhost",
}
"Words that people bring from elsewhere, and what to say to them."


def check_names(root: Directive, problems: Problems) -> Directive:
    """Return *root* without what no block of its kind has; each such name is a ConfigNameError with a suggestion.

    A value that stands for a block, or a block for a value, is left out too, with a ConfigValueError. Legacy
    spellings must have been rewritten. Where blocks are misnested, only names that exist nowhere are problems.
    """
    return _checked(root, ROOT, "", problems)


def _checked(parent: Directive, allowed: BlockSchema, path: str, problems: Problems) -> Directive:
    if allowed.free:
        return parent
    kept: list[Directive] = []
    for child in parent.children:
        name = child.name
        if name in allowed.blocks:
            if child.block:
                inner = f"{path}.{name}" if path else name
                kept.append(_checked(child, allowed.blocks[name], inner, problems))
            else:
                problems.add(_error(ConfigValueError, child, f"{name} is a block", f"write '{name} {{ … }}'"))
        elif name not in allowed.values:
            if not (problems.misnested and _homes(name)):
                problems.add(
                    _error(
                        ConfigNameError,
                        child,
                        f"unknown directive '{name}' " + (f"in {path}" if path else "at the top of the file"),
                        suggest(name, allowed, path),
                    )
                )
        elif child.block:
            problems.add(
                _error(ConfigValueError, child, f"{name} takes values, not a block", f"write '{name} …;'")
            )
        else:
            kept.append(child)
    return replace(parent, children=tuple(kept))


def _error(kind: type[ConfigError], at: Directive, detail: str, hint: str) -> ConfigError:
    return kind(detail, file=at.file, line=at.line, column=at.column, hint=hint)


def _homes(name: str) -> list[str]:
    """The blocks that have *name*, by dotted path."""
    return [where for where, known in names() if known == name]


def suggest(name: str, allowed: BlockSchema, path: str) -> str:
    """What to write instead of *name* in the block at *path*, else what may stand there."""
    if name in KNOWN_ELSEWHERE:
        return KNOWN_ELSEWHERE[name]
    odd = next((char for char in name if not char.isascii() or not char.isprintable()), "")
    if odd:
        return f"there is a character U+{ord(odd):04X} in it; type the word anew"
    homes = _homes(name)
    if homes:
        # The nearest home first: a play directive in a vhost belongs in that vhost's play.
        homes.sort(key=lambda home: (not home.startswith(path), home.count(".")))
        return f"it belongs in {homes[0]}" if homes[0] else "it belongs at the top of the file"
    # Loaded for an error alone: no running server needs it.
    from difflib import get_close_matches

    here = sorted((*allowed.values, *allowed.blocks))
    close = get_close_matches(name.lower(), here, n=1)
    if close:
        return f"did you mean '{close[0]}'?"
    far = {known: where for where, known in reversed(list(names()))}
    close = get_close_matches(name.lower(), sorted(far), n=1, cutoff=0.8)
    if close:
        where = far[close[0]]
        return f"did you mean '{close[0]}', which belongs {f'in {where}' if where else 'at the top of the file'}?"
    if len(here) <= NAMES_LISTED_MAX:
        return f"allowed are {', '.join(here)}"
    return f"docs/configure.md lists what {f'{path} may hold' if path else 'stands there'}"


def names(allowed: BlockSchema = ROOT, path: str = "") -> Iterator[tuple[str, str]]:
    """All known directives as (dotted path of the block, name)."""
    for name in sorted(allowed.values):
        yield path, name
    for name, inner in sorted(allowed.blocks.items()):
        yield path, name
        yield from names(inner, f"{path}.{name}" if path else name)
