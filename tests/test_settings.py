"""From configuration text to typed settings: names, values, legacy spellings, the environment, checks."""

from __future__ import annotations

import dataclasses
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv.config import feature, schema
from fastflv.config.check import check_open_files
from fastflv.config.endpoint import Endpoint, uncovered
from fastflv.config.notice import Notice, NoticeKind
from fastflv.config.pattern import CONTAINERS
from fastflv.config.service import ClusterMode, Hls, Rule, TimeJitter
from fastflv.config.settings import Exporter, Heartbeat, LogLevel, LogTank, Settings, Stats, load, load_text
from fastflv.config.vhost import DEFAULT_VHOST, HttpRemux, Play, Publish, Start, Vhost
from fastflv.config.webserver import HttpApi, HttpServer
from fastflv.errors import ConfigError, ConfigNameError, ConfigValueError, StartupError

BASE = "listen 1935; daemon off; "


def one(body: str, **environ: str) -> Vhost:
    """The default vhost with *body*."""
    found = load_text(f"{BASE}vhost {DEFAULT_VHOST} {{ {body} }}", environ=environ).vhost("any.name")
    assert found is not None
    return found


def said(settings: Settings, kind: NoticeKind) -> list[str]:
    return [notice.feature or notice.text for notice in settings.notices if notice.kind is kind]


def refusal(text: str, kind: type[ConfigError] = ConfigValueError) -> ConfigError:
    with pytest.raises(kind) as caught:
        load_text(text, "a.conf")
    return caught.value


# Defaults


def test_a_vhost_without_a_word_has_the_defaults_of_its_types():
    assert one("") == Vhost()


def test_a_file_with_a_listener_alone_has_the_defaults_of_srs():
    settings = load_text("listen 1935;")
    assert settings == Settings(listen=(Endpoint("", 1935),))
    assert (settings.daemon, settings.log.tank, settings.max_connections) == (True, LogTank.FILE, 1000)
    assert not settings.http_server.enabled
    assert not settings.http_api.enabled
    assert settings.http_api.https.listen == (Endpoint("", 1990),)


def test_settings_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_text("listen 1935;").daemon = False


def test_the_built_in_configuration_serves_http_flv_and_the_api_in_the_foreground():
    settings = load(None, environ={})
    assert settings.notices == ()
    assert [str(each) for each in settings.listen] == ["1935"]
    assert settings.http_server.enabled and settings.http_server.listen == (Endpoint("", 8080),)
    assert settings.http_api.enabled and settings.http_api.listen == (Endpoint("", 1985),)
    assert (settings.daemon, settings.log.tank) == (False, LogTank.CONSOLE)
    vhost = settings.vhost("127.0.0.1")
    assert vhost is not None
    assert vhost.http_remux.enabled
    assert vhost.http_remux.mounts == (
        *(f"[vhost]/[app]/[stream]{ending}" for ending in CONTAINERS),
        "/flv/[app]/[stream][.flv]",
    )


def test_the_parsed_directives_stay_within_reach():
    settings = load_text(BASE + "vhost a { exec { enabled off; publish x -y; } }")
    assert settings.directive.first("vhost").first("exec").first("publish").args == ("x", "-y")
    assert settings.vhost("a").directive is settings.directive.first("vhost")


# Values

VALUES = {
    "a flag off by default takes on": ("atc on;", "atc", True),
    "a flag off by default takes nothing else": ("atc yes;", "atc", False),
    "a flag on by default takes off": ("gop_cache off;", "gop_cache", False),
    "a flag on by default takes nothing else": ("gop_cache no;", "gop_cache", True),
    "a directive without a value is not there": ("queue_length; atc;", "queue_length", 30),
    "the first of duplicates": ("queue_length 10; queue_length 20;", "queue_length", 10),
    "a decimal": ("send_min_interval 10.5;", "send_min_interval", 10.5),
    "a decimal without its fraction": ("send_min_interval 10;", "send_min_interval", 10.0),
    "one of several words": ("time_jitter zero;", "time_jitter", TimeJitter.ZERO),
    "our own words": ("start live;", "start", Start.LIVE),
    "a quoted number": ('mw_latency "100";', "mw_latency", 100),
    "mw_msgs up to its bound": ("mw_msgs 1000;", "mw_msgs", 128),
}


