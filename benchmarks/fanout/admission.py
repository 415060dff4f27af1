"""Players that come where nobody is asked about them, where a hook is, and where each brings a token of its own."""

from __future__ import annotations

import contextlib
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.joins import SPARE_SECONDS, rate_for, storm
from benchmarks.fanout.processes import Talker, running
from benchmarks.fanout.servers import Server
from benchmarks.fanout.session import STREAM, Bench, Measured, loaded, started

if TYPE_CHECKING:
    from benchmarks.fanout.scenarios import Scenario

RATE = 1000  # joins a second


def admitted(bench: Bench, scenario: Scenario, server: Server) -> Iterator[Measured]:
    """Measure while players come and go, in three ways; a few others stand."""
    with tempfile.TemporaryDirectory(prefix="fanout-") as folder, contextlib.ExitStack() as stack:
        work = Path(folder)
        argv = [sys.executable, "-m", "benchmarks.fanout.hookboy"]
        boy = Talker("hooks", argv, bench.client_cores, work / "hooks.log")
        stack.enter_context(running(boy))
        ready = boy.event("ready", 30)
        if ready is None:
            raise BenchError("the server of hooks did not begin")
        yield measured(bench, scenario, server, server.name)
        hook = f"http_hooks {{ enabled on; on_play http://127.0.0.1:{ready['port']}/play; }}"
        asked = measured(bench, scenario, server, f"{server.name} hook", hook)
        boy.send("end")
        done = boy.event("done", 30)
        if done is None:
            raise BenchError("the server of hooks did not end")
        asked.extra |= {"hooks": done["hooks"], "hook_connections": done["connections"]}
        yield asked
        for algorithm in ("HS256", "ES256"):
            tokens = Tokens(algorithm, work)
            yield measured(bench, scenario, server, f"{server.name} {algorithm}", tokens.vhost, tokens)


class Tokens:
    """A key, and what it signs."""

    def __init__(self, algorithm: str, work: Path) -> None:
        try:
            import jwt
            from cryptography.hazmat.primitives.asymmetric import ec
            from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
        except ImportError:
            raise BenchError("tokens need PyJWT: pip install 'fastflv[jwt]'") from None
        self._encode = jwt.encode
        self._algorithm = algorithm
        self._work = work
        self._key: str | ec.EllipticCurvePrivateKey
        if algorithm == "HS256":
            self._key = key = secrets.token_hex(32)
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())
            public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            (work / "key.pub").write_bytes(public)
            key = str(work / "key.pub")
        self.vhost = f"auth {{ enabled on; apply play; key {key}; }}"

    def url(self, url: str) -> str:
        """Return it with a new token."""
        claims = {
            "exp": time.time() + 3600, "path": f"live/{STREAM}", "action": "play", "jti": secrets.token_hex(8),
        }  # fmt: skip
        return f"{url}?token={self._encode(claims, self._key, algorithm=self._algorithm)}"

    def file(self, url: str, count: int) -> Path:
        """Return a file of as many URLs."""
        path = self._work / "comers"
        path.write_text("".join(f"{self.url(url)}\n" for _ in range(count)))
        return path


def measured(
    bench: Bench,
    scenario: Scenario,
    server: Server,
    label: str,
    vhost: str = "",
    tokens: Tokens | None = None,
) -> Measured:
    """Start the server with the lines of *vhost*, and measure while players join it."""
    window = scenario.window_of(server.name)
    players = scenario.players
    rate = rate_for(players, RATE)
    m = Measured(scenario.name, label, players, window)
    room = players + rate * SPARE_SECONDS
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(started(bench, server, window_ms=window, players=room, vhost=vhost))
        url = tokens.url(live.url) if tokens else None
        load = stack.enter_context(loaded(bench, live, players, m.notes, url))
        if tokens:
            load.send(f"comers {tokens.file(live.url, round(rate * bench.seconds))}")
        storm(bench, live, load, m, rate, bench.seconds)
    return m
