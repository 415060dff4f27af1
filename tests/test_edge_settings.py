"""Settings of edges: how origins are asked, who is asked about, and what a reload changes."""

from __future__ import annotations

import pytest
from edgesite import ORIGIN, ask_to_play, edge_conf, filming, players, port_of
from embedded import conf, looped
from model.loop import until
from model.ports import free_ports
from tlsfiles import make_pair
from viewer import Viewer, check_whole

import fastflv
from fastflv.cluster.remote import tls_context
from fastflv.protocols.rtmp.clientevents import Failed, Started


@looped
async def test_a_vhost_has_another_name_at_the_origin():
    text = (
        ORIGIN + "vhost b.example { http_remux { enabled on; } play { on_missing 0; } publish { grace 0; } }"
    )
    async with (
        fastflv.Server(text) as origin,
        filming(origin, name=fastflv.StreamName("b.example", "live", "x")),
    ):
        for protocol in ("rtmp", "flv"):
            edge = edge_conf(port_of(origin, protocol), protocol=protocol, more="vhost b.example;")
            async with fastflv.Server(edge) as server, Viewer(server, "/live/x.flv") as viewer:
                check_whole(await viewer.more(3))
                assert {client.name.vhost for client in players(origin)} == {"b.example"}
            await until(lambda: not players(origin))


@looped
async def test_follow_client_asks_by_the_protocol_of_the_first_viewer():
    async with fastflv.Server(ORIGIN) as origin, filming(origin):
        port = port_of(origin, "flv")
        async with (
            fastflv.Server(edge_conf(port, more="follow_client on;")) as edge,
            Viewer(edge, "/live/x.flv") as viewer,
        ):
            check_whole(await viewer.more(3))
            assert [client.request.scheme for client in players(origin)] == ["http"]
        async with fastflv.Server(
            edge_conf(port_of(origin), protocol="flv", more="follow_client on;")
        ) as edge:
            assert isinstance(await ask_to_play(edge, "x"), Started)
            assert "rtmp" in [client.request.scheme for client in players(origin)]


@looped
async def test_token_traverse_asks_the_origin_about_rtmp_clients():
    async with (
        fastflv.Server(ORIGIN) as origin,
        filming(origin),
        fastflv.Server(edge_conf(port_of(origin), more="token_traverse on;")) as edge,
    ):
        assert isinstance(await ask_to_play(edge, "x"), Started)
    (dead,) = free_ports(1)
    async with fastflv.Server(edge_conf(dead, more="token_traverse on;")) as edge:
        refused = await ask_to_play(edge, "x")
        assert isinstance(refused, Failed) and "no origin answers" in refused.description


@looped
async def test_a_reload_moves_a_stream_to_the_origin_that_it_names():
    async with (
        fastflv.Server(ORIGIN) as first,
        fastflv.Server(ORIGIN) as second,
        fastflv.Server(edge_conf(port_of(first))) as edge,
        filming(first),
        filming(second, size=300),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await viewer.more(3)
        edge.reload(edge_conf(port_of(second)))
        await until(lambda: not players(first) and len(players(second)) == 1)
        await viewer.more(3)


@looped
async def test_a_reload_that_makes_the_vhost_an_origin_ends_what_it_fetches():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as edge,
        filming(origin),
        Viewer(edge, "/live/x.flv") as viewer,
    ):
        await viewer.more(3)
        edge.reload(conf())
        await until(lambda: not players(origin) and not edge.streams)


@pytest.mark.parametrize("protocol", ["rtmps", "flvs"])
def test_origins_are_asked_over_tls_and_their_certificates_verified(tmp_path, monkeypatch, protocol):
    pair = make_pair(tmp_path, "localhost")
    tls = f"key {pair.key}; cert {pair.cert};"
    secure = ORIGIN.replace(
        "http_api", f"rtmps {{ enabled on; listen 127.0.0.1:0; {tls} }}\nhttp_api", 1
    ).replace(
        "http_server { enabled on;",
        f"http_server {{ enabled on; https {{ enabled on; listen 127.0.0.1:0; {tls} }}",
        1,
    )

    @looped
    async def show(status: int) -> None:
        async with fastflv.Server(secure) as origin, filming(origin):
            port = origin.ports("HTTPS" if protocol == "flvs" else "RTMPS")[0]
            text = edge_conf(port, protocol=protocol).replace(f"127.0.0.1:{port}", f"localhost:{port}")
            async with fastflv.Server(text) as edge, Viewer(edge, "/live/x.flv") as viewer:
                assert await viewer.answer() == status
                if status == 200:
                    check_whole(await viewer.more(3))

    monkeypatch.setenv("SSL_CERT_FILE", str(pair.cert))
    tls_context.cache_clear()
    show(200)
    monkeypatch.delenv("SSL_CERT_FILE")
    monkeypatch.setattr("fastflv.limits.FETCH_SECONDS_MIN", 3.0)
    tls_context.cache_clear()
    show(503)
    tls_context.cache_clear()


@pytest.mark.parametrize(
    ("cluster", "says"),
    [
        ("mode remote;", "vhost.cluster.mode makes an edge, but there is no origin"),
        ("mode remote; origin a:b;", "vhost.cluster.origin cannot be 'a:b'; write host or host:port"),
        ("mode remote; origin rtmp://a;", "vhost.cluster.origin cannot be 'rtmp://a'"),
    ],
)
@looped
async def test_an_edge_without_an_origin_is_refused_at_its_line(cluster, says):
    async with fastflv.Server(conf()) as server:
        with pytest.raises(fastflv.ConfigError) as raised:
            server.reload(f"listen 127.0.0.1:0;\nvhost __defaultVhost__ {{ cluster {{ {cluster} }} }}\n")
        assert "<text>:2" in str(raised.value) and says in str(raised.value)
