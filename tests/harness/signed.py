"""Tokens for flows, and plays and publishes that have them."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from typing import Any

import jwt
from player import Player
from publisher import Publisher, Refused
from rtmpplayer import RtmpPlayer
from server import HOST, Server
from wsclient import WebSocket

SECRET = "0123456789abcdef0123456789abcdef"
OTHER = "another-secret-also-of-32-bytes.."


def token(key: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:  # fmt: skip
    """A token for all plays of live/x for a minute, unless *claims* say otherwise."""
    every = {"exp": time.time() + 60, "path": "live/x", "action": "play", **claims}
    return jwt.encode(every, key, algorithm=algorithm, headers=headers)


def published(server: Server, key: str, app: str = "live") -> str:
    """Publish by RTMP as an encoder that was given *key*; return the code of a refusal, or `published`."""
    with Publisher(server.rtmp) as publisher:
        publisher.connect(app)
        try:
            publisher.begin(key)
        except Refused as refused:
            return str(refused)
        return "published"


def played(server: Server, target: str, *fields: str) -> int:
    """Ask for an HTTP output; return the status. 200 comes with media."""
    with Player(server.http, target, headers=fields, flv=".flv" in target) as player:
        player.head()
        if player.status == 200 and ".m3u8" not in target:
            player.until(lambda me: len(me.body) > 0)
        return player.status


def watched(server: Server, target: str) -> int:
    """Ask for a WebSocket; return 101 when media comes, else the status or the code of its close."""
    with WebSocket(server.http, target, polite=False) as socket:
        socket.until(lambda me: len(me.messages) > 0 or me.code > 0)
        return socket.code or socket.status


def rtmp_played(server: Server, name: str) -> str:
    """Play by RTMP; return `media` or the code of the refusal."""
    with RtmpPlayer(server.rtmp) as player:
        player.open(name)
        info = player.wait("onStatus", 0)[3]
        if info["level"] == "error":
            return str(info["code"])
        player.frames(1)
        return "media"


def fetch(server: Server, target: str) -> tuple[int, str]:
    """Status and body of an HTTP request."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{server.http}{target}", timeout=15) as answer:
            return answer.status, answer.read().decode("latin-1")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
