"""Notices about a whole file with which nobody could publish or play."""

from __future__ import annotations

import pytest

from fastflv import limits
from fastflv.config.advice import advice, open_files_advice
from fastflv.config.load import load, load_text

AUTH = "auth { enabled on; key 0123456789abcdef0123456789abcdef; }"
REMUX = "http_remux { enabled on; }"
ODD = {
    "no vhost": ("daemon off;\nlisten 1;", 2, "there is no vhost, so each publish and each play is refused"),
    "no vhost that is on": ("listen 1; vhost a { enabled off; }", 1, "every vhost is off"),
    "nothing mounted": (
        "listen 1; vhost a { }\nhttp_server { enabled on; }",
        2,
        "no vhost has anything mounted on it",
    ),
    "mounted in a vhost that is off": (
        f"listen 1; http_server {{ enabled on; }} vhost a {{ }} vhost b {{ enabled off; {REMUX} }}",
        1,
        "no vhost has anything mounted on it",
    ),
    "a mount without a server": (
        f"listen 1; vhost a {{\n{REMUX} }}",
        2,
        "http_remux of vhost a is on, but http_server is off",
    ),
    "HLS in memory without a server": (
        "listen 1; vhost a {\nhls { enabled on; } }",
        2,
        "hls of vhost a is on, but http_server is off",
    ),
    "segments that inherit no consent": (
        f"listen 1; http_server {{ enabled on; }} vhost a {{ {AUTH} hls {{ enabled on;\nhls_ctx off; }} }}",
        2,
        "auth of vhost a is asked for each segment",
    ),
    "publishes that carry no token": (
        f"listen 1; vhost __defaultVhost__ {{ {AUTH} }}\nflv_tcp {{ enabled on; listen 2; }}",
        2,
        "flv_tcp carries no token",
    ),
    "two vhosts of one name": (
        "listen 1;\nvhost a { }\nvhost b { }\nvhost a { play { } }",
        4,
        "vhost a is written at a.conf:2 already",
    ),
    "two blocks of one name": (
        "listen 1;\nvhost a { play { }\nplay { atc on; } }",
        3,
        "vhost.play is written at a.conf:2 already; that one counts, and this one is ignored",
    ),
    "two values": ("listen 1; vhost a { }\npid a;\npid b;", 3, "pid is written at a.conf:2 already"),
    "two values in a block": (
        "listen 1; vhost a { hls { hls_path a;\nhls_path b; } }",
        2,
        "vhost.hls.hls_path is written at a.conf:1 already",
    ),
}


@pytest.mark.parametrize(("text", "line", "words"), ODD.values(), ids=ODD)
def test_what_makes_a_server_useless_is_pointed_out_with_its_place(text, line, words):
    (notice,) = advice(load_text(text, "a.conf"))
    assert (notice.file, notice.line) == ("a.conf", line)
    assert words in notice.text


@pytest.mark.parametrize(
    "text",
    [
        "listen 1; vhost a { }",
        f"listen 1; http_server {{ enabled on; }} vhost a {{ {REMUX} }}",
        "listen 1; http_server { enabled on; } vhost a { hls { enabled on; } }",
        "listen 1; vhost a { hls { enabled on; hls_path /tmp; } }",
        "listen 1; http_server { enabled on; listen 80; } http_api { enabled on; listen 80; } vhost a { }",
        f"listen 1; vhost a {{ }} vhost b {{ enabled off; {REMUX} }}",
        "listen 1; vhost a { security { allow play all; allow publish all; } ingest a { } ingest b { } }",
    ],
)
def test_what_somebody_can_use_is_taken_in_silence(text):
    assert advice(load_text(text)) == ()


def test_the_built_in_configuration_is_of_use():
    assert advice(load(None, environ={})) == ()


def test_open_files_that_carry_players_of_one_descriptor_only_are_pointed_out():
    settings = load_text("listen 1; max_connections 1000; vhost a { }")
    enough = 1000 * limits.CONNECTION_DESCRIPTORS_MAX + limits.CONNECTIONS_RESERVED + 1
    assert open_files_advice(settings, enough) == ()
    (notice,) = open_files_advice(settings, enough - 1)
    assert f"ulimit -n {enough}" in notice.text
