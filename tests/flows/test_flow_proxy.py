"""Viewers behind proxies: PROXY headers and forwarded fields of trusted proxies count, and those of nobody else."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from clip import Clip, end, push
from flvread import flv_file
from httppush import HttpPush
from model.ports import free_ports
from model.proxy import binary, block, line, option, tls_option
from player import Player
from proxyclients import HttpClient, connect, rtmp_player
from publisher import Publisher, Refused, film, headers
from server import HOST, Log, Server, until
from tlsfiles import Pair, make_pair, trusting
from wsclient import WebSocket

VIEWER, BANNED, VIEWER_6 = "198.51.100.7", "198.51.100.66", "2001:db8::7"
STRANGER, PROXY = "127.0.0.2", "127.0.0.9"
"Addresses of this machine: one that is no trusted proxy, and that of nginx."

SITES = f"""
vhost __defaultVhost__ {{
    play {{ start gop; mw_latency 0; on_missing 20; }}
    publish {{ grace 0; firstpkt_timeout 600000; normal_timeout 600000; }}
    http_remux {{ enabled on; mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts; on_missing 20; }}
    hls {{ enabled on; hls_fragment 1; }}
    security {{ enabled on; deny play {BANNED}; deny publish {BANNED}; allow play all; allow publish all; }}
}}
vhost members {{
    http_remux {{ enabled on; }}
    security {{ enabled on; allow play {VIEWER}; allow publish {VIEWER}; }}
}}
"""

LINE = line(VIEWER, 40000, "192.0.2.1", 1935)
BLOCK = block(VIEWER, 40000, "192.0.2.1", 1935)
LINES_6 = line(VIEWER_6, 40000, "2001:db8::1", 1935)
BLOCK_6 = block(VIEWER_6, 40000, "2001:db8::1", 1935)
HEADERS = {
    "v1": (LINE, VIEWER),
    "v1 of IPv6": (LINES_6, VIEWER_6),
    "v2": (binary(BLOCK), VIEWER),
    "v2 of IPv6": (binary(BLOCK_6, family=0x21), VIEWER_6),
    "v2 with options": (binary(BLOCK + option(4, bytes(3000)) + option(2, b"example.com")), VIEWER),
}
"Headers and the viewers that they name."
UNNAMED = {"v1": b"PROXY UNKNOWN\r\n", "v2": binary(b"", command=0, family=0)}
"Headers of connections that the proxy opened for itself."
STREAMING = ("rtmp", "rtmps", "http", "https")
ALL = (*STREAMING, "api")


class Site(NamedTuple):
    """A server, and what it speaks on which port."""

    server: Server
    ports: dict[str, int]
    before: bytes
    "What each connection of this test begins with, by default."

    def tls(self, listener: str) -> ssl.SSLContext | None:
        return trusting() if listener in ("rtmps", "https") else None

    def http(self, listener: str = "http", **form: Any) -> HttpClient:
        form.setdefault("before", self.before)
        return HttpClient(self.ports[listener], tls=self.tls(listener), **form)

    def clients(self) -> list[dict[str, Any]]:
        with self.http("api") as client:
            rows = json.loads(client.ask("/api/v1/clients?count=1000").text())["clients"]
        assert isinstance(rows, list)
        return rows

    def newest(self) -> dict[str, Any]:
        """The client that came last."""
        return self.clients()[-1]

    def check(self, ip: str) -> dict[str, Any]:
        """The client that came last came from *ip*, says the API, and so does the log."""
        row = self.newest()
        assert row["ip"] == ip, row
        self.server.log.wait(rf"(player|publisher) {row['id']} from {ip} ")
        return row

    @contextmanager
    def playing(self, listener: str, before: bytes, source: str = "") -> Iterator[None]:
        """Play the stream `cam` meanwhile."""
        form: dict[str, Any] = {"before": before, "source": source, "tls": self.tls(listener)}
        with ExitStack() as stack:
            if listener in ("rtmp", "rtmps"):
                stack.enter_context(rtmp_player(self.ports[listener], **form)).open("cam").frames(1)
            else:
                stack.enter_context(HttpClient(self.ports[listener], **form)).ask("/live/cam.flv").media()
            yield


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make_pair(tmp_path_factory.mktemp("pair"))


@contextmanager
def run(folder: Path, pair: Pair, top: str, inner: str) -> Iterator[Site]:
    """Run a server with *top* at the top of its file and *inner* in the block of each listener."""
    https, rtmps = free_ports(2)
    cert = f"cert {pair.cert}; key {pair.key};"
    server = Server(
        folder,
        SITES,
        web=f"{inner} https {{ enabled on; listen {https}; {cert} {inner} }}",
        more=f"{top} rtmp {{ {inner} }} rtmps {{ enabled on; listen {rtmps}; {cert} {inner} }}",
    )
    server.file.write_text(server.file.read_text().replace("http_api {", f"http_api {{ {inner}"))
    ports = {"rtmp": server.rtmp, "http": server.http, "api": server.api, "https": https, "rtmps": rtmps}
    site = Site(server, ports, UNNAMED["v1"] if inner else b"")
    with server, Publisher(server.rtmp) as publisher:
        publisher.raw(site.before)
        publisher.publish("cam")
        publisher.tags([*headers(), *film(5)])
        yield site


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Site]:
    """Every listener demands a PROXY header."""
    with run(
        tmp_path_factory.mktemp("proxied"), pair, "trusted_proxies 127.0.0.1;", "proxy_protocol on;"
    ) as site:
        yield site


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Site]:
    """No listener takes PROXY headers; this machine and 10.0.0.0/8 are HTTP proxies."""
    with run(tmp_path_factory.mktemp("plain"), pair, "trusted_proxies 127.0.0.1 10.0.0.0/8;", "") as site:
        yield site


def is_dropped(sock: socket.socket) -> bool:
    """Whether the connection ends before a byte comes."""
    with sock:
        try:
            return not sock.recv(100)
        except (ConnectionError, ssl.SSLError):
            return True


# --- PROXY headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("listener", STREAMING)
def test_the_viewer_of_a_header_stands_in_api_and_log(proxied: Site, listener: str, header: str) -> None:
    before, viewer = HEADERS[header]
    with proxied.playing(listener, before):
        row = proxied.check(viewer)
        assert row["type"] == ("rtmp-play" if listener.startswith("rtmp") else "flv-play")


@pytest.mark.parametrize("version", UNNAMED)
@pytest.mark.parametrize("listener", STREAMING)
def test_a_connection_of_the_proxy_itself_has_its_address(proxied: Site, listener: str, version: str) -> None:
    with proxied.playing(listener, UNNAMED[version]):
        proxied.check(HOST)


@pytest.mark.parametrize("header", ["v1", "v2"])
def test_publishers_are_named_too(proxied: Site, header: str) -> None:
    before, viewer = HEADERS[header]
    with Publisher(proxied.ports["rtmp"]) as publisher:
        publisher.raw(before)
        publisher.publish("mine")
        assert proxied.check(viewer)["publish"]
    pushed = b"PUT /live/pushed.flv HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + flv_file(
        headers()
    )
    with connect(proxied.ports["http"], before=before + pushed):
        until(lambda: proxied.newest()["name"] == "pushed", "push")
        assert proxied.check(viewer)["type"] == "flv-publish"


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("listener", ["http", "https", "api"])
def test_header_and_request_may_come_in_one_piece_or_in_single_bytes(
    proxied: Site, listener: str, header: str
) -> None:
    before, _ = HEADERS[header]
    target = "/api/v1/versions" if listener == "api" else "/none"
    wanted = 200 if listener == "api" else 404
    if listener != "https":
        request = before + f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with proxied.http(listener, before=request) as client:
            assert client.heard().status == wanted
    with (
        proxied.http(listener, before=before[:1])
        if listener != "https"
        else connect(proxied.ports[listener], before=before[:1]) as client
    ):
        sock = client if isinstance(client, socket.socket) else client.sock
        for byte in before[1:200]:
            sock.sendall(bytes([byte]))
        sock.sendall(before[200:])
        if isinstance(client, socket.socket):
            with trusting().wrap_socket(client, server_hostname=HOST) as tls:
                tls.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert tls.recv(100).startswith(b"HTTP/1.1 404")
        else:
            assert client.ask(target).status == wanted


def test_a_proxy_that_took_the_tls_off_says_so(proxied: Site) -> None:
    for secure, scheme in ((True, "https"), (False, "http")):
        with proxied.playing("http", binary(BLOCK + tls_option(secure))):
            assert proxied.check(VIEWER)["tcUrl"] == f"{scheme}://x/live"


OPENINGS = {
    "rtmp": b"\3" + bytes(1536),
    "rtmps": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508),
    "http": b"GET /live/cam.flv HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.7\r\n\r\n",
    "https": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(508),
    "api": b"GET /api/v1/versions HTTP/1.1\r\nHost: x\r\n\r\n",
}
"What clients send that came without a proxy."


@pytest.mark.parametrize("listener", ALL)
def test_a_connection_without_a_header_is_refused(proxied: Site, listener: str) -> None:
    mark = len(proxied.server.log.lines)
    assert is_dropped(connect(proxied.ports[listener], before=OPENINGS[listener]))
    said = proxied.server.log.wait(r"127.0.0.1 closed: .*a PROXY header was expected", mark)
    assert said.split()[3].lower() == listener


@pytest.mark.parametrize("listener", ALL)
@pytest.mark.parametrize(
    "header",
    [
        b"PROXY TCP4 300.1.1.1 192.0.2.1 1 2\r\n",
        b"PROXY TCP4 198.51.100.7 192.0.2.1 1\r\n",
        b"PROXY " + b"x" * 200,
        binary(BLOCK)[:12] + b"\x31" + binary(BLOCK)[13:],
        binary(BLOCK, family=0x21),
    ],
    ids=["address", "words", "endless", "version 3", "short"],
)
def test_a_broken_header_closes_that_connection_with_a_reason(
    proxied: Site, listener: str, header: bytes
) -> None:
    mark = len(proxied.server.log.lines)
    assert is_dropped(connect(proxied.ports[listener], before=header + OPENINGS[listener]))
    proxied.server.log.wait(r"127.0.0.1 closed: ", mark)
    assert len(proxied.server.log.find(r" closed: ", mark)) == 1


@pytest.mark.parametrize("header", ["v1", "v2"])
@pytest.mark.parametrize("listener", ALL)
def test_a_header_on_a_listener_without_it_breaks_the_protocol(
    plain: Site, listener: str, header: str
) -> None:
    mark = len(plain.server.log.lines)
    with connect(plain.ports[listener], before=HEADERS[header][0] + OPENINGS[listener]) as sock:
        answer = b""
        try:
            while data := sock.recv(65536):
                answer += data
        except ConnectionError:
            pass
    if listener in ("http", "api"):
        assert answer.startswith(b"HTTP/1.1 400 "), answer
        plain.server.log.wait(r"http 127.0.0.1: not an HTTP request", mark)
    else:
        # A TLS alert may come; of RTMP not one byte.
        assert not answer or (listener in ("rtmps", "https") and answer[0] == 0x15), answer
        plain.server.log.wait(r"127.0.0.1 closed: ", mark)
    assert not plain.server.log.find(VIEWER, mark)


@pytest.mark.parametrize("header", ["v1", "v2"])
@pytest.mark.parametrize("listener", STREAMING)
def test_a_header_of_a_stranger_is_not_believed(proxied: Site, listener: str, header: str) -> None:
    with proxied.playing(listener, HEADERS[header][0], STRANGER):
        proxied.check(STRANGER)


# --- rules see the viewer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [line, lambda *ends: binary(block(*ends))], ids=["v1", "v2"])
def test_security_rules_judge_the_viewer_behind_a_header(proxied: Site, make: Callable[..., bytes]) -> None:
    banned, viewer = (make(ip, 40000, "192.0.2.1", 1935) for ip in (BANNED, VIEWER))
    for listener in ("http", "https"):
        with proxied.http(listener, before=banned) as client:
            assert client.ask("/live/cam.flv").status == 403
            assert f"'deny play {BANNED}' matches {BANNED}" in client.text()
        with proxied.http(listener, before=viewer) as client:
            # Only the gate lets this one wait for the stream.
            assert client.ask("/live/nobody.flv", host="members", method="HEAD").status == 404
        with proxied.http(listener) as client:
            assert client.ask("/live/nobody.flv", host="members", method="HEAD").status == 403
    for listener in ("rtmp", "rtmps"):
        form = {"before": banned, "tls": proxied.tls(listener)}
        with rtmp_player(proxied.ports[listener], **form) as player:  # type: ignore[arg-type]
            player.open("cam").rest()
            assert player.codes[-1].startswith("NetStream.Play.") and not player.tags
    for before, target in ((banned, "no?vhost=__defaultVhost__"), (proxied.before, "no?vhost=members")):
        with Publisher(proxied.ports["rtmp"]) as publisher:
            publisher.raw(before)
            with pytest.raises(Refused, match=r"NetStream.Publish.Denied"):
                publisher.publish(target)
    proxied.server.log.wait(rf"publisher \w+ from {BANNED} of /?live/no refused")


def test_a_stranger_cannot_pass_as_a_member_or_escape_a_ban(proxied: Site, plain: Site) -> None:
    with proxied.http(before=LINE, source=STRANGER) as client:
        assert client.ask("/live/x.flv", host="members").status == 403
    with plain.http(source=STRANGER) as client:
        claims = (f"X-Forwarded-For: {VIEWER}", f"X-Real-IP: {VIEWER}", f"Forwarded: for={VIEWER}")
        assert client.ask("/live/x.flv", *claims, host="members").status == 403


@pytest.mark.parametrize(
    "field", ["X-Forwarded-For: {}", "X-Real-IP: {}", "Forwarded: for={}", "X-Forwarded-For: {}, 10.1.1.1"]
)
def test_security_rules_judge_the_viewer_of_each_request(plain: Site, field: str) -> None:
    with plain.http() as client:
        for ip, status in ((BANNED, 403), (VIEWER, 200), (BANNED, 403)):
            client.ask("/live/cam.m3u8", field.format(ip))
            assert client.status == status
            assert (BANNED in client.text()) == (status == 403)
        for ip, status in ((VIEWER, 404), ("198.51.100.8", 403)):
            client.ask("/live/nobody.flv", field.format(ip), host="members", method="HEAD")
            assert client.status == status


# --- forwarded fields -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "viewer"),
    [
        ((f"X-Forwarded-For: {VIEWER}",), VIEWER),
        ((f"X-Forwarded-For: {BANNED}, {VIEWER}",), VIEWER),
        ((f"X-Forwarded-For: {VIEWER}, 10.1.2.3",), VIEWER),
        ((f"X-Forwarded-For: {BANNED}", f"X-Forwarded-For: {VIEWER}, 10.1.2.3"), VIEWER),
        ((f"X-Forwarded-For: {VIEWER}:40000",), VIEWER),
        ((f"X-Forwarded-For: {VIEWER_6}",), VIEWER_6),
        ((f"X-Real-IP: {VIEWER}",), VIEWER),
        ((f"X-Real-IP: {VIEWER_6}",), VIEWER_6),
        ((f"Forwarded: for={VIEWER}",), VIEWER),
        ((f'Forwarded: for={BANNED}, for="[{VIEWER_6}]:4711";by=10.1.2.3',), VIEWER_6),
        ((f"Forwarded: for={VIEWER}, for=10.1.2.3",), VIEWER),
        ((f"X-Forwarded-For: {VIEWER}", f"X-Real-IP: {BANNED}", f"Forwarded: for={BANNED}"), VIEWER),
        (("X-Forwarded-For: unknown",), HOST),
        (("Forwarded: for=_hidden",), HOST),
        (("X-Forwarded-For: ",), HOST),
        ((), HOST),
    ],
)
@pytest.mark.parametrize("listener", ["http", "https"])
def test_fields_of_a_trusted_proxy_name_the_viewer(
    plain: Site, listener: str, fields: tuple[str, ...], viewer: str
) -> None:
    with plain.http(listener) as client:
        client.ask("/live/cam.flv", *fields).media()
        plain.check(viewer)


@pytest.mark.parametrize("field", ["X-Forwarded-For: {}", "X-Real-IP: {}", "Forwarded: for={};proto=https"])
@pytest.mark.parametrize("listener", ["http", "https"])
def test_fields_of_a_stranger_name_nobody(plain: Site, listener: str, field: str) -> None:
    with plain.http(listener, source=STRANGER) as client:
        client.ask("/live/cam.flv", field.format(VIEWER)).media()
        row = plain.check(STRANGER)
        assert row["tcUrl"] == f"{listener}://x/live"


@pytest.mark.parametrize("field", ["X-Forwarded-For: {}", "X-Real-IP: {}", "Forwarded: for={}"])
def test_the_client_of_a_tcp_proxy_names_nobody(proxied: Site, field: str) -> None:
    """The header of the TCP proxy names the sender of the request, who is no proxy itself."""
    with proxied.http(before=LINE) as client:
        client.ask("/live/cam.flv", field.format(BANNED)).media()
        proxied.check(VIEWER)


def test_without_trusted_proxies_nobody_is_believed(serve: Callable[..., Server]) -> None:
    server = serve(SITES)
    with Publisher(server.rtmp) as publisher:
        publisher.publish("cam")
        publisher.tags([*headers(), *film(3)])
        claims = (f"X-Forwarded-For: {VIEWER}", f"X-Real-IP: {VIEWER}", f"Forwarded: for={VIEWER}")
        with Player(server.http, "/live/cam.flv", headers=claims) as player:
            player.frames(1)
            assert {row["ip"] for row in server.clients()} == {HOST}


def test_every_output_and_a_push_name_the_viewer(plain: Site) -> None:
    field = f"X-Forwarded-For: {VIEWER}"
    with plain.http() as client:
        client.ask("/live/cam.ts", field).media()
        assert plain.check(VIEWER)["url"] == "/live/cam"
    with WebSocket(plain.ports["http"], "/live/cam.flv", more={"X-Forwarded-For": VIEWER}) as socket_:
        socket_.frames(1)
        plain.check(VIEWER)
    with HttpPush(plain.ports["http"], "/live/pushed.flv", headers=(field,)) as pusher:
        pusher.begin(headers())
        until(lambda: plain.newest()["name"] == "pushed", "push")
        assert plain.check(VIEWER)["publish"]
    with plain.http() as client:
        client.ask("/live/cam.m3u8", f"X-Forwarded-For: {VIEWER_6}").text()
        assert plain.check(VIEWER_6)["type"] == "hls-play"


def test_the_protocol_of_the_viewer_is_that_which_the_proxy_names(plain: Site) -> None:
    fields = {
        "https": (f"X-Forwarded-For: {VIEWER}", "X-Forwarded-Proto: https"),
        "http": (f"Forwarded: for={VIEWER};proto=http",),
    }
    for listener in ("http", "https"):
        for scheme, lines in fields.items():
            with plain.http(listener) as client:
                client.ask("/live/cam.flv", *lines).media()
                assert plain.check(VIEWER)["tcUrl"] == f"{scheme}://x/live"


def test_one_connection_of_a_proxy_carries_requests_of_many_viewers(plain: Site) -> None:
    viewers = [f"203.0.113.{number}" for number in range(1, 6)]
    with plain.http() as client:
        for viewer in viewers:
            assert client.ask("/live/cam.m3u8", f"X-Forwarded-For: {viewer}").status == 200
            client.text()
        assert client.ask("/live/cam.m3u8").status == 200
        client.text()
    rows = [row["ip"] for row in plain.clients() if row["type"] == "hls-play"]
    assert rows[-6:] == [*viewers, HOST]


# --- nginx ---------------------------------------------------------------------------------------------------------

NGINX = """\
{load}
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr info;
events {{ }}
{blocks}
"""
HTTP = """\
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    proxy_http_version 1.1;
    proxy_bind {proxy};
    proxy_buffering off;
    proxy_request_buffering off;
    client_max_body_size 0;
    {servers}
}}
"""
HTTP_SERVER = """\
    server {{
        listen {host}:{port};
        location / {{
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header {field};
            proxy_pass http://{host}:{origin};
        }}
    }}
