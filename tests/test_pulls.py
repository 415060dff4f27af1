"""Edges that fetch streams from origins: all of them servers in the loop of the test."""

from __future__ import annotations

import asyncio

import pytest
from chain import api
from edgesite import ORIGIN, ask_to_play, edge_conf, filming, players, port_of
from embedded import looped
from model.loop import until
from viewer import Viewer, check_whole

import fastflv
from fastflv import limits
from fastflv.protocols.rtmp.clientevents import Started


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_the_first_viewer_makes_the_edge_fetch_once_and_the_last_one_ends_that(protocol):
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin, protocol), protocol=protocol)) as edge,
        filming(origin, name="live/x.y"),
    ):
        assert not edge.streams and not players(origin)
        async with Viewer(edge, "/live/x.y.flv") as one, Viewer(edge, "/live/x.y.flv?token=a.b") as two:
            check_whole(await one.more(40))
            check_whole(await two.more(40))
            assert len(players(origin)) == 1
        await until(lambda: not players(origin) and not edge.streams)


@looped
async def test_a_viewer_who_comes_back_within_linger_joins_what_is_there():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin), more="linger 30;")) as edge,
        filming(origin),
    ):
        for _ in range(3):
            async with Viewer(edge, "/live/x.flv") as viewer:
                check_whole(await viewer.more(3))
            await until(lambda: not players(edge))
        assert len(players(origin)) == 1


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_a_stream_that_no_origin_has_is_404_and_asked_for_once(protocol):
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin, protocol), protocol=protocol)) as edge,
    ):
        for _ in range(5):
            async with Viewer(edge, "/live/none.flv") as viewer:
                assert await viewer.answer() == 404
        assert not edge.streams


@looped
async def test_an_origin_gives_the_stream_of_the_exact_name_first_and_name_flv_where_there_is_none():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as edge,
        filming(origin),
    ):
        async with Viewer(edge, "/live/x.flv.flv") as viewer:
            check_whole(await viewer.more(3))
            assert [client.name.stream for client in players(origin)] == ["x"]
        async with (
            filming(origin, name="live/y"),
            filming(origin, name="live/y.flv"),
            Viewer(edge, "/live/y.flv.flv") as viewer,
        ):
            await viewer.more(3)
            assert "y.flv" in [client.name.stream for client in players(origin)]


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_parameters_of_the_first_viewer_reach_the_origin_and_its_choices_do_not(protocol):
    async with fastflv.Server(ORIGIN) as origin:
        asked: list[str] = []

        @origin.on_play
        async def note(request: fastflv.AccessRequest) -> fastflv.Verdict:
            asked.append(request.param)
            return fastflv.ALLOW

        async with (
            fastflv.Server(edge_conf(port_of(origin, protocol), protocol=protocol)) as edge,
            filming(origin),
            Viewer(edge, "/live/x.flv?only=video&token=a.b%20c&start=key&n=1") as viewer,
        ):
            await viewer.more(3)
            assert asked == ["?token=a.b%20c&n=1"]


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_a_redirect_of_an_origin_is_followed_and_an_endless_one_is_not(protocol):
    scheme = "http" if protocol == "flv" else "rtmp"
    end = ".flv" if protocol == "flv" else ""
    async with fastflv.Server(ORIGIN) as first, fastflv.Server(ORIGIN) as second:
        asked = []

        @first.on_play
        async def send_on(request: fastflv.AccessRequest) -> fastflv.Verdict:
            asked.append(request.param)
            there = second if request.stream == "x" else first
            return fastflv.Redirected(
                f"{scheme}://127.0.0.1:{port_of(there, protocol)}/live/{request.stream}{end}?hop=1"
            )

        async with (
            fastflv.Server(edge_conf(port_of(first, protocol), protocol=protocol)) as edge,
            filming(second),
        ):
            async with Viewer(edge, "/live/x.flv") as viewer:
                check_whole(await viewer.more(3))
            asked.clear()
            async with Viewer(edge, "/live/circle.flv") as viewer:
                assert await viewer.answer() == 503
            assert len(asked) == 1 + limits.UPSTREAM_REDIRECTS_MAX


@looped
async def test_a_viewer_whom_the_origin_refuses_is_403_and_the_next_ones_parameters_count():
    both = asyncio.Event()
    async with fastflv.Server(ORIGIN) as origin:

        @origin.on_play
        async def judge(request: fastflv.AccessRequest) -> fastflv.Verdict:
            await both.wait()
            return fastflv.ALLOW if "good" in request.param else fastflv.forbid("a bad token")

        edge = fastflv.Server(edge_conf(port_of(origin)))
        asked = []

        @edge.on_play
        async def count(request: fastflv.AccessRequest) -> fastflv.Verdict:
            asked.append(request)
            if len(asked) == 2:
                asyncio.get_running_loop().call_soon(both.set)
            return fastflv.ALLOW

        async with edge, filming(origin), Viewer(edge, "/live/x.flv?token=bad") as bad:
            await until(lambda: len(asked) == 1)
            async with Viewer(edge, "/live/x.flv?token=good") as good:
                check_whole(await good.more(3))
                assert await bad.answer() == 403


