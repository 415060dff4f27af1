"""500 reloads under 300 and 1,000 players of all outputs, with hooks: nobody leaves whom no rule forbids, and nothing piles up."""

from __future__ import annotations

import hashlib
import signal
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from crowd import OUTPUTS, Crowd, Ports, Studio, Viewer, viewer
from hookserver import HookServer
from model.ports import free_ports
from player import Player, Recorder, check_complete
from reloading import ChangingServer
from rtmpplayer import RtmpPlayer
from server import HOST, until, vhost_text
from tlsfiles import Pair, make_pair, trusting
from wsclient import WebSocket

RELOADS = 500
STREAMS = ("s0", "s1", "s2", "s3", "s4")
OTHER = "127.0.0.9"
WINDOWS = (0, 400)
"Merge windows, ms: one and ten pictures."

VICTIMS = ("flv", "ws", "https", "rtmp", "ts", "aac", "hls")
"Outputs whose players come from OTHER, one a turn."

HOOKS = ("on_connect", "on_close", "on_publish", "on_unpublish", "on_stop")
"Besides on_play, whose URL changes with the mounts."

LAG = "lag_drop 60000; lag_jump 60000; lag_close 120000;"
"A machine that is busy must not thin the pictures that are counted."


class Site:
    """The server, its configuration of the moment, and what must be seen of each change."""

    def __init__(
        self,
        server: ChangingServer,
        ports: Ports,
        spare: tuple[int, int],
        pairs: tuple[Pair, Pair],
        hooks: HookServer,
    ) -> None:
        self.hooks = hooks
        self.server = server
        self.ports = ports
        self._spare = spare
        self._pairs = pairs
        self._digests = [
            hashlib.sha256(ssl.PEM_cert_to_DER_cert(pair.cert.read_text())).digest() for pair in pairs
        ]
        self.window = 0
        self.mount = 0
        self.pair = 0
        self.extra = 0
        "Bits: which of the spare ports are listened on."
        self.denied = False

    def text(self) -> str:
        """The whole file."""
        pair = self._pairs[self.pair]
        extra = " ".join(str(port) for bit, port in enumerate(self._spare) if self.extra >> bit & 1)
        base = "[vhost]/[app]/[stream]"
        mounts = f"{base}.flv {base}.ts {base}.aac" + (" /extra/[app]/[stream].flv" if self.mount else "")
        return (
            f"listen {self.ports.rtmp} {extra}; max_connections 2000; daemon off; srs_log_tank console;\n"
            f"http_server {{ enabled on; listen {self.ports.http};"
            f" https {{ enabled on; listen {self.ports.https}; cert {pair.cert}; key {pair.key}; }} }}\n"
            f"http_api {{ enabled on; listen {self.server.api}; }}\n"
            + vhost_text(
                play=f"mw_latency {WINDOWS[self.window]}; {LAG}",
                more=self.hooks.block(*HOOKS).replace(
                    "}", f" on_play {self.hooks.url(f'play{self.mount}')}; }}"
                )
                + " hls { enabled on; hls_fragment 1; hls_window 6; }\n"
                + (f"security {{ enabled on; deny play {OTHER}; }}" if self.denied else ""),
            ).replace(f"mount {base}.flv;", f"mount {mounts};")
        )

    def reload(self) -> list[str]:
        self.server.rewrite(self.text())
        return self.server.reload()

    # --- what is seen of a change ---

    def mount_status(self) -> int:
        with Player(self.ports.http, "/extra/live/s0.flv", method="HEAD", flv=False) as player:
            return player.head().status

    def certificate(self) -> int:
        """Which of the pairs a new client is given."""
        with (
            socket.create_connection((HOST, self.ports.https), 10) as plain,
            trusting().wrap_socket(plain) as tls,
        ):
            return self._digests.index(hashlib.sha256(tls.getpeercert(True) or b"").digest())

    def listening(self) -> int:
        """Bits: which of the spare ports answer."""
        found = 0
        for bit, port in enumerate(self._spare):
            with socket.socket() as sock:
                sock.settimeout(10)
                found |= (sock.connect_ex((HOST, port)) == 0) << bit
        return found


class Windows:
    """The sends of the server to some players by pictures published, for each merge window."""

    def __init__(self, studio: Studio, probes: list[Viewer]) -> None:
        self._studio = studio
        self._probes = probes
        self._before = self._now()
        self.seen: dict[int, list[float]] = {0: [], 1: []}

    def _now(self) -> tuple[int, int]:
        return self._studio.pictures, sum(each.sends for each in self._probes)

    def close(self, window: int) -> None:
        """*window* was in force since the last call."""
        pictures, sends = self._now()
        spent = (pictures - self._before[0]) * len(self._probes)
        self.seen[window].append((sends - self._before[1]) / max(spent, 1))
        self._before = pictures, sends


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with HookServer() as hooks:
        yield from running(tmp_path, hooks)


def running(tmp_path: Path, hooks: HookServer) -> Iterator[Site]:
    https, *spare = free_ports(3)
    pairs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        pairs.append(make_pair(tmp_path / name, f"{name}.example.com"))
    server = ChangingServer(tmp_path)
    ports = Ports(server.rtmp, server.http, https)
    made = Site(server, ports, (spare[0], spare[1]), (pairs[0], pairs[1]), hooks)
    server.file.write_text(made.text())
    with server:
        yield made