@pytest.mark.parametrize(("text", "name", "expected"), VALUES.values(), ids=VALUES)
def test_a_play_directive_is_read_as(text, name, expected):
    assert getattr(one(f"play {{ {text} }}").play, name) == expected


def test_a_flag_that_is_neither_on_nor_off_is_pointed_out():
    settings = load_text(f"{BASE}vhost a {{\n play {{ atc yes; }} }}", "a.conf")
    [notice] = settings.notices
    assert (notice.kind, notice.line) == (NoticeKind.ADVICE, 2)
    assert str(notice) == "a.conf:2: vhost.play.atc is neither 'on' nor 'off', so it stays off"


def test_a_second_value_is_pointed_out_and_left_out():
    settings = load_text("listen 1935; daemon off on;")
    assert not settings.daemon
    assert said(settings, NoticeKind.ADVICE) == ["daemon takes one value; the first is used"]


BAD_VALUES = {
    "a word for a number": ("max_connections many;", 2, "is not a whole number"),
    "a unit": ("vhost a {\nplay { queue_length 10s; } }", 3, "leave the unit out"),
    "a fraction where none may be": ("vhost a { play { mw_latency 0.5; } }", 2, "is not a whole number"),
    "a negative time": ("vhost a { play { mw_latency -1; } }", 2, "at least 0"),
    "no connections": ("max_connections 0;", 2, "at least 1"),
    "not a number": ("vhost a { play { send_min_interval nan; } }", 2, "is not a number"),
    "a number without end": (f"max_connections {'9' * 5000};", 2, "is not a whole number"),
    "an unknown choice": ("vhost a { play { time_jitter fulll; } }", 2, "write one of full, zero, off"),
    "an unknown log level": ("srs_log_level loud;", 2, "write one of verbose"),
    "a port beyond the last": ("http_server { enabled on; listen 70000; }", 2, "1 to 65535"),
    "a word for a port": ("http_server { listen http; }", 2, "write a port"),
    "a name for an address": ("http_server { listen localhost:80; }", 2, "is not an IP address"),
    "an IPv6 address without brackets": ("http_server { listen ::1:80; }", 2, "in brackets"),
    "an IPv4 address in brackets": ("http_server { listen [1.2.3.4]:80; }", 2, "brackets are for IPv6"),
    "a mount without a container": (
        "vhost a { http_remux { mount /a/[stream]; } }",
        2,
        "end it with one of .flv",
    ),
    "a second mount without a container": (
        "vhost a { http_remux { mount /[stream].flv;\nmount /[stream].mp4; } }",
        3,
        "end it with one of .flv",
    ),
    "an argument that no mount has": (
        "vhost a { http_remux {\nmount /[stream].flv?start=key; } }",
        3,
        "'start' is no argument of a mount",
    ),
    "a value that the argument has not": (
        "vhost a { http_remux {\nmount /[stream].flv?only=sound; } }",
        3,
        "write only=audio|video|key",
    ),
    "two certificates and one key": (
        "http_server { enabled on; https { enabled on;\nkey a.key;\ncert a.crt b.crt; } }",
        4,
        "http_server.https has 2 certificates and 1 key; write as many",
    ),
    "two keys for the one certificate of SRS": (
        "http_server { enabled on; }\nhttp_api { enabled on; https { enabled on;\nkey a.key b.key; } }",
        4,
        "http_api.https has 1 certificate and 2 keys",
    ),
    "too many threads": ("fanout_threads 1000;", 2, "at most 256"),
    "a chunk size that RTMP cannot say": ("chunk_size 16777216;", 2, "at most 16777215"),
    "a rule about nobody": ("vhost a { security { deny publish; } }", 2, "write 'deny publish|play"),
    "a rule about a name": (
        "vhost a { security { allow play example.com; } }",
        2,
        "write 'allow publish|play",
    ),
    "a value where a block stands": ("http_api on;", 2, "write 'http_api {"),
    "a block where a value stands": ("pid { }", 2, "write 'pid …;'"),
    "a vhost without a name": ("vhost { }", 2, "a vhost has one name"),
    "a vhost with two names": ("vhost a b { }", 2, "a vhost has one name"),
    "a heartbeat without pause, even when off": ("heartbeat { interval 0.9; }", 2, "at least 1"),
    "a network before the first": ("stats { network -1; }", 2, "at least 0"),
    "an empty password": (
        "http_api { auth { enabled on; username a; } }",
        2,
        "without a username and a password",
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_value_is_refused_with_its_place(text, line, message):
    error = refusal(f"listen 1935;\n{text}")
    assert (error.file, error.line) == ("a.conf", line)
    assert message in str(error)


def test_a_heartbeat_every_9_point_3_seconds_is_every_9_as_in_srs():
    assert load_text(BASE + "heartbeat { interval 9.3; }").heartbeat.interval == 9


ENDPOINTS = {
    "1935": Endpoint("", 1935),
    "0.0.0.0:1935": Endpoint("0.0.0.0", 1935),
    "[::]:1935": Endpoint("::", 1935),
    "[fe80::1]:80": Endpoint("fe80::1", 80),
}


@pytest.mark.parametrize(("text", "endpoint"), ENDPOINTS.items())
def test_an_endpoint_is_read_and_written_back(text, endpoint):
    assert Endpoint.parse(text) == endpoint
    assert str(endpoint) == text


COVERS = {
    ("1935", "[::]:1935"): True,
    ("1935", "127.0.0.1:1935"): True,
    ("0.0.0.0:1935", "127.0.0.1:1935"): True,
    ("[::]:1935", "[::1]:1935"): True,
    ("[0:0::1]:1935", "[::1]:1935"): False,
    ("[::]:1935", "127.0.0.1:1935"): False,
    ("[::]:1935", "0.0.0.0:1935"): False,
    ("127.0.0.1:1935", "127.0.0.2:1935"): False,
    ("1935", "127.0.0.1:1936"): False,
}


@pytest.mark.parametrize(("pair", "covers"), COVERS.items(), ids=map(" ".join, COVERS))
def test_an_endpoint_covers_another_whose_clients_it_would_get(pair, covers):
    wide, narrow = map(Endpoint.parse, pair)
    assert wide.covers(narrow) is covers
    assert not narrow.covers(wide)
    assert uncovered((narrow, wide, narrow)) == ((wide,) if covers else (narrow, wide))
    if covers:
        assert wide.overlaps(narrow) and narrow.overlaps(wide)


def test_a_listener_may_have_several_endpoints_each_once():
    settings = load_text("listen 1935 [::]:1935 1935; http_server { enabled on; listen 80 127.0.0.1:81; }")
    assert settings.listen == (Endpoint("", 1935), Endpoint("::", 1935))
    assert settings.http_server.listen == (Endpoint("", 80), Endpoint("127.0.0.1", 81))


def test_the_rtmp_block_is_the_new_home_of_listen_and_chunk_size():
    settings = load_text("rtmp { listen 19350; chunk_size 4096; } listen 1935; chunk_size 128;")
    assert (settings.listen, settings.chunk_size) == ((Endpoint("", 19350),), 4096)


def test_rtmps_is_none_unless_it_is_on():
    assert load_text(BASE + "rtmps { listen 443; }").rtmps is None
    rtmps = load_text(BASE + "rtmps { enabled on; listen 443; key k; cert c; }").rtmps
    assert (rtmps.listen, rtmps.key, rtmps.cert) == ((Endpoint("", 443),), "k", "c")


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("", LogLevel.INFO),
        ("srs_log_level trace;", LogLevel.INFO),
        ("srs_log_level info;", LogLevel.DEBUG),
        ("srs_log_level verbose;", LogLevel.TRACE),
        ("srs_log_level error; srs_log_level_v2 warn;", LogLevel.WARN),
    ],
)
def test_old_and_new_log_levels_meet_in_the_new_ones(text, level):
    assert load_text(BASE + text).log.level is level


