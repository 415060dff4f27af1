"""Configurations: any text gives settings or a ConfigError whose problems all have a place, never another exception."""

from __future__ import annotations

from importlib import resources

from fastflv import limits
from fastflv.config.load import load_text
from fastflv.errors import ConfigError

DEFAULT = resources.files("fastflv.config").joinpath("default.conf").read_bytes()
SEEDS = (
    DEFAULT,
    b"listen 1935; vhost a { hls { enabled on; hls_fragment 2; } play { gop_cache off; } }",
    b"listen 1935;\nvhost a { cluster { mode remote; origin 127.0.0.1:1; } refer { enabled on; play a.b; } }\n",
    b'listen 1935; http_server { enabled on; listen 8080; crossdomain on; https { enabled on; key a; cert b; } }\nvhost "x y" { }',
    b"listen 1935; http_api { enabled on; listen 127.0.0.1:1985; raw_api { enabled on; } auth { enabled on; username a; password b; } }",
)
WORDS = (
    b"vhost ", b" {", b"}", b";", b"\n", b"listen ", b"include ", b"on", b"off", b"http_remux { mount [vhost]/[app]/[stream].flv; }",
    b"hls { ", b"play { ", b"publish { ", b"-1", b"1e9", b"99999999999999999999", b"0.0.0.0:", b"[::]:80", b"'", b'"', b"#", b"$A",
    b"hls_fragment ", b"mw_latency ", b"chunk_size ", b"security { enabled on; allow play all; }", b"rtmps { enabled on; listen 443; }",
    b"forward { destination a; }", b"http_hooks { on_publish http://a/b; }", b"max_connections ", b"nan", b"inf",
)  # fmt: skip


def check(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    # No file is opened: what follows an include is a name by chance.
    text = text.replace("include", "inc1ude")
    lines = text.split("\n")
    try:
        settings = load_text(text, "a.conf")
    except ConfigError as error:
        assert len(error.problems) <= limits.CONFIG_PROBLEMS_MAX
        for problem in error.problems:
            assert problem.detail and problem.file == "a.conf" and str(problem).startswith("a.conf:")
            assert 0 <= problem.line <= len(lines)
            if problem.line:
                assert 0 < problem.column <= len(lines[problem.line - 1]) + 1
        places = [(problem.line, problem.column) for problem in error.problems]
        assert places == sorted(places)
        return
    assert all(str(notice) for notice in settings.notices)