@pytest.mark.parametrize("players", [300, pytest.param(1000, marks=pytest.mark.slow)])
def test_500_reloads_disconnect_nobody_who_may_stay_and_leave_no_descriptor(site: Site, players: int) -> None:
    server, ports = site.server, site.ports
    with (
        Studio(ports.rtmp, STREAMS) as studio,
        Crowd() as crowd,
        Player(ports.http, "/live/s0.flv", timeout=120) as flv,
        Player(ports.https, "/live/s1.flv", timeout=120, tls=trusting()) as https,
        WebSocket(ports.http, "/live/s2.flv", timeout=120) as ws,
        RtmpPlayer(ports.rtmp, timeout=120).open("s3") as rtmp,
    ):
        until(lambda: len(server.streams()) == len(STREAMS), "publishers", 20)
        witnesses = [Recorder(each) for each in (flv, https, ws, rtmp)]
        stay = [
            crowd.add(viewer(ports, OUTPUTS[i % len(OUTPUTS)], STREAMS[i % len(STREAMS)]))
            for i in range(players)
        ]
        until(lambda: all(each.received > 3000 for each in stay), "media for all", 60)
        probes = [each for each in stay if each.output in ("flv", "https", "ws")]
        windows = Windows(studio, probes)
        acted: Counter[str] = Counter()
        fds: list[int] = []
        began = time.monotonic()

        def mount() -> None:
            site.mount ^= 1
            site.reload()
            assert site.mount_status() == (200 if site.mount else 404)

        def window() -> None:
            windows.close(site.window)
            site.window ^= 1
            site.reload()

        def certificate() -> None:
            site.pair ^= 1
            site.reload()
            assert site.certificate() == site.pair

        def listeners() -> None:
            site.extra = (site.extra + 1) % 4
            site.reload()
            assert site.listening() == site.extra

        def security() -> None:
            if site.denied:
                site.denied = False
                assert "; 0 clients are disconnected" in site.reload()[-1]
                return
            output = VICTIMS[acted["security"] // 2 % len(VICTIMS)]
            victim = crowd.add(viewer(ports, output, "s4", OTHER))
            until(lambda: victim.received > 500 and not victim.over, f"{output} from {OTHER} plays", 20)
            site.denied = True
            assert "; 1 clients are disconnected" in site.reload()[-1]
            until(lambda: victim.over, f"the end of {victim}", 20)
            crowd.remove([victim])
            with Player(ports.http, "/live/s4.flv", method="HEAD", flv=False) as player:
                assert player.head().status == 200, "the rule is for another address"

        steps = (mount, window, certificate, listeners, security)
        for number in range(RELOADS):
            step = steps[number % len(steps)]
            step()
            acted[step.__name__] += 1
            assert not crowd.over(), f"{step.__name__}, reload {number}: {crowd.over()}"
            assert not studio.lost, studio.lost
            if number % 100 == 99:
                # The same configuration each time: all twos and the four of the listeners divide 100.
                received = [each.received for each in stay]
                until(
                    lambda received=received: all(  # type: ignore[misc]
                        each.received > before for each, before in zip(stay, received, strict=True)
                    ),
                    "media for all",
                    20,
                )
                # Connections to hooks are kept for some seconds.
                until(lambda: not site.hooks.open, "the hooks rest", 60)
                fds.append(settled(server, fds[0] if fds else None))
        spent = time.monotonic() - began
        print(f"{RELOADS} reloads in {spent:.1f} s, descriptors {fds}, sends a picture {averages(windows)}")
        assert dict(acted) == dict.fromkeys((step.__name__ for step in steps), RELOADS // len(steps))
        assert len(set(fds)) == 1, f"descriptors: {fds}"
        one, ten = averages(windows)
        assert one > 0.3 and ten < 0.5 * one, f"sends a picture by merge window: {windows.seen}"
        assert not any(each.failure or not each.is_alive() for each in witnesses)
        rows = [row for row in server.clients() if not row["publish"]]
        assert len(rows) == players + len(witnesses)
        assert not server.log.find(r"left: (stalled|too slow|protocol error|peer closed)")
        hooks = site.hooks
        played = [each.fields["client_id"] for each in hooks.of("play0") + hooks.of("play1")]
        assert len(hooks.of("play0")) > len(STREAMS) and len(hooks.of("play1")) > acted["mount"] // 4
        assert set(played) >= {row["id"] for row in rows}
        stopped = {each.fields["client_id"] for each in hooks.of("on_stop")}
        assert not stopped & {row["id"] for row in rows} and stopped <= set(played)
        assert len(hooks.of("on_publish")) == len(STREAMS) and not hooks.of("on_unpublish")
        # The end of the streams ends the witnesses.
        server.process.send_signal(signal.SIGTERM)
        for each in witnesses:
            each.done(20)
            check_complete(each.player)
        assert server.process.wait(10) == 0


def settled(server: ChangingServer, wanted: int | None) -> int:
    """Descriptors of the server once those of short requests are closed: *wanted*, or as many as there are."""
    deadline = time.monotonic() + 5
    while wanted is not None and server.fds() != wanted and time.monotonic() < deadline:
        time.sleep(0.02)
    return wanted if wanted is not None and server.fds() == wanted else server.quiet_fds()


def averages(windows: Windows) -> tuple[float, float]:
    """Sends a picture without and with a merge window, over all periods."""
    one, ten = windows.seen[0], windows.seen[1]
    return sum(one) / len(one), sum(ten) / len(ten)
