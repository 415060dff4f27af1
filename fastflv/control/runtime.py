"""Runtimes: one configuration, compiled to what each layer is told. It never changes; a reload makes another."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.access.refer import ReferRule
from fastflv.access.rule import Rule
from fastflv.access.rules import compile_rules
from fastflv.access.tokens.store import TokenStore
from fastflv.cluster.options import DirectoryOptions, EdgeOptions, ForwardOptions
from fastflv.config.filemount import file_mounts
from fastflv.config.grammar.problems import Problems
from fastflv.config.model.access import Refer
from fastflv.config.model.dvr import DvrPlan
from fastflv.config.model.play import TimeJitter
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost
from fastflv.config.mount import parse_mounts
from fastflv.config.routes import WHOLE_API, Route, console_routes, page_routes, routes_of
from fastflv.containers.variant import Variant
from fastflv.control.clusteroptions import (
    check_directory,
    check_forward,
    check_origins,
    directory_options,
    edge_options,
    forward_options,
)
from fastflv.control.heartbeat import check_heartbeat
from fastflv.control.hooks import check_hooks
from fastflv.control.ownfiles import check_own_module
from fastflv.net.networkset import NetworkSet
from fastflv.record.options import RecordOptions, path_template
from fastflv.servers.hls.names import HlsNames
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.http.live import LiveOptions
from fastflv.servers.http.router import Site
from fastflv.servers.recordings.request import RecordSite
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.stream.lag import Lag
from fastflv.stream.publication import PublishOptions
from fastflv.stream.start import StartBurst
from fastflv.stream.stream import AUTO_WINDOW, StreamOptions
from fastflv.stream.timeshift import TimeshiftOptions

if TYPE_CHECKING:
    from fastflv.access.auth import AuthRule


@dataclass(frozen=True, slots=True)
class VhostRuntime:
    """One vhost, compiled."""

    vhost: Vhost
    rtmp: RtmpOptions
    live: LiveOptions
    hls: HlsOptions | None
    "None: HLS is off."
    record: RecordOptions | None
    "None: `dvr` is off."
    record_site: RecordSite
    "For the recording API."
    forward: ForwardOptions | None
    "None: `forward` is off."
    directory: DirectoryOptions | None
    "None: it is in no cluster."
    rules: tuple[Rule, ...]
    "Who may publish and play by address and page, in the order asked."
    auth: AuthRule | None
    "None: `auth` is off."
    edge: EdgeOptions | None
    "None: its streams are published here."
    site: Site
    "URLs in the order in which a request is compared with them."

    @property
    def publish(self) -> PublishOptions:
        return self.rtmp.publish


@dataclass(frozen=True, slots=True)
class Runtime:
    """A whole configuration, compiled. Ask it per request, and keep nothing of it."""

    number: int
    "1 at the start, one more with each reload."
    settings: Settings
    vhosts: Mapping[str, VhostRuntime]
    "By name, disabled ones too."
    trusted: NetworkSet
    "Proxies that are believed about the addresses of viewers."
    bare_site: Site
    "For a host that no vhost serves."
    api_site: Site
    "What any host stands for on the API's own ports."

    def vhost(self, host: str) -> VhostRuntime | None:
        """Return the vhost that serves *host*; None: refuse."""
        found = self.settings.vhost(host)
        return self.vhosts[found.name] if found is not None else None


def compile_runtime(
    settings: Settings, number: int, tokens: TokenStore | None = None, *, folder: str = ""
) -> Runtime:
    """Compile *settings*. Raises ConfigValueError, which carries all problems, for values that no layer can use, and
    StartupError where another version was installed (`check_own_module`).

    *tokens*: of the server; None: one of its own. *folder*: where relative paths of key files start.
    """
    tokens = TokenStore() if tokens is None else tokens
    shared = settings.api_shared
    files = file_mounts(settings.vhosts, settings.http_server.dir)
    routes = {
        name: routes_of(vhost, api_shared=shared, files=files[name], numbered=settings.numbered_app(name))
        for name, vhost in settings.vhosts.items()
    }
    problems = Problems()
    check_heartbeat(settings, problems)
    vhosts = {}
    for name, vhost in settings.vhosts.items():
        check_hooks(vhost, problems)
        check_forward(vhost, problems)
        check_directory(vhost, problems)
        _check_sites(vhost, problems)
        check_origins(vhost, problems)
        auth = _auth_rule(vhost, tokens, folder, problems)
        if not problems:
            vhosts[name] = _compile_vhost(vhost, settings, routes[name], auth)
    problems.raise_found()
    return Runtime(
        number,
        settings,
        vhosts,
        NetworkSet(settings.trusted_proxies),
        Site("", routes_of(Vhost(), api_shared=shared, files=files[""])),
        Site("", (*console_routes(settings), *WHOLE_API)),
    )


def _auth_rule(vhost: Vhost, tokens: TokenStore, folder: str, problems: Problems) -> AuthRule | None:
    if not vhost.auth.enabled or not vhost.enabled:
        return None
    # Keys, tokens and signatures: 0.2 MB of a server that asks for none.
    check_own_module("fastflv.control.authrules", "auth")
    from fastflv.control.authrules import auth_rule

    return auth_rule(vhost, tokens, folder, problems)


def _check_sites(vhost: Vhost, problems: Problems) -> None:
    """Add a problem for each word of `refer` that is no site."""
    if not vhost.enabled or not vhost.refer.enabled or vhost.source is None:
        return
    for name in ("all", "publish", "play"):
        at = vhost.source.sub("refer").value(name, split=True)
        for index, word in enumerate(at.words if at is not None else ()):
            try:
                ReferRule(Refer(all=(word,)))
            except ValueError as error:
                assert at is not None
                problems.add(at.error(f"cannot be read: {error}", word=index))


def fanout_threads(settings: Settings) -> int:
    """Return how many sender threads a server of *settings* has."""
    return settings.fanout_threads or min(len(os.sched_getaffinity(0)), limits.THREADS_MAX)


def _compile_vhost(
    vhost: Vhost, settings: Settings, routes: tuple[Route, ...], auth: AuthRule | None
) -> VhostRuntime:
    live = live_options(vhost)
    rtmp = rtmp_options(vhost, settings, live)
    return VhostRuntime(
        vhost,
        rtmp,
        live,
        hls_options(vhost, settings),
        record_options(vhost, settings),
        record_site(vhost, settings),
        forward_options(vhost),
        directory_options(vhost),
        compile_rules(vhost.security, vhost.refer),
        auth,
        edge_options(vhost, rtmp.publish),
        Site(
            vhost.name, (*page_routes(settings), *routes), vhost.auth.aliyun_form if auth is not None else ""
        ),
    )


def stream_options(vhost: Vhost, live: LiveOptions) -> StreamOptions:
    """Return the options of the streams of a vhost."""
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
        merge_window_ms=AUTO_WINDOW if play.mw_latency is None else play.mw_latency,
        pace_percent=play.pacing,
        jitter=TimeJitter.OFF if play.atc else play.time_jitter,
        atc_auto=play.atc_auto,
        interleave=play.mix_correct,
        reduce_sequence_header=play.reduce_sequence_header,
        grace_ms=round(vhost.publish.grace * 1000),
        nodelay=vhost.tcp_nodelay,
        live_clock=play.live_clock,
        timeshift=TimeshiftOptions(
            round(vhost.timeshift.window * 1000), vhost.timeshift.max_bytes, vhost.timeshift.path
        ),
        kept=_kept(vhost, live),
    )


def _kept(vhost: Vhost, live: LiveOptions) -> tuple[Variant, ...]:
    """Return the variants that `fast_cache` keeps of each stream."""
    if not live.fast_cache_ms or not vhost.http_remux.enabled:
        return ()
    mounts = parse_mounts(vhost.http_remux.mounts, vhost.name)
    return tuple(
        live.variant(each) for each in sorted({mount.container for mount in mounts} & {"aac", "mp3"})
    )


def rtmp_options(vhost: Vhost, settings: Settings, live: LiveOptions) -> RtmpOptions:
    """Return the options of the RTMP clients of a vhost."""
    return RtmpOptions(
        vhost=vhost.name,
        publish=PublishOptions(
            stream=stream_options(vhost, live),
            first_media=vhost.publish.firstpkt_timeout / 1000,
            silence=vhost.publish.normal_timeout / 1000,
            idle=vhost.publish.kickoff_for_idle,
            takeover=vhost.publish.takeover,
            failover=vhost.publish.failover / 1000,
            failback=vhost.publish.failback,
            backup_suffix=vhost.publish.backup_suffix,
        ),
        on_missing=vhost.play.on_missing,
        chunk_size=vhost.chunk_size or settings.chunk_size,
        in_ack_size=vhost.in_ack_size,
        out_ack_size=vhost.out_ack_size,
    )


def live_options(vhost: Vhost) -> LiveOptions:
    """Return the options of a vhost's live responses."""
    remux = vhost.http_remux
    return LiveOptions(
        on_missing=remux.on_missing,
        fast_cache_ms=round(remux.fast_cache * 1000),
        guess_tracks=remux.guess_has_av,
        has_audio=remux.has_audio,
        has_video=remux.has_video,
        drop_others=remux.drop_if_not_match,
    )


