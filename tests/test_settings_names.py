"""Names in a configuration: unknown ones, features out of scope, legacy spellings, the environment's variables."""

from __future__ import annotations

import dataclasses
import os

import pytest
from model.settings import BASE, one, refusal, said

from fastflv.config import feature
from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar import schema
from fastflv.config.load import load, load_text
from fastflv.config.model.hls import Hls
from fastflv.config.model.play import Play
from fastflv.config.model.publish import Publish
from fastflv.config.model.remux import HttpRemux
from fastflv.config.model.server import Exporter, Heartbeat, LogLevel, LogTank, Rtmp, Rtmps, Stats
from fastflv.config.model.vhost import DEFAULT_VHOST, Vhost
from fastflv.config.model.webserver import HttpApi, HttpServer
from fastflv.config.notice import NoticeKind
from fastflv.errors import ConfigNameError, ConfigValueError

# Names

UNKNOWN = {
    "a typo at the root": ("listn 1935;", 1, "did you mean 'listen'?"),
    "a typo in a vhost": ("listen 1;\nvhost a {\n htp_remux { }\n}", 3, "did you mean 'http_remux'?"),
    "a typo in a block of a vhost": (
        "listen 1;\nvhost a { play {\n gop_cach on; } }",
        3,
        "did you mean 'gop_cache'?",
    ),
    "a directive in the wrong block": ("listen 1;\nvhost a { mw_msgs 1; }", 2, "it belongs in vhost.play"),
    "a vhost's directive at the root": ("listen 1;\nmw_msgs 1;", 2, "it belongs in vhost.play"),
    "a root directive in a vhost": ("listen 1;\nvhost a { pid x; }", 2, "it belongs at the top of the file"),
    "what was never a directive": ("listen 1; vhost a { play { realtime on; } }", 1, "min_latency on"),
    "an nginx file": ("worker_processes 1;", 1, "nginx"),
    "nothing near": ("listen 1;\nzzz 1;", 2, ""),
    "raw_api": ("listen 1; http_api { raw_api { allow_all on; } }", 1, ""),
    "engine": ("listen 1; vhost a { transcode { engine x { vcodecs x; } } }", 1, "did you mean 'vcodec'?"),
    "sip": ("listen 1; stream_caster { sip { listn 1; } }", 1, "did you mean 'listen'?"),
}