def test_any_log_tank_but_the_console_is_a_file():
    assert load_text("listen 1; srs_log_tank both;").log.tank is LogTank.FILE


def test_in_docker_means_the_foreground_and_the_console():
    settings = load_text("listen 1935; in_docker on;")
    assert (settings.daemon, settings.log.tank) == (False, LogTank.CONSOLE)
    assert load_text("listen 1935; in_docker on; disable_daemon_for_docker off; srs_log_tank file;").daemon


def test_min_latency_merges_nothing_unless_it_is_told_to():
    realtime = one("min_latency on;").play
    assert (realtime.mw_latency, realtime.mw_msgs) == (0, 0)
    assert one("min_latency on; play { mw_latency 100; mw_msgs 4; }").play.mw_latency == 100
    assert (one("").play.mw_latency, one("").play.mw_msgs) == (None, 8)
    assert one("play { mw_latency auto; }").play.mw_latency is None


def test_on_missing_of_play_is_the_default_of_http_remux():
    assert one("play { on_missing 2; }").http_remux.on_missing == 2.0
    assert one("play { on_missing 2; } http_remux { on_missing 0; }").http_remux.on_missing == 0.0


def test_mounts_stand_on_one_line_or_several_each_once():
    settings = load_text(
        BASE + "vhost a { http_remux { enabled on; mount /[stream].flv /[stream].ts; mount;"
        " mount /[stream].aac /[stream].flv; mount /f/[stream][.mp3]; } }"
    )
    assert settings.vhost("a").http_remux.mounts == (
        "/[stream].flv",
        "/[stream].ts",
        "/[stream].aac",
        "/f/[stream][.mp3]",
    )
    assert settings.notices == ()


