"""From configuration text to typed settings: defaults, values, vhosts."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.settings import BASE, one, refusal, said

from fastflv.config.endpoint import Endpoint
from fastflv.config.grammar import schema
from fastflv.config.load import load, load_text
from fastflv.config.model.access import Rule
from fastflv.config.model.cluster import ClusterMode
from fastflv.config.model.play import StartMode, TimeJitter
from fastflv.config.model.server import LogLevel, LogTank, Settings
from fastflv.config.model.vhost import DEFAULT_VHOST, Vhost
from fastflv.config.mount import CONTAINERS
from fastflv.config.notice import NoticeKind
from fastflv.errors import ConfigError

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


@pytest.mark.parametrize(("word", "size"), [("512", 512), ("4k", 4096), ("3M", 3 << 20), ("1g", 1 << 30)])
def test_a_size_may_have_a_unit(word, size):
    assert one(f"timeshift {{ max_bytes {word}; }}").timeshift.max_bytes == size


def test_the_built_in_configuration_serves_http_flv_and_the_api_in_the_foreground():
    settings = load(None, environ={})
    assert settings.notices == ()
    assert [str(each) for each in settings.listen] == ["1935"]
    assert settings.http_server.enabled and settings.http_server.listen == (Endpoint("", 8080),)
    assert settings.http_api.enabled and settings.http_api.listen == (Endpoint("127.0.0.1", 1985),)
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
    "our own words": ("start live;", "start", StartMode.LIVE),
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
    assert str(notice) == "a.conf:2:13: vhost.play.atc is neither 'on' nor 'off', so it stays off"


def test_a_second_value_is_pointed_out_and_left_out():
    settings = load_text("listen 1935; daemon off on;")
    assert not settings.daemon
    assert said(settings, NoticeKind.ADVICE) == ["daemon takes one value; the first is used"]


BAD_VALUES = {
    "a size with a unit that is none": ("vhost a { timeshift { max_bytes 5t; } }", 2, "is no size"),
    "a past of no bytes": ("vhost a { timeshift { max_bytes 0; } }", 2, "must be at least 1"),
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


@pytest.mark.parametrize(
    ("text", "contained", "expected"),
    [
        ("", False, False),
        ("", True, True),
        ("in_docker off;", True, False),
        ("in_docker on;", False, True),
    ],
)
def test_a_container_is_found_unless_the_file_has_a_word_for_it(tmp_path, text, contained, expected):
    file = tmp_path / "a.conf"
    file.write_text(f"listen 1935; {text} vhost __defaultVhost__ {{ }}")
    assert load(str(file), environ={}, contained=contained).in_docker is expected


def test_min_latency_merges_nothing_unless_it_is_told_to():
    realtime = one("min_latency on;").play
    assert (realtime.mw_latency, realtime.mw_msgs) == (0, 0)
    assert one("min_latency on; play { mw_latency 100; mw_msgs 4; }").play.mw_latency == 100
    assert (one("").play.mw_latency, one("").play.mw_msgs) == (None, 8)
    assert one("play { mw_latency auto; }").play.mw_latency is None


def test_a_player_waits_five_seconds_for_a_stream_by_default():
    assert (one("").play.on_missing, one("").http_remux.on_missing) == (5.0, 5.0)
    assert one("http_remux { on_missing 0; }").play.on_missing == 5.0


def test_tcp_nodelay_is_on_unless_it_is_switched_off():
    assert one("").tcp_nodelay and one("tcp_nodelay on;").tcp_nodelay
    assert not one("tcp_nodelay off;").tcp_nodelay


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


# Whatever is written

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
