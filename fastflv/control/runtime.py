"""From the configuration's vhosts to what each layer is told."""

from __future__ import annotations

from fastflv import limits
from fastflv.config.model.play import TimeJitter
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost
from fastflv.config.mount import parse_mounts
from fastflv.containers.variant import Variant
from fastflv.servers.hls import HlsNames, HlsOptions
from fastflv.servers.http.live import LiveOptions
from fastflv.servers.rtmp.options import IngestOptions
from fastflv.stream.lag import Lag
from fastflv.stream.start import StartBurst
from fastflv.stream.stream import AUTO_WINDOW, StreamOptions


def stream_options(vhost: Vhost) -> StreamOptions:
    """What shapes the streams of a vhost."""
    play = vhost.play
    # A merge window is no lag.
    window = max(limits.AUTO_WINDOWS_MS) if play.mw_latency is None else play.mw_latency
    return StreamOptions(
        gop_cache=play.gop_cache,
        begin=play.start,
        burst=StartBurst(play.start_burst_max_ms, play.start_burst_max_bytes),
        gop_frames_max=play.gop_cache_max_frames,
        gop_bytes_max=play.gop_cache_max_bytes,
        lag=Lag(play.lag_drop + window, play.lag_jump + window, play.lag_close + window),
        window_ms=AUTO_WINDOW if play.mw_latency is None else play.mw_latency,
        pace_percent=play.pacing,
        jitter=TimeJitter.OFF if play.atc else play.time_jitter,
        reduce_sequence_header=play.reduce_sequence_header,
        grace_ms=round(vhost.publish.grace * 1000),
        # A send is a merged batch already, so Nagle only holds back its last segment: off unless asked for.
        nodelay=vhost.tcp_nodelay or not _says(vhost, "tcp_nodelay"),
        live_clock=play.live_clock,
        kept=_kept(vhost),
    )


def _kept(vhost: Vhost) -> tuple[Variant, ...]:
    """What `fast_cache` keeps of each stream."""
    live = live_options(vhost)
    containers = {mount.container for mount in live.mounts} & {"aac", "mp3"} if live.fast_cache_ms else set()
    return tuple(live.variant(container) for container in sorted(containers))


def ingest_options(vhost: Vhost, settings: Settings) -> IngestOptions:
    """What RTMP clients of a vhost are told and held to."""
    return IngestOptions(
        name=vhost.name,
        stream=stream_options(vhost),
        chunk_size=vhost.chunk_size or settings.chunk_size,
        in_ack_size=vhost.in_ack_size,
        out_ack_size=vhost.out_ack_size,
        first_packet=vhost.publish.firstpkt_timeout / 1000,
        silence=vhost.publish.normal_timeout / 1000,
    )


def live_options(vhost: Vhost) -> LiveOptions:
    """What of a vhost is played over HTTP."""
    remux = vhost.http_remux
    mounts = parse_mounts(remux.mounts, vhost.name) if remux.enabled else ()
    return LiveOptions(
        mounts=mounts,
        on_missing=remux.on_missing,
        fast_cache_ms=round(remux.fast_cache * 1000),
        guess_tracks=remux.guess_has_av,
        has_audio=remux.has_audio,
        has_video=remux.has_video,
        drop_others=remux.drop_if_not_match,
    )


def hls_options(vhost: Vhost, settings: Settings) -> HlsOptions | None:
    """What of a vhost is played over HLS; None where it is off."""
    hls = vhost.hls
    if not hls.enabled:
        return None
    fragment = hls.hls_fragment * 1000
    names = HlsNames(
        vhost.name,
        hls.hls_m3u8_file,
        hls.hls_ts_file,
        hls.hls_fmp4_file,
        hls.hls_init_file,
        prefix=hls.hls_entry_prefix,
        utc=settings.utc_time,
    )
    least = max(round(fragment * hls.hls_td_ratio), limits.HLS_SEGMENT_MS_MIN)
    return HlsOptions(
        names,
        least_ms=least,
        most_ms=max(round(fragment * hls.hls_aof_ratio), least),
        playlist_ms=round(hls.hls_window * 1000),
        wait_key=hls.hls_wait_keyframe,
        floor_ms=max(round(fragment), limits.HLS_SEGMENT_MS_MIN) if hls.hls_ts_floor else 0,
        audio=hls.hls_acodec != "an",
        video=hls.hls_vcodec != "vn",
        mp4=hls.hls_use_fmp4,
        folder=hls.hls_path if hls.on_disk else "",
        cleanup=hls.hls_cleanup,
        dispose_seconds=hls.hls_dispose,
        recover=hls.hls_recover,
        on_error=hls.hls_on_error,
        sessions=hls.hls_ctx,
        segment_sessions=hls.hls_ts_ctx,
        master_relative=hls.hls_master_m3u8_path_relative,
        on_missing=vhost.http_remux.on_missing,
    )


def _says(vhost: Vhost, name: str) -> bool:
    return vhost.directive is not None and any(child.name == name for child in vhost.directive.children)
