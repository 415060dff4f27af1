"""Signed URLs of CDNs, sets of keys that change, bounds of use and the end of a token, on running servers."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from broadcast import Broadcast
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from keyserver import KeyServer
from player import Player
from reloading import Make
from server import Server, until, vhost_text
from signed import SECRET, fetch, played, published, rtmp_played, token, watched

HLS = "hls { enabled on; hls_fragment 1; }"
PLAY_KEY, PUSH_KEY = "key-of-players-0", "key-of-encoders1"
VHOSTS = "".join(
    f"""
vhost {name}.example {{
    {HLS}
    auth {{ enabled on; apply publish play; {keys} }}
    http_remux {{ enabled on; on_missing 0; mount [vhost]/[app]/[stream].flv; }}
}}
"""
    for name, keys in {
        "tencent": f"tencent play {PLAY_KEY}; tencent publish {PUSH_KEY};",
        "a": f"aliyun A play {PLAY_KEY}; aliyun A publish {PUSH_KEY};",
        "b": f"aliyun B play {PLAY_KEY}; key {SECRET}; cdn_ttl 1800;",
        "c": f"aliyun C play {PLAY_KEY}; key {SECRET};",
    }.items()
)


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server]) -> Server:
    return serve(vhost_text() + VHOSTS)


def md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


def tencent(key: str, stream: str = "x") -> str:
    end = f"{int(time.time()) + 600:X}"
    return f"txSecret={md5(key + stream + end)}&txTime={end}"


def form_a(key: str, path: str) -> str:
    end = int(time.time()) + 600
    return f"auth_key={end}-0-0-{md5(f'{path}-{end}-0-0-{key}')}"


def form_b(path: str) -> str:
    minute = time.strftime("%Y%m%d%H%M", time.gmtime(time.time() + 8 * 3600))
    return f"/{minute}/{md5(PLAY_KEY + minute + path)}{path}"


def form_c(path: str) -> str:
    end = f"{int(time.time()) + 600:x}"
    return f"/{md5(PLAY_KEY + path + end)}/{end}{path}"


def plays_hls(server: Server, target: str) -> bool:
    """Follow the playlists behind *target* to a segment."""
    _, master = fetch(server, target)
    own = next(line for line in master.splitlines() if line and not line.startswith("#"))
    found: list[str] = []

    def listed() -> bool:
        found[:] = [line for line in fetch(server, own)[1].splitlines() if line and not line.startswith("#")]
        return bool(found)

    until(listed, "a segment", 20)
    return fetch(server, f"{own.partition('?')[0].rpartition('/')[0]}/{found[0]}")[0] == 200


def test_urls_signed_for_tencent_publish_and_play(server: Server) -> None:
    vhost = "vhost=tencent.example"
    # What a player was given does not publish.
    assert published(server, f"x?{vhost}&{tencent(PLAY_KEY)}") == "NetStream.Publish.Denied"
    with Broadcast(server.rtmp, f"x?{vhost}&{tencent(PUSH_KEY)}"):
        good = f"{vhost}&{tencent(PLAY_KEY)}"
        until(lambda: "x" in server.streams(), "publish", 10)
        assert played(server, f"/live/x.flv?{good}") == 200
        assert watched(server, f"/live/x.flv?{good}") == 101
        assert rtmp_played(server, f"x?{good}") == "media"
        assert plays_hls(server, f"/live/x.m3u8?{good}")
        assert played(server, f"/live/x.flv?{vhost}") == 401
        assert played(server, f"/live/x.flv?{vhost}&{tencent(PLAY_KEY, 'y')}") == 403
    for line in server.log.lines:
        assert "txSecret=" not in line or "txSecret=***" in line


def test_urls_signed_for_aliyun_publish_and_play(server: Server) -> None:
    a = "vhost=a.example"
    with Broadcast(server.rtmp, f"a?{a}&{form_a(PUSH_KEY, '/live/a')}"):
        until(lambda: "a" in server.streams(), "publish", 10)
        assert played(server, f"/live/a.flv?{a}&{form_a(PLAY_KEY, '/live/a.flv')}") == 200
        assert rtmp_played(server, f"a?{a}&{form_a(PLAY_KEY, '/live/a')}") == "media"
        assert plays_hls(server, f"/live/a.m3u8?{a}&{form_a(PLAY_KEY, '/live/a.m3u8')}")
        assert played(server, f"/live/a.flv?{a}&{form_a(PLAY_KEY, '/live/b.flv')}") == 403
    for name, sign in (("b", form_b), ("c", form_c)):
        vhost = f"vhost={name}.example"
        push = token(path=f"live/{name}", action="publish")
        with Broadcast(server.rtmp, f"{name}?{vhost}&token={push}"):
            until(lambda name=name: name in server.streams(), "publish", 10)  # type: ignore[misc]
            good = sign(f"/live/{name}.flv")
            assert played(server, f"{good}?{vhost}") == 200
            assert watched(server, f"{good}?{vhost}") == 101
            assert plays_hls(server, f"{sign(f'/live/{name}.m3u8')}?{vhost}")
            other = "1" if good[15] == "0" else "0"
            assert played(server, f"{good[:15]}{other}{good[16:]}?{vhost}") == 403
            assert played(server, f"/live/{name}.flv?{vhost}") == 401


def rows(**keys: object) -> bytes:
    """A set of the public keys of *keys*, by kid."""
    made = []
    for kid, key in keys.items():
        kind = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else OKPAlgorithm
        made.append({**json.loads(kind.to_jwk(key.public_key())), "kid": kid})  # type: ignore[attr-defined]
    return json.dumps({"keys": made}).encode()


@pytest.fixture
def keys() -> Iterator[tuple[KeyServer, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]]:
    one, two = ec.generate_private_key(ec.SECP256R1()), ed25519.Ed25519PrivateKey.generate()
    with KeyServer(rows(one=one)) as server:
        yield server, one, two


def test_keys_of_a_url_are_fetched_again_when_a_token_has_a_new_one(
    make: Make, keys: tuple[KeyServer, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey]
) -> None:
    issuer, one, two = keys
    server = make(vhost_text(more=f"auth {{ enabled on; apply play; jwks {issuer.url}; }}"))
    with Broadcast(server.rtmp, "x"):
        old = token(one, "ES256", headers={"kid": "one"})
        assert played(server, f"/live/x.flv?token={old}") == 200
        fetched = issuer.asked
        issuer.body = rows(one=one, two=two)
        new = token(two, "EdDSA", headers={"kid": "two"})
        # Any peer can send a kid that nobody knows, so the set is not fetched for each.
        until(lambda: played(server, f"/live/x.flv?token={new}") == 200, "the new key", 30)
        assert issuer.asked <= fetched + 2
        assert played(server, f"/live/x.flv?token={old}") == 200
    assert "of-the-url" not in server.log.text()


def test_keys_of_a_file_count_when_it_was_written(make: Make, tmp_path: Path) -> None:
    one, two = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    file = tmp_path / "keys.json"
    file.write_bytes(rows(one=one))
    server = make(vhost_text(more=f"auth {{ enabled on; apply play; jwks {file}; }}"))
    with Broadcast(server.rtmp, "x"):
        assert played(server, f"/live/x.flv?token={token(one, 'ES256')}") == 200
        assert played(server, f"/live/x.flv?token={token(two, 'ES256', headers={'kid': 'two'})}") == 403
        file.write_bytes(rows(two=two))
        server.log.wait("jwks: .* has 1 keys")
        assert played(server, f"/live/x.flv?token={token(two, 'ES256', headers={'kid': 'two'})}") == 200
        assert played(server, f"/live/x.flv?token={token(one, 'ES256', headers={'kid': 'one'})}") == 403


def test_max_counts_all_outputs_and_an_hls_session_once(make: Make) -> None:
    server = make(
        vhost_text(more=f"{HLS} auth {{ enabled on; apply play; key {SECRET}; }}", remux="on_missing 0;")
    )
    with Broadcast(server.rtmp, "x"):
        good = f"token={token(max=2, jti='twice')}"
        # Requests that come to nothing are no uses.
        for _ in range(3):
            assert played(server, f"/live/x.flv?{good}&only=key&start=nonsense") == 400
        assert plays_hls(server, f"/live/x.m3u8?{good}")
        with Player(server.http, f"/live/x.flv?{good}") as player:
            player.frames(2)
            assert played(server, f"/live/x.flv?{good}") == 403
            assert watched(server, f"/live/x.flv?{good}") == 3003
            assert rtmp_played(server, f"x?{good}") == "NetStream.Play.Failed"
            assert server.log.find("refused: forbidden, the token is in use 2 times already")
            assert played(server, f"/live/x.flv?token={token(max=2, jti='other')}") == 200
        until(lambda: played(server, f"/live/x.flv?{good}") == 200, "a use that ended", 10)


def test_expiry_cuts_where_it_is_enforced_and_nowhere_else(make: Make) -> None:
    server = make(vhost_text(more=f"auth {{ enabled on; apply play; key {SECRET}; }}"))
    with Broadcast(server.rtmp, "x"):
        ends = time.time() - 8
        with (
            Player(server.http, f"/live/x.flv?token={token(exp=ends)}") as player,
            Player(server.http, f"/live/x.flv?token={token()}") as other,
        ):
            player.frames(2)
            other.frames(2)
            # Clocks may differ by 10 s.
            until(lambda: played(server, f"/live/x.flv?token={token(exp=ends)}") == 403, "the end", 20)
            player.frames(5)
            lines = server.change(("apply play;", "apply play; enforce_expiry on;"))
            assert "1 clients are disconnected" in lines[-1]
            player.rest()
            with Player(server.http, f"/live/x.flv?token={token(exp=time.time() - 8)}") as late:
                late.rest()
            server.log.wait("left: token expired")
            other.frames(5)