def test_a_block_without_a_mount_has_the_one_of_srs():
    assert one("http_remux { enabled on; }").http_remux.mounts == ("[vhost]/[app]/[stream].flv",)


def test_a_variable_replaces_every_mount():
    body = "http_remux { enabled on; mount /[stream].flv; mount /[stream].ts; }"
    found = one(body, SRS_VHOST_HTTP_REMUX_MOUNT="/a/[stream].flv /a/[stream].aac")
    assert found.http_remux.mounts == ("/a/[stream].flv", "/a/[stream].aac")


def test_what_a_player_gets_over_http_is_typed_and_nothing_is_warned_about():
    text = "http_remux { enabled on; has_audio off; has_video off; guess_has_av off; drop_if_not_match off; fast_cache 30; }"
    remux = one(text).http_remux
    assert not (remux.has_audio or remux.has_video or remux.guess_has_av or remux.drop_if_not_match)
    assert remux.fast_cache == 30.0
    assert load_text(f"{BASE}vhost a {{ {text} }}").notices == ()


def test_hls_is_in_memory_unless_a_directory_is_written():
    assert not one("hls { enabled on; }").hls.on_disk
    assert one("hls { enabled on; hls_path ./objs/nginx/html; }").hls.on_disk
    assert one("hls { enabled on; }", SRS_VHOST_HLS_HLS_PATH="/tmp/x").hls.on_disk
    hls = one("hls { enabled on; hls_use_fmp4 on; hls_init_file [stream].mp4; }").hls
    assert (hls.hls_use_fmp4, hls.hls_fmp4_file, hls.hls_init_file) == (
        True,
        "[app]/[stream]-[seq].m4s",
        "[stream].mp4",
    )


def test_https_has_pairs_of_certificate_and_key():
    text = "http_server { enabled on; https { enabled on; cert a.crt b.crt; key a.key b.key; } }"
    https = load_text(BASE + text).http_server.https
    assert https.pairs == (("a.crt", "a.key"), ("b.crt", "b.key"))
    assert load_text(BASE).http_server.https.pairs == (("./conf/server.crt", "./conf/server.key"),)


