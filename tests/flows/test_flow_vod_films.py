"""Parts of real films from 200 random bytes and 200 random times of each: every answer plays from its first frame."""

from __future__ import annotations

import http.client
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import clip
import pytest
from flvread import VIDEO, FlvReader, media, read_flv
from server import HOST, Server, vhost_text
from vodsite import complaint

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
POSITIONS = 200
LARGE_BYTES = 300_000_000
BEGIN_BYTES = 4_000_000
"Of a long answer, what is decoded: some seconds."


def make_large(path: Path, *words: str) -> float:
    """Make a film of LARGE_BYTES; return its seconds."""
    piece = path.with_suffix(".piece.flv")
    source = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=1280x720:rate=25",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440",
    ]
    coded = ["-c:v", *clip.X264.split(), "-b:v", "8M", "-c:a", "aac", "-t", "10", "-f", "flv", str(piece)]
    subprocess.run([clip.ffmpeg(), "-v", "error", "-y", *source, *coded], check=True, timeout=300)
    rounds = LARGE_BYTES // piece.stat().st_size + 1
    looped = ["-stream_loop", str(rounds), "-i", str(piece), "-c", "copy", *words, "-f", "flv", str(path)]
    subprocess.run([clip.ffmpeg(), "-v", "error", "-y", *looped], check=True, timeout=300)
    piece.unlink()
    return 10.0 * (rounds + 1)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The folder, and the seconds of each film in it."""
    folder = tmp_path_factory.mktemp("films")
    seconds = {}
    for path in sorted(MEDIA.glob("*.flv")):
        shutil.copy(path, folder)
        seconds[path.name] = media(read_flv(path.read_bytes()).tags)[-1].time / 1000
    seconds["large.flv"] = make_large(folder / "large.flv")
    seconds["listed.flv"] = make_large(folder / "listed.flv", "-flvflags", "add_keyframe_index")
    return folder, seconds


@pytest.fixture(scope="module")
def server(serve: Callable[..., Server], films: tuple[Path, dict[str, float]]) -> Server:
    return serve(vhost_text(), web=f"dir {films[0]};")


def begin_of(server: Server, path: str) -> tuple[bytes, FlvReader, float]:
    """Return the first whole tags of an answer, and the seconds until its head came."""
    asked = time.monotonic()
    made = http.client.HTTPConnection(HOST, server.http, timeout=120)
    made.request("GET", path)
    answer = made.getresponse()
    took = time.monotonic() - asked
    assert answer.status == 200, (path, answer.status)
    size = int(answer.headers["Content-Length"])
    data = answer.read(min(size, BEGIN_BYTES))
    made.close()
    reader = FlvReader()
    reader.feed(data)
    whole = 13 + sum(15 + len(tag.body) for tag in reader.tags)
    assert size > BEGIN_BYTES or whole == size, path
    return data[:whole], reader, took


def test_random_positions_of_films_play_from_their_first_frame(
    server: Server, films: tuple[Path, dict[str, float]]
) -> None:
    chance = random.Random(2)
    folder, lengths = films
    for name, seconds in lengths.items():
        size = (folder / name).stat().st_size
        asked = [f"/{name}?start={chance.randrange(1, size)}" for _ in range(POSITIONS)]
        asked += [f"/{name}?start={chance.uniform(0, seconds - 0.2):.3f}s" for _ in range(POSITIONS)]
        waits = []

        def check(path: str, waits: list[float] = waits) -> None:
            data, reader, took = begin_of(server, path)
            frames = media(reader.tags)
            assert frames[0].kind == VIDEO and frames[0].is_key, path
            said = complaint(data, "flv")
            assert not said, (path, said)
            waits.append(took)

        begun = server.cpu()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(check, asked))
        spent = server.cpu() - begun
        waits.sort()
        print(
            f"\n{name}: {size / 1e6:.1f} MB, {seconds:.0f} s, {len(waits)} of {2 * POSITIONS} positions play; until the head "
            f"{1000 * waits[len(waits) // 2]:.1f} ms (median), {1000 * waits[-1]:.0f} ms (most); {spent:.1f} s of CPU"
        )
        assert len(waits) == 2 * POSITIONS