"""
STREAM = """\
stream {{
    server {{ listen {host}:{port}; proxy_pass {host}:{origin}; proxy_protocol on; proxy_bind {proxy}; }}
}}
"""
FIELDS = {
    "X-Forwarded-For": "X-Forwarded-For $proxy_add_x_forwarded_for",
    "X-Real-IP": "X-Real-IP $remote_addr",
    "Forwarded": "Forwarded for=$remote_addr",
}
"What nginx adds, by the port that is asked."
SOMEONE = "127.0.0.5"
"Address of this machine that a viewer connects from."


@contextmanager
def nginx(folder: Path, blocks: str, port: int, load: str = "") -> Iterator[None]:
    """Run nginx until it listens on *port* and on."""
    binary_ = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if binary_ is None:
        pytest.skip("no nginx")
    file = folder / "nginx.conf"
    file.write_text(NGINX.format(folder=folder, load=load, blocks=blocks))
    words = [binary_, "-p", str(folder), "-c", str(file)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = Log(process.stderr)
    try:
        until(lambda: log.ended or accepts(port), "nginx listens", 20)
        assert not log.ended, log.text()
        yield
    finally:
        process.terminate()
        process.wait(20)
        log.close()


def accepts(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 1).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Iterator[Site]:
    """A server that trusts nginx alone, and takes RTMP from nginx alone."""
    folder = tmp_path_factory.mktemp("origin")
    top = f"trusted_proxies {PROXY};"
    with run(folder, pair, top, "") as site:
        yield site


@pytest.fixture(scope="module")
def fronts(origin: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Ports of nginx by the field that it adds."""
    folder = tmp_path_factory.mktemp("nginx")
    ports = dict(zip(FIELDS, free_ports(len(FIELDS)), strict=True))
    servers = "".join(
        HTTP_SERVER.format(host=HOST, port=port, origin=origin.ports["http"], field=FIELDS[name])
        for name, port in ports.items()
    )
    with nginx(folder, HTTP.format(folder=folder, proxy=PROXY, servers=servers), list(ports.values())[-1]):
        yield ports


