"""A server for RTMP players, plain and over TLS, with vhosts of several tempers."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from flvread import AUDIO, SCRIPT, VIDEO, Tag, media
from model.ports import free_ports
from patience import patient
from rtmpplayer import RtmpPlayer
from server import Server

VHOSTS = """\
vhost __defaultVhost__ { play { start gop; mw_latency 0; } publish { grace 0; } http_remux { enabled on; on_missing 20; } }
vhost soon { play { on_missing 1; } }
vhost now { play { on_missing 0; } }
vhost raw { chunk_size 128; play { start gop; mw_latency 0; time_jitter off; } publish { grace 0; } }
vhost late { play { start gop; mw_latency 0; gop_cache off; queue_length 2; lag_close 600000; } publish { grace 0; } }
vhost merged { play { start gop; mw_latency 100; } publish { grace 0; } }
"""

PLAIN_OR_TLS = pytest.mark.parametrize("secure", [False, True], ids=["rtmp", "rtmps"])


class Site(NamedTuple):
    server: Server
    tls: int
    context: ssl.SSLContext

    def player(self, secure: bool = False, *, buffer: int = 0) -> RtmpPlayer:
        if secure:
            return RtmpPlayer(self.tls, tls=self.context, buffer=buffer)
        return RtmpPlayer(self.server.rtmp, buffer=buffer)

    def plays(self, name: str) -> list[dict[str, object]]:
        """RTMP players of a stream, as the API lists them."""
        rows = self.server.clients()
        return [row for row in rows if row["url"] == f"/live/{name}" and row["type"] == "rtmp-play"]


def open_site(serve: Callable[..., Server], folder: Path) -> Site:
    """Start the server, with a certificate in *folder*."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x -keyout key.pem -out cert.pem"
    subprocess.run(
        [openssl, *words.split()], cwd=folder, check=True, capture_output=True, timeout=patient(30)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    (port,) = free_ports(1)
    more = f"rtmps {{ enabled on; listen {port}; key {folder}/key.pem; cert {folder}/cert.pem; }}"
    return Site(serve(VHOSTS, more=more), port, context)


def numbers(tags: list[Tag]) -> list[int]:
    """The numbers of hand-made pictures."""
    return [int.from_bytes(tag.body[10:14], "big") for tag in media(tags, VIDEO)]


def check_joined(tags: list[Tag]) -> None:
    """Headers, then a keyframe; sound may come before its picture, nothing else may."""
    key = next(i for i, tag in enumerate(tags) if tag.kind == VIDEO and not tag.is_config)
    assert tags[key].is_key, "the first picture is no keyframe"
    assert {tag.kind for tag in tags[:key] if tag.is_config} == {SCRIPT, VIDEO, AUDIO}
    first = next(i for i, tag in enumerate(tags) if not tag.is_config)
    assert all(tag.is_config for tag in tags[:first]) and first >= 3
