"""FLV to MPEG-TS in process beside `ffmpeg -c copy -f mpegts` on one clip. Run: `pytest benchmarks/micro --benchmark-only`.

MB/s are of FLV taken in. ffmpeg's start is taken out: its rate is that of the bytes which a long clip has more than a
short one. It counts by the wall clock (ffmpeg reads and writes in several threads) or by its CPU time (on a busy
machine), whichever is kinder to it; fastflv's counts by the wall clock.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.fanout import clip, native
from benchmarks.fanout.errors import BenchError
from fastflv.containers.mpegts import mux

LOOPS = 24  # of the clip's 20 s: some 30 MB
ROUNDS = 5
GOAL = 3.0  # times ffmpeg's MB/s
PACKET = 188
GROUP = "FLV to MPEG-TS"


@dataclass(frozen=True)
class Rate:
    """What ffmpeg does, MB of FLV a second."""

    wall: float
    cpu: float
    "By the CPU time of all its threads."

    @property
    def best(self) -> float:
        """The higher one."""
        return max(self.wall, self.cpu)


def remux(source: Path, target: str = "/dev/null", container: str = "mpegts", loops: int = 1) -> None:
    """Copy all streams into another container."""
    command = [clip.ffmpeg_path(), "-v", "error", "-nostdin", "-y", "-stream_loop", str(loops - 1), "-i"]
    command += [str(source), "-map", "0", "-c", "copy", "-f", container, target]
    subprocess.run(command, check=True)


def cost(work: Callable[[], None]) -> tuple[float, float]:
    """Return wall clock and children's CPU of a call, seconds."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    work()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@pytest.fixture(scope="module")
def short() -> Path:
    try:
        return clip.cached(native.cache_dir()).path
    except BenchError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def long(short: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "long.flv"
    remux(short, str(path), "flv", LOOPS)
    return path


@pytest.fixture(scope="module")
def ffmpeg_rate(short: Path, long: Path) -> Rate:
    """The medians over rounds, long and short clip in turn."""
    pairs = [(cost(lambda: remux(long)), cost(lambda: remux(short))) for _ in range(ROUNDS)]
    size = (long.stat().st_size - short.stat().st_size) / 1e6
    wall, cpu = (median(many[i] - few[i] for many, few in pairs) for i in (0, 1))
    return Rate(size / wall, size / cpu)


def frames(path: Path) -> Counter[str]:
    """Return the frames of each stream, as ffmpeg reads them."""
    command = [clip.ffmpeg_path(), "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v", "-map", "0:a"]
    listed = subprocess.run(
        [*command, "-c", "copy", "-f", "framecrc", "-"], check=True, capture_output=True, text=True
    )
    return Counter(line.split(",")[0] for line in listed.stdout.splitlines() if line[0] != "#")


def test_ffmpeg_ts_mux(benchmark: BenchmarkFixture, long: Path, ffmpeg_rate: Rate) -> None:
    benchmark.group = GROUP
    benchmark.pedantic(lambda: remux(long), rounds=ROUNDS)
    benchmark.extra_info["MB/s"] = round(ffmpeg_rate.best)


def test_ts_mux(benchmark: BenchmarkFixture, long: Path, ffmpeg_rate: Rate, tmp_path: Path) -> None:
    benchmark.group = GROUP
    data = long.read_bytes()
    made = benchmark.pedantic(mux, (data,), rounds=ROUNDS, warmup_rounds=1)
    assert len(made) % PACKET == 0
    assert set(made[::PACKET]) == {0x47}
    path = tmp_path / "made.ts"
    path.write_bytes(made)
    assert frames(path) == frames(long)
    rate = len(data) / benchmark.stats.stats.median / 1e6
    benchmark.extra_info["MB/s"] = round(rate)
    times = rate / ffmpeg_rate.best
    benchmark.extra_info["times ffmpeg"] = round(times, 2)
    assert times >= GOAL, f"{rate:.0f} MB/s, ffmpeg {ffmpeg_rate.best:.0f}: {times:.1f} times, goal {GOAL:g}"