@pytest.mark.parametrize("name", FIELDS)
def test_viewers_behind_nginx_are_named_by_each_field(
    origin: Site, fronts: dict[str, int], name: str
) -> None:
    forged = [f"{field}: {VIEWER}" for field in FIELDS if field == name]
    for claims in ([], forged):
        with HttpClient(fronts[name], source=SOMEONE) as client:
            client.ask("/live/cam.flv", *claims).media()
            origin.check(SOMEONE)
    with HttpClient(fronts[name], source=SOMEONE) as client:
        client.ask("/live/cam.m3u8").text()
        assert origin.check(SOMEONE)["type"] == "hls-play"


def test_a_websocket_through_nginx_plays_and_is_named(origin: Site, fronts: dict[str, int]) -> None:
    with WebSocket(fronts["X-Forwarded-For"], "/live/cam.flv") as player:
        player.frames(3)
        origin.check(HOST)


def test_ffmpeg_pushes_through_nginx_and_another_plays_through_it(
    origin: Site, fronts: dict[str, int], h264: Clip
) -> None:
    port = fronts["X-Forwarded-For"]
    with Player(port, "/live/nginx.flv", timeout=30) as player:
        process = push(h264.path, f"http://{HOST}:{port}/live/nginx.flv", loop=True)
        try:
            player.frames(30)
            rows = {row["type"]: row for row in origin.clients() if row["name"] == "nginx"}
            assert {row["ip"] for row in rows.values()} == {HOST}
            assert rows["flv-publish"]["publish"]
        finally:
            end(process)