def test_pairs_of_https_that_is_off_are_not_counted():
    settings = load_text(BASE + "http_server { enabled on; https { cert a b; } }")
    assert len(settings.http_server.https.pairs) == 1


def test_https_of_the_api_takes_the_certificates_of_the_server_on_its_ports_only():
    server = "http_server { enabled on; listen 80; https { enabled on; listen 443; cert a b; key c d; } } "
    shared = load_text(BASE + server + "http_api { enabled on; listen 80; https { enabled on; } }")
    assert shared.http_api.https.pairs == (("a", "c"), ("b", "d"))
    assert shared.notices == ()
    own = load_text(BASE + server + "http_api { enabled on; listen 81; https { enabled on; } }")
    assert own.http_api.https.pairs == (("./conf/server.crt", "./conf/server.key"),)


def test_certificates_of_the_api_on_the_ports_of_the_server_are_pointed_out():
    text = (
        "http_server { enabled on; listen 80; https { enabled on; } }\n"
        "http_api { enabled on; listen 80;\n https { enabled on; listen 8088; cert a; key b; } }"
    )
    [notice] = load_text(BASE + text, "a.conf").notices
    assert (notice.kind, notice.line) == (NoticeKind.ADVICE, 3)
    assert "certificates hold" in notice.text


def test_the_api_shares_crossdomain_and_https_port_with_the_server_unless_it_has_its_own():
    shared = "http_server { enabled on; listen 80; crossdomain off; https { enabled on; listen 443; } }"
    api = load_text(BASE + shared + "http_api { enabled on; listen 80; }").http_api
    assert (api.crossdomain, api.https.listen) == (False, (Endpoint("", 443),))
    assert load_text(BASE + shared + "http_api { listen 81; crossdomain on; }").http_api.crossdomain


def test_the_password_is_not_shown():
    text = BASE + "http_api { auth { enabled on; username admin; password secret; } }"
    assert "secret" not in repr(load_text(text).http_api)


def test_typed_blocks_are_read_whole():
    vhost = one(
        "security { enabled on; deny publish 10.0.0.0/8; allow play all; }"
        " cluster { mode remote; origin a:1935 b; }"
        " http_hooks { enabled on; on_play http://a http://b; }"
        " hls { enabled on; hls_fragment 2; hls_window 10; }"
        " dvr { enabled on; dvr_apply live/a live/b; }"
    )
    assert vhost.security.rules == (Rule(False, "publish", "10.0.0.0/8"), Rule(True, "play", "all"))
    assert (vhost.cluster.mode, vhost.cluster.origin) == (ClusterMode.REMOTE, ("a:1935", "b"))
    assert vhost.http_hooks.on_play == ("http://a", "http://b")
    assert (vhost.hls.hls_fragment, vhost.hls.hls_aof_ratio) == (2.0, 2.1)
    assert vhost.dvr.dvr_apply == ("live/a", "live/b")


# Vhosts


def test_a_request_goes_to_the_vhost_of_its_name_else_to_the_default_one():
    settings = load_text(f"{BASE}vhost a {{ }} vhost {DEFAULT_VHOST} {{ }}")
    assert settings.vhost("a").name == "a"
    assert settings.vhost("b").name == DEFAULT_VHOST


def test_without_a_default_vhost_other_names_are_refused():
    assert load_text(BASE + "vhost a { }").vhost("b") is None


def test_a_disabled_vhost_is_refused_and_does_not_fall_back():
    settings = load_text(f"{BASE}vhost a {{ enabled off; }} vhost {DEFAULT_VHOST} {{ }}")
    assert settings.vhost("a") is None
    assert load_text(f"{BASE}vhost {DEFAULT_VHOST} {{ enabled off; }}").vhost("b") is None