@looped
async def test_a_viewer_of_another_protocol_is_not_refused_with_the_one_for_whom_the_origin_was_asked():
    both = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As an origin that is played over RTMP alone."""
        head = await reader.read(65536)
        if head.startswith(b"GET"):
            await both.wait()
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            writer.close()
            return
        there, onward = await asyncio.open_connection("127.0.0.1", port_of(origin))
        onward.write(head)
        back = asyncio.ensure_future(pass_on(there, writer))
        await pass_on(reader, onward)
        back.cancel()
        for each in (onward, writer):
            each.close()

    async with fastflv.Server(ORIGIN) as origin, await asyncio.start_server(serve, "127.0.0.1", 0) as site:
        port = site.sockets[0].getsockname()[1]
        text = edge_conf(port, protocol="flv", more="follow_client on;")
        text = text.replace("enabled off;", "enabled on; listen 127.0.0.1:0;", 1)
        async with fastflv.Server(text) as edge, filming(origin), Viewer(edge, "/live/x.flv") as refused:

            async def waiting() -> int:
                return sum(row["waiting"] for row in (await api(edge, "pulls"))["pulls"])

            while await waiting() < 1:
                await asyncio.sleep(0.01)
            other = asyncio.ensure_future(ask_to_play(edge, "x"))
            while await waiting() < 2:
                await asyncio.sleep(0.01)
            both.set()
            assert await refused.answer() == 403
            assert isinstance(await other, Started)


class Closing:
    """An origin that refuses as SRS does: it closes the connection of who has no good token, and serves the others."""

    def __init__(self, origin: fastflv.Server, protocol: str) -> None:
        self.asked = 0
        self._port = port_of(origin, protocol)

    async def __aenter__(self) -> Closing:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *failure: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, origin = await asyncio.open_connection("127.0.0.1", self._port)
        back = asyncio.ensure_future(pass_on(there, writer))
        try:
            head = b""
            while data := await reader.read(65536):
                head += data
                if b"token=bad" in head:
                    self.asked += 1
                    return
                origin.write(data)
        finally:
            back.cancel()
            writer.close()
            origin.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


@pytest.mark.parametrize("protocol", ["rtmp", "flv"])
@looped
async def test_an_origin_that_refuses_by_closing_is_asked_with_the_parameters_of_the_next_viewer(protocol):
    conf = edge_conf(0, protocol=protocol, more="follow_client off;")
    async with fastflv.Server(ORIGIN) as origin, Closing(origin, protocol) as closing:
        text = conf.replace("origin 127.0.0.1:0;", f"origin 127.0.0.1:{closing.port};")
        async with fastflv.Server(text) as edge, filming(origin), Viewer(edge, "/live/x.flv?token=bad1"):
            await until(lambda: closing.asked == 1)
            async with Viewer(edge, "/live/x.flv?token=bad2"), Viewer(edge, "/live/x.flv?token=good") as good:
                check_whole(await good.more(3))


@looped
async def test_viewers_go_on_with_parameters_that_count_when_those_of_the_first_one_do_no_more(caplog):
    async with fastflv.Server(ORIGIN) as origin:
        spent: set[str] = set()

        @origin.on_play
        async def judge(request: fastflv.AccessRequest) -> fastflv.Verdict:
            return fastflv.forbid("spent") if request.param in spent else fastflv.ALLOW

        async with (
            fastflv.Server(edge_conf(port_of(origin))) as edge,
            filming(origin),
            Viewer(edge, "/live/x.flv?token=1") as first,
            Viewer(edge, "/live/x.flv?token=2") as second,
        ):
            await first.more(3)
            await second.more(3)
            spent.add("?token=1")
            origin.disconnect(players(origin)[0].id)
            await second.more(50)
            await first.more(50)
            assert [client.request.param for client in players(origin)] == ["?token=2"]


@looped
async def test_parameters_of_an_rtmp_viewer_reach_an_origin_of_http_whatever_they_hold():
    async with fastflv.Server(ORIGIN) as origin:
        asked: list[str] = []

        @origin.on_play
        async def note(request: fastflv.AccessRequest) -> fastflv.Verdict:
            asked.append(request.query["t"])
            return fastflv.ALLOW

        async with (
            fastflv.Server(edge_conf(port_of(origin, "flv"), protocol="flv")) as edge,
            filming(origin),
        ):
            assert isinstance(await ask_to_play(edge, "x?t=100% \u20ac HTTP/1.0"), Started)
            await until(lambda: asked)
            assert set(asked) == {"100% \u20ac HTTP/1.0"}
            async with Viewer(edge, "/live/x.flv?t=1") as viewer:
                await viewer.more(1)


@pytest.mark.parametrize("output", ["flv", "ts", "ws", "m3u8", "rtmp"])
@looped
async def test_the_first_viewer_of_any_output_makes_the_edge_fetch(output):
    more = "hls { enabled on; hls_fragment 1; }"
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(
            edge_conf(port_of(origin), vhost=more).replace(
                "on_missing 0; }",
                "on_missing 0; mount [vhost]/[app]/[stream].flv [vhost]/[app]/[stream].ts; }",
                1,
            )
        ) as edge,
        filming(origin),
    ):
        if output == "rtmp":
            assert isinstance(await ask_to_play(edge, "x"), Started)
        else:
            upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
            path = f"/live/x.{'flv' if output == 'ws' else output}"
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(edge, "flv"))
            writer.write(
                f"GET {path} HTTP/1.1\r\nHost: a\r\n{upgrade if output == 'ws' else ''}\r\n".encode()
            )
            status = (await reader.readuntil(b"\r\n")).split()[1]
            assert status == (b"101" if output == "ws" else b"200")
            writer.close()
        assert len(players(origin)) == 1


@looped
async def test_a_reader_of_the_program_makes_the_edge_fetch_until_it_is_closed():
    async with (
        fastflv.Server(ORIGIN) as origin,
        fastflv.Server(edge_conf(port_of(origin))) as edge,
        edge.stream("live/x") as reader,
    ):
        # Nobody publishes it yet.
        waiting = asyncio.ensure_future(anext(reader))
        await asyncio.sleep(0)
        async with filming(origin):
            await waiting
            for _ in range(20):
                await anext(reader)
            assert len(players(origin)) == 1
            reader.close()
            await until(lambda: not players(origin) and not edge.streams)