def test_whoever_comes_past_nginx_is_not_believed(origin: Site) -> None:
    with origin.http(source=SOMEONE) as client:
        client.ask("/live/cam.flv", f"X-Forwarded-For: {VIEWER}").media()
        origin.check(SOMEONE)


def stream_module() -> str:
    """The statement that loads the stream module of this nginx, where there is one."""
    folders = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
    found = next((path for at in folders if (path := Path(at) / "ngx_stream_module.so").exists()), None)
    if found is None:
        pytest.skip("no nginx with its stream module")
    return f"load_module {found};"


def test_rtmp_through_nginx_names_publisher_and_player(tmp_path: Path, pair: Pair, h264: Clip) -> None:
    load = stream_module()
    (port,) = free_ports(1)
    server = Server(tmp_path, SITES, more=f"trusted_proxies {PROXY}; rtmp {{ proxy_protocol on; }}")
    blocks = STREAM.format(host=HOST, port=port, origin=server.rtmp, proxy=PROXY)
    with server, nginx(tmp_path, blocks, port, load):
        process = push(h264.path, f"rtmp://{HOST}:{port}/live/cam", loop=True)
        try:
            with rtmp_player(port, source=SOMEONE).open("cam") as player:
                player.frames(20)
                rows = {row["type"]: row for row in server.clients()}
                assert rows["rtmp-play"]["ip"] == SOMEONE
                assert rows["fmle-publish"]["ip"] == HOST
            server.log.wait(rf"player {rows['rtmp-play']['id']} from {SOMEONE} joins")
        finally:
            end(process)
        # Past the proxy there is no way in.
        assert is_dropped(connect(server.rtmp, before=OPENINGS["rtmp"]))