def test_a_vhost_inherits_nothing_and_of_two_of_one_name_the_first_counts():
    text = f"vhost {DEFAULT_VHOST} {{ play {{ atc on; }} }} vhost a {{ chunk_size 128; }} vhost a {{ chunk_size 256; }}"
    settings = load_text(BASE + text)
    assert (settings.vhost("a").play.atc, settings.vhost("a").chunk_size) == (False, 128)


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
        "http_server": HttpServer,
        "http_api": HttpApi,
        "stats": Stats,
        "heartbeat": Heartbeat,
        "exporter": Exporter,
        "vhost.hls": Hls,
    }
    for path, kind in typed.items():
        for each in dataclasses.fields(kind):
            if each.name not in ("name", "directive", "mounts", "on_disk"):
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
    "hls_keys": ("vhost a { hls { enabled on; hls_keys on; } }", NoticeKind.LATER),
    "dvr to mp4": ("vhost a { dvr { enabled on; dvr_path ./a.mp4; } }", NoticeKind.NEVER),
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
    assert row.name in said(load_text(BASE + inner), row.support)


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


# Checks

CONFLICTS = {
    "nothing at all": ("# nothing\n", 0, "is empty"),
    "no listener": ("daemon off;", 0, "no RTMP listener"),
    "full.conf": ("listen 1;\nis_full on;", 2, "never use a.conf"),
    "https without http": ("listen 1; http_server {\nhttps { enabled on; } }", 2, "http_server.https is on"),
    "https without http in the API": (
        "listen 1; http_api {\nhttps { enabled on; } }",
        2,
        "http_api.https is on",
    ),
    "one http port and two https ports": (
        "listen 1; http_server { enabled on; listen 80; https { enabled on; listen 443; } }\n"
        "http_api { enabled on; listen 80; https {\n enabled on; listen 444; } }",
        3,
        "share",
    ),
    "two http ports and one https port": (
        "listen 1; http_server { enabled on; listen 80; https { enabled on; listen 443; } }\n"
        "http_api { enabled on; listen 81; https { enabled on; listen 443; } }",
        2,
        "share",
    ),
    "ports shared in part": (
        "listen 1; http_server { enabled on; listen 80 81; }\nhttp_api { enabled on; listen 80; }",
        2,
        "both listen on 80",
    ),
    "RTMP on the HTTP port": ("listen 80;\nhttp_server { enabled on; listen 80; }", 2, "both listen on 80"),
    "RTMPS on the RTMP port": ("listen 80;\nrtmps { enabled on; listen 80; }", 2, "both listen on 80"),
    "two http_remux": ("listen 1; vhost a { http_remux { }\nhttp_remux { } }", 2, "more than one http_remux"),
    "RTMP on one address of the HTTP port": (
        "listen 127.0.0.1:80;\nhttp_server { enabled on;\nlisten 80; }",
        3,
        "http_server and listen (a.conf:1) both listen on 80 and 127.0.0.1:80, which are one port",
    ),
    "RTMP in its block on the HTTP port": (
        "rtmp {\nlisten 80; }\nhttp_server { enabled on; listen 80; }",
        3,
        "http_server and rtmp (a.conf:2) both listen on 80",
    ),
    "https on the port of its http": (
        "listen 1;\nhttp_server { enabled on;\nlisten 80; https { enabled on;\nlisten 80; } }",
        4,
        "http_server.https and http_server (a.conf:3) both listen on 80",
    ),
    "https of the API on the port of the server": (
        "listen 1; http_server { enabled on;\nlisten 80; }\nhttp_api { enabled on; https { enabled on;\nlisten 80; } }",
        4,
        "http_api.https and http_server (a.conf:2) both listen on 80",
    ),
    "one URL with and without an argument": (
        "listen 1; vhost a { http_remux { enabled on;\nmount /[app]/[stream].flv;\nmount /[app]/[stream].flv?only=audio; } }",
        3,
        "mount /[app]/[stream].flv?only=audio and mount /[app]/[stream].flv (a.conf:2) both take /x/x.flv",
    ),
    "one URL with and without an argument on one line": (
        "listen 1; vhost a { http_remux { enabled on;\nmount [vhost]/[app]/[stream].flv a/[app]/[stream].flv?hevc=legacy; } }",
        2,
        "(a.conf:2) both take /x/x.flv",
    ),
    "two arguments and no mount more specific than the other": (
        "listen 1; vhost a { http_remux { enabled on;\nmount /[app]/[stream]-a.flv?only=audio;\n"
        "mount /[app]/a-[stream].flv?only=video; } }",
        3,
        "mount /[app]/[stream]-a.flv?only=audio (a.conf:2) both take /x/a-a.flv",
    ),
    "an optional ending and the same one written": (
        "listen 1; vhost a { http_remux { enabled on;\nmount /f/[stream][.flv];\nmount /f/[stream].flv?only=key; } }",
        3,
        "both take /f/x.flv",
    ),
    "a mount below the API": (
        "listen 1; http_server { enabled on; listen 80; } http_api { enabled on; listen 80; }\n"
        "vhost a { http_remux { enabled on;\nmount /api/[stream].flv; } }",
        3,
        "is never reached",
    ),
    "a playlist with the URL of a mount": (
        "listen 1; vhost a { hls { enabled on;\nhls_m3u8_file [app]/[stream].flv; } http_remux {\nenabled on; } }",
        2,
        "hls_m3u8_file [app]/[stream].flv and mount [vhost]/[app]/[stream].flv (a.conf:2) both take /x/x.flv",
    ),
    "a playlist inside a mount": (
        "listen 1; vhost a { hls { enabled on;\nhls_m3u8_file [app]/[stream]/index.flv; } http_remux {\nenabled on; } }",
        2,
        "(a.conf:2) both take /a/a/index.flv",
    ),
    "a playlist that only a mount without an ending takes": (
        "listen 1; vhost a { hls { enabled on;\nhls_m3u8_file flv/live/list; }\n"
        "http_remux { enabled on; mount /flv/[app]/[stream][.flv]; } }",
        2,
        "(a.conf:3) both take /flv/live/list",
    ),
    "a playlist without an ending below a mount without one": (
        "listen 1; vhost a { hls { enabled on;\nhls_m3u8_file flv/[app]/[stream]; }\n"
        "http_remux { enabled on; mount /flv/[app]/[stream][.flv]; } }",
        2,
        "(a.conf:3) both take /flv/x/x",
    ),
    "segments with the URLs of a mount": (
        "listen 1; vhost a { hls { enabled on;\nhls_ts_file [app]/[stream].ts; }\n"
        "http_remux { enabled on; mount /[app]/[stream].ts; } }",
        2,
        "hls_ts_file [app]/[stream].ts and mount /[app]/[stream].ts (a.conf:3) both take /x/x.ts",
    ),
    "forward and kickoff_for_idle": (
        "listen 1; vhost a { forward { enabled on; }\npublish { kickoff_for_idle 1; } }",
        2,
        "exclude each other",
    ),
    "two ingests of one name": (
        "listen 1; vhost a { ingest x { } ingest y { }\ningest x { } }",
        1,
        "two ingests",
    ),
    "a daemon that follows its parent": ("listen 1;\nasprocess on;", 2, "exclude each other"),
}


