"""What the HLS viewers of the benchmark make of a server's answers."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

import pytest

from benchmarks.fanout.errors import BenchError
from benchmarks.hls.viewers import ask, length_of, names_in


def test_the_length_of_an_answer_is_read_from_its_head():
    assert length_of(b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 12") == 12


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 404 Not Found\r\nContent-Length: 12", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"],
)
def test_answers_that_cannot_be_counted_end_the_run(head):
    with pytest.raises(BenchError):
        length_of(head)


def test_the_urls_of_a_playlist_are_its_lines_without_a_tag():
    assert names_in(b"#EXTM3U\n#EXTINF:2.0,\na-1.ts\n\n#EXTINF:2.0,\na-2.ts?x=1\n") == [
        "a-1.ts",
        "a-2.ts?x=1",
    ]


def test_each_viewer_asks_for_its_paths_in_turn_and_answers_are_counted():
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        # The viewer leaves without reading its last answer.
        with suppress(ConnectionError), listener, listener.accept()[0] as peer:
            while data := peer.recv(4096):
                asked.append(data.split()[1])
                peer.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")
                peer.sendall(b"cde")

    thread = threading.Thread(target=serve)
    thread.start()
    answers, size = ask(listener.getsockname()[1], [["/1.ts", "/2.ts"]], 0.3)
    thread.join(10)
    assert answers > 0
    assert 0 <= size - 5 * answers < 5
    assert asked[:3] == [b"/1.ts", b"/2.ts", b"/1.ts"]
