"""What `fastflv top` makes of the answers of the API."""

from __future__ import annotations

from typing import Any

import pytest

from fastflv import limits
from fastflv.errors import ToolError
from fastflv.tools.overview import Api, take_look
from fastflv.tools.top import text_of


class Answers(Api):
    """An API of *streams* streams, each with a publisher and two players."""

    def __init__(self, streams: int) -> None:
        super().__init__("http://127.0.0.1:1985")
        self.streams = streams
        self.frames = 0
        self.asked: list[str] = []

    def ask(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        name, _, query = path.partition("?")
        if name == "summaries":
            return {
                "data": {"self": {"version": "1", "srs_uptime": 3725, "cpu_percent": 0.5, "mem_kbyte": 2048}}
            }
        start, count = (int(word.partition("=")[2]) for word in query.split("&"))
        make = self._stream if name == "streams" else self._client
        total = self.streams * (1 if name == "streams" else 3)
        return {name: [make(number) for number in range(start, min(start + count, total))], "total": total}

    def _stream(self, number: int) -> dict[str, Any]:
        return {
            "id": f"s{number}",
            "url": f"/live/{number}\x1b[2J",
            "clients": 3,
            "publish": {"active": True, "state": "live"},
            "kbps": {"recv_30s": 500, "send_30s": 1000},
            "video_frames": self.frames,
        }

    def _client(self, number: int) -> dict[str, Any]:
        stream, place = divmod(number, 3)
        client = {
            "id": f"c{number}",
            "ip": "::1",
            "url": "/live/0",
            "stream": f"s{stream}",
            "type": "flv-play",
        }
        return client | ({"publish": True} if place == 0 else {"lag_ms": 100 * number * (place - 1)})


def test_lists_are_asked_for_page_by_page_and_are_bounded():
    api = Answers(3000)
    look = take_look(api)
    assert (len(look.streams), look.streams_total, look.clients_total) == (limits.TOP_STREAMS_MAX, 3000, 9000)
    assert len(api.asked) == 1 + limits.TOP_STREAMS_MAX // 500 + limits.TOP_CLIENTS_MAX // 500


def test_players_lag_and_frames_a_second_are_those_of_the_stream():
    api = Answers(2)
    before = take_look(api)
    assert before.streams[0]["frame_rate"] is None
    api.frames, before.at = 50, before.at - 2.0
    look = take_look(api, before)
    first = look.streams[0]
    assert (first["players"], first["lagging"], first["lag_ms"]) == (2, 1, 200)
    assert first["frame_rate"] == pytest.approx(25, rel=0.1)
    assert [row["lag_ms"] for row in look.players] == [500, 200]
    text = text_of(look)
    assert "up 1:02:05; 2 streams, 6 clients, 2 lag" in text
    assert r"/live/0\x1b[2J" in text and "\x1b" not in text
    assert look.as_json()["streams"][1]["url"] == "/live/1\x1b[2J"


@pytest.mark.parametrize("url", ["ftp://a", "http://", "http://a:b", "http://u:p@["])
def test_what_is_no_url_of_an_api_is_refused(url):
    with pytest.raises(ToolError, match="write http://HOST:1985"):
        Api(url)


def test_the_port_and_the_scheme_may_stand_alone():
    assert Api("live.example:1985").url == "http://live.example:1985"
    assert Api("2985").url == "http://127.0.0.1:2985"
    assert Api("https://me:a%40b@live.example/").url == "https://live.example"
