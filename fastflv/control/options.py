"""From the configuration's vhosts to what each layer is told."""

from __future__ import annotations

from fastflv.config.service import TimeJitter
from fastflv.config.settings import Settings, Vhost
from fastflv.delivery.live import LiveOptions
from fastflv.delivery.mount import compile_mounts
from fastflv.ingest.rtmp import IngestOptions
from fastflv.remux.variant import Variant
from fastflv.stream.stream import Jitter, StreamOptions

JITTERS = {TimeJitter.FULL: Jitter.FULL, TimeJitter.ZERO: Jitter.ZERO, TimeJitter.OFF: Jitter.OFF}


def stream_options(vhost: Vhost) -> StreamOptions:
    """What shapes the streams of a vhost."""
    play = vhost.play
    return StreamOptions(
        gop_cache=play.gop_cache,
        gop_frames_max=play.gop_cache_max_frames,
        gop_bytes_max=play.gop_cache_max_bytes,
        queue_ms=play.queue_length * 1000,
        window_ms=play.mw_latency,
        jitter=Jitter.OFF if play.atc else JITTERS[play.time_jitter],
        reduce_sequence_header=play.reduce_sequence_header,
        grace_ms=round(vhost.publish.grace * 1000),
        # A send is a merged batch already, so Nagle only holds back its last segment: off unless asked for.
        nodelay=vhost.tcp_nodelay or not _says(vhost, "tcp_nodelay"),
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
    mounts = compile_mounts(remux.mounts, vhost.name) if remux.enabled else ()
    return LiveOptions(
        mounts=mounts,
        on_missing=remux.on_missing,
        fast_cache_ms=round(remux.fast_cache * 1000),
        guess_tracks=remux.guess_has_av,
        has_audio=remux.has_audio,
        has_video=remux.has_video,
        drop_others=remux.drop_if_not_match,
    )


def _says(vhost: Vhost, name: str) -> bool:
    return vhost.directive is not None and any(child.name == name for child in vhost.directive.children)