@pytest.mark.parametrize(("text", "line", "message"), CONFLICTS.values(), ids=CONFLICTS)
def test_values_that_contradict_each_other_are_refused(text, line, message):
    error = refusal(text)
    assert (error.file, error.line) == ("a.conf", line)
    assert message in str(error)
    assert error.hint


def test_a_contradiction_made_by_the_environment_names_the_file_it_meets():
    with pytest.raises(ConfigValueError, match="exclude each other") as caught:
        load_text("listen 1935;", "a.conf", environ={"SRS_ASPROCESS": "on"})
    assert caught.value.file == "a.conf"


def test_is_full_is_refused_last():
    assert "asprocess" in refusal("listen 1; is_full on; asprocess on;").detail


@pytest.mark.parametrize(
    "text",
    [
        "http_server { enabled on; listen 80; } http_api { enabled on; listen 80; }",
        "http_server { enabled on; listen 80; https { enabled on; } } http_api { enabled on; listen 80; https { enabled on; } }",
        "http_server { enabled on; listen 80; } http_server { listen 1935; }",
        "http_server { listen 1935; }",
        "vhost a { http_remux { mount /[stream].ts; } }",
        "vhost a { hls { enabled on; } http_remux { enabled on; mount [vhost]/[app]/[stream].ts /flv/[app]/[stream][.flv]; } }",
        "vhost a { hls { enabled on; hls_ts_file [app]/[stream].ts; } http_remux { mount /[app]/[stream].ts; } }",
        "vhost a { hls { enabled on; hls_use_fmp4 on; hls_ts_file [stream].ts; } http_remux { enabled on; mount /[stream].ts; } }",
        "vhost a { hls { enabled on; hls_ts_file live/[stream]-[2006]-[seq].ts; } http_remux { enabled on; mount /[app]/[stream]-1.ts; } }",
        "vhost a { http_remux { enabled on; mount /[stream].flv /[stream]-a.flv?only=audio /f/[app]/[stream][.flv]; mount /x/[stream].flv; } }",
        "vhost a { http_remux { mount /[stream].flv /[stream].flv?only=key; } }",
        "vhost a { http_remux { enabled on; mount /f/[stream][.flv] /f/[stream].ts /f/[stream].aac; } }",
        "http_server { enabled on; } http_api { enabled on; } vhost a { http_remux { enabled on; mount /api/[stream].flv; } }",
        "http_server { enabled on; listen 127.0.0.1:80; } http_api { enabled on; listen 127.0.0.2:80 [::1]:80; }",
        "vhost a { http_remux { enabled on; mount /[stream].flv; } } vhost b { http_remux { enabled on; mount /[stream].flv?only=audio; } }",
        "vhost a { ingest { } ingest x { } }",
    ],
)
def test_what_only_looks_like_a_contradiction_is_taken(text):
    assert said(load_text(BASE + text), NoticeKind.ADVICE) == []


