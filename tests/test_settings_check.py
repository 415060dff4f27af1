"""Checks of settings against each other and against the machine."""

from __future__ import annotations

import pytest
from model.settings import BASE, refusal, said

from fastflv import limits
from fastflv.config.check import check_open_files
from fastflv.config.load import load_text
from fastflv.config.notice import Notice, NoticeKind
from fastflv.errors import ConfigValueError, StartupError

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
        "http_remux { enabled on; mount /live/camera-1.ts; } }",
        2,
        "hls_ts_file [app]/[stream].ts and mount /live/camera-1.ts (a.conf:3) both take /live/camera-1.ts",
    ),
    "a playlist below the API": (
        "listen 1; http_server { enabled on; listen 80; } http_api { enabled on; listen 80; }\n"
        "vhost a { hls { enabled on;\nhls_m3u8_file api/[stream].m3u8; } }",
        3,
        "hls_m3u8_file api/[stream].m3u8 is never reached: the API answers below /api/",
    ),
    "a playlist with a URL of the API": (
        "listen 1; http_server { enabled on; listen 80; } http_api { enabled on; listen 80; }\n"
        "vhost a { hls { enabled on;\nhls_m3u8_file metrics; } }",
        3,
        "is never reached: the API answers /metrics",
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
        "vhost a { hls { enabled on; hls_ts_file [app]/[stream].ts; } http_remux { enabled on; mount /[app]/[stream].ts; } }",
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
