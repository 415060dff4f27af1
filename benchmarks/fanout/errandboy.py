"""Begins recordings, asks for clips and files at a steady rate: `errandboy HTTP_PORT API_PORT STREAMS`.

Prints {"event":"begun"} when all is recorded; a line on stdin ends it, and it prints what it did.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

CLIPS_PER_SECOND, SMALL_PER_SECOND, LARGE_BYTES_PER_SECOND = 20, 200, 20e6
BLOCK = 1 << 18


def ask(port: int, method: str, path: str, *, rate: float = 0.0, until: threading.Event | None = None) -> int:
    """Return how many bytes came; *rate*: how fast they are read, bytes/s. Raises OSError for another answer than 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status} {answer.read(200)!r}")
        got, begun = 0, time.monotonic()
        while data := answer.read(BLOCK):
            got += len(data)
            if until is not None and until.is_set():
                break
            if rate:
                time.sleep(max(begun + got / rate - time.monotonic(), 0))
        return got
    finally:
        connection.close()


def main() -> None:
    """Run until stdin has a line."""
    http_port, api_port, streams = (int(word) for word in sys.argv[1:])
    ended = threading.Event()
    done: Counter[str] = Counter()
    slowest: Counter[str] = Counter()
    lock = threading.Lock()

    def errand(kind: str, method: Callable[[], int]) -> None:
        begun = time.monotonic()
        try:
            size = method()
        except (OSError, http.client.HTTPException) as error:
            print(error, file=sys.stderr)
            with lock:
                done["failed"] += 1
            return
        with lock:
            done[kind] += 1
            done[f"{kind}_mb"] += size / 1e6  # type: ignore[assignment]
            slowest[kind] = max(slowest[kind], round(1000 * (time.monotonic() - begun)))

    def steadily(kind: str, rate: float, path: Callable[[int], str], share: int, of: int) -> None:
        begun = time.monotonic()
        number = share
        while not ended.wait(max(begun + number / rate - time.monotonic(), 0)):
            errand(kind, partial(ask, http_port, "GET", path(number)))
            number += of

    def download() -> None:
        while not ended.is_set():
            errand(
                "large", lambda: ask(http_port, "GET", "/large.mp4", rate=LARGE_BYTES_PER_SECOND, until=ended)
            )

    def clip(number: int) -> str:
        return f"/clip/live/livestream{number % streams}.{('flv', 'mp4', 'ts')[number % 3]}?from=-11&to=-1"

    for number in range(streams):
        ask(api_port, "POST", f"/flv/record/start/live/livestream{number}")
    jobs = [threading.Thread(target=download)]
    jobs += [
        threading.Thread(target=steadily, args=("clips", CLIPS_PER_SECOND, clip, share, 4))
        for share in range(4)
    ]
    jobs += [
        threading.Thread(
            target=steadily,
            args=("small", SMALL_PER_SECOND, lambda number: f"/{number % 100}.html", share, 2),
        )
        for share in range(2)
    ]
    for job in jobs:
        job.start()
    print(json.dumps({"event": "begun"}), flush=True)
    sys.stdin.readline()
    ended.set()
    for job in jobs:
        job.join()
    figures = {"failed": 0, **{key: round(value, 1) for key, value in done.items()}}
    figures |= {f"{kind}_slowest_ms": value for kind, value in slowest.items()}
    print(json.dumps({"event": "done", **figures}), flush=True)


if __name__ == "__main__":
    main()