@pytest.mark.parametrize("size", [100, 70_000])
def test_an_odd_chunk_size_is_taken_with_a_notice(size):
    settings = load_text(f"{BASE}chunk_size {size};\nvhost a {{ chunk_size {size}; }}")
    assert settings.chunk_size == settings.vhost("a").chunk_size == size
    assert [notice.line for notice in settings.notices if notice.kind is NoticeKind.ADVICE] == [2, 1]


def test_a_daemon_that_logs_to_the_console_is_pointed_out():
    assert said(load_text("listen 1; srs_log_tank console;"), NoticeKind.ADVICE)


def test_connections_need_open_files_and_the_error_says_what_to_do():
    settings = load_text(BASE + "max_connections 1000;")
    check_open_files(settings, 1000 + limits.CONNECTIONS_RESERVED + 1)
    with pytest.raises(StartupError, match=r"ulimit -n 10000.*max_connections to 895 or less"):
        check_open_files(settings, 1024)
    with pytest.raises(StartupError) as caught:
        check_open_files(settings, 64)
    assert "or less" not in str(caught.value)


def test_a_notice_without_a_line_shows_its_file_and_without_a_file_nothing():
    assert str(Notice(NoticeKind.ADVICE, "odd", "a")) == "a: odd"
    assert str(Notice(NoticeKind.ADVICE, "odd")) == "odd"


NAMES = sorted({name for _, name in schema.names()} | {"include_", "x"})


@given(
    st.recursive(
        st.builds(
            "{} {};".format,
            st.sampled_from(NAMES),
            st.sampled_from(["on", "off", "1", "-1", "9.5", "x", "[::1]:80", "a b", "all", "''"]),
        ),
        lambda inner: st.builds(
            "{} x {{ {} }}".format, st.sampled_from(NAMES), st.lists(inner, max_size=4).map(" ".join)
        ),
        max_leaves=8,
    )
)
def test_any_configuration_is_loaded_or_refused_with_a_configuration_error(text):
    try:
        settings = load_text(f"{BASE} {text}")
    except ConfigError as error:
        assert error.detail
    else:
        assert isinstance(settings, Settings)
        assert settings == load_text(f"{BASE} {text}")