@pytest.mark.parametrize(("text", "line", "hint"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_unknown_name_is_refused_with_its_place_and_a_suggestion(text, line, hint):
    error = refusal(text, ConfigNameError)
    assert (error.file, error.line) == ("a.conf", line)
    assert hint in error.hint if hint else True


@pytest.mark.parametrize(
    "text",
    [
        "http_server { enabled on; https { what ever; } }",
        "threads { x 1; } circuit_breaker { enabled off; y 1; } tencentcloud_cls { enabled off; z { w 1; } }",
        'vhost a { hds { anything goes; } bandcheck { key "a"; } }',
        "vhost a { ingest { enabled off; input { a b; } engine { perfile { re; rtsp_transport tcp; } x 1; } } }",
        "vhost a { transcode { enabled off; engine x { enabled off; vparams { t 100; } aparams { profile:a x; } } } }",
        "rtc_server { tcp { x 1; } black_hole { y 1; } }",
    ],
)
def test_blocks_that_srs_does_not_look_into_take_anything(text):
    assert load_text(BASE + text).notices == ()


def test_newer_names_of_srs_are_known():
    load_text(
        BASE + "rtsp_server { enabled off; listen 554; } exporter { enabled off; }"
        " vhost a { rtsp { enabled off; rtmp_to_rtsp on; } rtc { init_rate_from_sdp on; }"
        " forward { rtmps on; } hls { hls_use_fmp4 on; hls_fmp4_file a; hls_init_file b; hls_recover off; hls_master_m3u8_path_relative on; } }"
    )


def test_every_directive_that_is_read_is_known_and_every_extension_is_marked():
    known = {f"{path}.{name}" if path else name for path, name in schema.names()}
    assert known >= schema.EXTENSIONS
    typed = {"vhost.play": Play, "vhost.publish": Publish, "vhost.http_remux": HttpRemux, "vhost": Vhost}
    typed |= {
        "rtmp": Rtmp,
        "rtmps": Rtmps,
        "http_server": HttpServer,
        "http_api": HttpApi,
        "stats": Stats,
        "heartbeat": Heartbeat,
        "exporter": Exporter,
        "vhost.hls": Hls,
    }
    for path, kind in typed.items():
        for each in dataclasses.fields(kind):
            if each.name not in ("name", "source", "mounts", "on_disk"):
                assert f"{path}.{each.name}" in known


# Features

FEATURES = {
    "rtc": (
        "rtc_server { enabled on; } vhost a { rtc { enabled on; } } vhost b { rtc { enabled on; } }",
        NoticeKind.NEVER,
    ),
    "srt": ("srt_server { enabled on; }", NoticeKind.NEVER),
    "rtsp": ("rtsp_server { enabled on; }", NoticeKind.NEVER),
    "dash": ("vhost a { dash { enabled on; } }", NoticeKind.NEVER),
    "hds": ("vhost a { hds { enabled on; } }", NoticeKind.NEVER),
    "exec": ("vhost a { exec { enabled on; } }", NoticeKind.NEVER),
    "ingest": ("vhost a { ingest x { } ingest y { enabled on; } }", NoticeKind.NEVER),
    "transcode": ("vhost a { transcode { enabled on; } }", NoticeKind.NEVER),
    "gb28181": ("stream_caster { enabled on; caster gb28181; }", NoticeKind.NEVER),
    "mpegts_over_udp": ("stream_caster { enabled on; caster mpegts_over_udp; }", NoticeKind.NEVER),
    "raw_api allow_query": ("http_api { raw_api { allow_query on; } }", NoticeKind.NEVER),
}


@pytest.mark.parametrize("name", FEATURES)
def test_an_enabled_feature_out_of_scope_is_named_once_and_a_disabled_one_never(name):
    text, kind = FEATURES[name]
    settings = load_text(f"{BASE}\n{text}", "a.conf")
    assert said(settings, kind) == [name]
    [notice] = settings.notices
    assert (notice.file, notice.line) == ("a.conf", 2)
    assert name in str(notice)
    assert load_text(f"{BASE}\n{text.replace(' on;', ' off;')}").notices == ()


def test_a_feature_of_a_disabled_vhost_is_not_enabled():
    assert load_text(BASE + "vhost a { enabled off; rtc { enabled on; } }").notices == ()


@pytest.mark.parametrize("row", feature.FEATURES, ids=lambda row: f"{row.path or 'root'} {row.name}")
def test_every_row_of_the_table_speaks_when_its_directives_say_so(row):
    inner = " ".join(
        f"{name} {'x' if word[0] == '!' else word.replace('[1-9]*', '5').replace('*', 'a')};"
        for name, word in row.when
    )
    for name in reversed(row.path.split(".") if row.path else []):
        # What stands inside a server counts only where the server itself is on.
        around = "enabled on; " if name in ("http_server", "http_api") else ""
        inner = f"{name} {'a ' if name == 'vhost' else ''}{{ {around}{inner} }}"
    assert row.name in said(load_text(BASE + inner), NoticeKind.NEVER)


def test_the_environment_enables_a_feature_for_the_notice_too():
    settings = load_text(BASE, environ={"SRS_RTC_SERVER_ENABLED": "on"})
    [notice] = settings.notices
    assert str(notice).startswith("environment SRS_RTC_SERVER_ENABLED: rtc is outside")


# Legacy spellings

LEGACY = {
    "time_jitter zero;": "play { time_jitter zero; }",
    "mix_correct on;": "play { mix_correct on; }",
    "atc on; atc_auto on;": "play { atc on; atc_auto on; }",
    "mw_latency 100;": "play { mw_latency 100; }",
    "gop_cache off; gop_cache_max_frames 9;": "play { gop_cache off; gop_cache_max_frames 9; }",
    "queue_length 9; play { atc on; }": "play { atc on; queue_length 9; }",
    "send_min_interval 10.0; reduce_sequence_header on;": "play { send_min_interval 10.0; reduce_sequence_header on; }",
    "mr { enabled on; }": "publish { mr on; }",
    "mr { enabled on; latency 100; }": "publish { mr on; mr_latency 100; }",
    "publish_1stpkt_timeout 1000;": "publish { firstpkt_timeout 1000; }",
    "publish_normal_timeout 7000;": "publish { normal_timeout 7000; }",
    "refer a b; refer_play c; refer_publish d;": "refer { enabled on; all a b; play c; publish d; }",
    "forward a b:1;": "forward { enabled on; destination a b:1; }",
    "mode remote; origin a b; token_traverse on; vhost v; debug_srs_upnode off;": (
        "cluster { mode remote; origin a b; token_traverse on; vhost v; debug_srs_upnode off; }"
    ),
    "http { enabled on; mount /x; dir y; }": "http_static { enabled on; mount /x; dir y; }",
    "nack { enabled on; no_copy on; } twcc { enabled on; }": "rtc { nack on; nack_no_copy on; twcc on; }",
    "rtc { aac transcode; bframe keep; }": "rtc { rtmp_to_rtc on; keep_bframe on; }",
    "rtc { aac discard; }": "rtc { rtmp_to_rtc off; }",
    "hls { hls_storage disk; hls_mount /x; }": "hls { }",
}


@pytest.mark.parametrize(("old", "new"), LEGACY.items())
def test_a_legacy_spelling_is_the_new_one_with_a_notice(old, new):
    settings = load_text(f"{BASE}\nvhost a {{ {old} }}", "a.conf")
    plain = load_text(f"{BASE}\nvhost a {{ {new} }}")
    assert settings.vhosts == plain.vhosts
    assert settings.directive == plain.directive
    legacy = [notice for notice in settings.notices if notice.kind is NoticeKind.LEGACY]
    assert legacy
    assert {(notice.file, notice.line) for notice in legacy} == {("a.conf", 2)}
    assert said(plain, NoticeKind.LEGACY) == []


ROOT_LEGACY = {
    "http_stream { enabled on; listen 80; }": "http_server { enabled on; listen 80; }",
    "srt_server { tlpkdrop off; }": "srt_server { tlpktdrop off; }",
    "rtc_server { perf_stat on; queue_length 1; }": "rtc_server { }",
    "stream_caster { host *; sip { listen 5060; serial 1; } }": "stream_caster { sip { listen 5060; candidate *; } }",
    "stream_caster { host $CANDIDATE; rtp_port_min 1; }": "stream_caster { sip { candidate $CANDIDATE; } }",
}


@pytest.mark.parametrize(("old", "new"), ROOT_LEGACY.items())
def test_a_legacy_spelling_at_the_root_is_the_new_one_with_a_notice(old, new):
    settings = load_text(BASE + old)
    assert settings.directive == load_text(BASE + new).directive
    assert said(settings, NoticeKind.LEGACY)


def test_hstrs_is_dropped_without_a_word():
    settings = load_text(BASE + "vhost a { http_remux { enabled on; hstrs on; } }")
    assert settings.notices == ()


def test_an_old_spelling_beats_the_new_one_beside_it_as_in_srs():
    assert one("gop_cache off; play { gop_cache on; }").play.gop_cache is False


def test_a_value_in_an_old_spelling_is_refused_where_it_stands():
    assert refusal("listen 1;\nvhost a {\n queue_length x;\n}").line == 3


# Environment


def test_the_environment_beats_the_file_and_empty_variables_do_not_count():
    text = "listen 1935; max_connections 10; vhost a { play { mw_latency 1; gop_cache on; } }"
    variables = {
        "SRS_LISTEN": "19350 [::]:19351",
        "SRS_MAX_CONNECTIONS": "20",
        "SRS_VHOST_PLAY_MW_LATENCY": "2",
        "SRS_VHOST_PLAY_GOP_CACHE": "off",
        "SRS_DAEMON": "",
        "SRS_HTTP_SERVER_LISTEN": " ",
        "SRS_HTTP_API_HTTPS_LISTEN": "991",
        "SRS_VHOST_HTTP_HOOKS_ON_PLAY": "http://a  http://b",
    }
    settings = load_text(text, environ=variables)
    assert settings.listen == (Endpoint("", 19350), Endpoint("::", 19351))
    assert (settings.max_connections, settings.daemon) == (20, True)
    assert (settings.vhost("a").play.mw_latency, settings.vhost("a").play.gop_cache) == (2, False)
    assert settings.http_api.https.listen == (Endpoint("", 991),)
    assert settings.vhost("a").http_hooks.on_play == ("http://a", "http://b")


def test_a_vhost_variable_applies_to_every_vhost():
    settings = load_text(
        BASE + "vhost a { chunk_size 128; } vhost b { }", environ={"SRS_VHOST_CHUNK_SIZE": "4096"}
    )
    assert [vhost.chunk_size for vhost in settings.vhosts.values()] == [4096, 4096]
    assert settings.chunk_size == 4096


@pytest.mark.parametrize("name", ["SRS_CHUNK_SIZE", "SRS_RTMP_CHUNK_SIZE"])
def test_the_chunk_size_has_several_variables(name):
    assert load_text("listen 1; rtmp { chunk_size 5000; }", environ={name: "4096"}).chunk_size == 4096


@pytest.mark.parametrize("prefix", ["SRS_", "SRS_SRS_"])
def test_log_variables_go_by_two_names(prefix):
    variables = {prefix + "LOG_TANK": "console", prefix + "LOG_FILE": "x.log", prefix + "LOG_LEVEL": "warn"}
    log = load_text(BASE + "srs_log_tank file; srs_log_file y.log;", environ=variables).log
    assert (log.tank, log.file, log.level) == (LogTank.CONSOLE, "x.log", LogLevel.WARN)


def test_booleans_of_the_environment_follow_the_two_styles():
    assert load_text(BASE, environ={"SRS_UTC_TIME": "1"}).utc_time is False
    assert load_text(BASE, environ={"SRS_EMPTY_IP_OK": "0"}).empty_ip_ok is True


def test_what_srs_reads_from_the_file_only_has_no_variable():
    variables = {
        "SRS_VHOST_ENABLED": "off",
        "SRS_IS_FULL": "on",
        "SRS_VHOST_CLUSTER_MODE": "remote",
        "SRS_STATS_NETWORK": "7",
    }
    settings = load_text(BASE + "vhost a { }", environ=variables)
    assert settings == load_text(BASE + "vhost a { }")


def test_a_bad_value_in_the_environment_is_refused_by_its_variable():
    with pytest.raises(ConfigValueError, match="is not a whole number") as caught:
        load_text(BASE, environ={"SRS_MAX_CONNECTIONS": "many"})
    assert str(caught.value).startswith("environment SRS_MAX_CONNECTIONS: max_connections")


@pytest.mark.parametrize(
    "arguments",
    [{"env_only": True, "environ": {}}, {"environ": {"SRS_ENV_ONLY": "on", "SRS_CONFIG_FILE": "gone"}}],
)
def test_a_start_without_a_file_has_one_vhost_and_no_listener_of_its_own(arguments):
    settings = load("gone.conf", **arguments)
    assert (settings.listen, settings.daemon, settings.log.tank) == ((), False, LogTank.CONSOLE)
    assert settings.vhost("x").name == DEFAULT_VHOST
    assert not settings.vhost("x").http_remux.enabled


def test_a_start_without_a_file_is_configured_by_variables():
    variables = {"SRS_LISTEN": "1935", "SRS_HTTP_SERVER_ENABLED": "on", "SRS_VHOST_HTTP_REMUX_ENABLED": "on"}
    settings = load(None, environ=variables, env_only=True)
    assert settings.listen == (Endpoint("", 1935),)
    assert settings.http_server.enabled and settings.vhost("x").http_remux.enabled


def test_srs_config_file_beats_the_path(tmp_path):
    (tmp_path / "a.conf").write_text("listen 1;")
    settings = load("gone.conf", environ={"SRS_CONFIG_FILE": os.fspath(tmp_path / "a.conf")})
    assert settings.listen == (Endpoint("", 1),)