def hls_options(vhost: Vhost, settings: Settings) -> HlsOptions | None:
    """Return the options of a vhost's HLS; None where it is off."""
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
        keys=hls.hls_keys,
        key=hls.hls_key_file,
        key_url=hls.hls_key_url,
        serves_keys=not hls.hls_key_file_path,
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
        key_folder=hls.hls_key_file_path if hls.hls_keys else "",
        fragments_per_key=hls.hls_fragments_per_key,
        cleanup=hls.hls_cleanup,
        dispose_seconds=hls.hls_dispose,
        recover=hls.hls_recover,
        on_error=hls.hls_on_error,
        sessions=hls.hls_ctx,
        segment_sessions=hls.hls_ts_ctx,
        forward_query=hls.hls_forward_query,
        master_relative=hls.hls_master_m3u8_path_relative,
        on_missing=vhost.play.on_missing,
    )


def record_options(vhost: Vhost, settings: Settings) -> RecordOptions | None:
    """Return how the streams of a vhost are recorded; None where `dvr` is off."""
    dvr = vhost.dvr
    if not dvr.enabled:
        return None
    return RecordOptions(
        path_template(dvr.dvr_path, vhost.name),
        utc=settings.utc_time,
        most_ms=dvr.dvr_duration * 1000 if dvr.dvr_plan is DvrPlan.SEGMENT else 0,
        wait_key=dvr.dvr_wait_keyframe,
        keep_times=dvr.time_jitter is TimeJitter.OFF,
        apply=dvr.dvr_apply,
    )


def record_site(vhost: Vhost, settings: Settings) -> RecordSite:
    """Return what the recording API does for a vhost."""
    folder = vhost.record_path
    template = path_template(f"{folder}/[app]/[stream].[timestamp].flv", vhost.name)
    return RecordSite(vhost.name, folder, RecordOptions(template, utc=settings.utc_time))
