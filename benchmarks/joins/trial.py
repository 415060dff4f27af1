"""One server, one output, one GOP length: start it, publish to it, let players join, and look at what they received."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.fanout.errors import BenchError
from benchmarks.fanout.processes import Talker, running
from benchmarks.fanout.servers import Server
from benchmarks.fanout.session import Bench, Live, started
from benchmarks.joins import figures
from benchmarks.joins.decode import Decoded, decode
from benchmarks.joins.figures import Join, Sent, percentile

HOLD_MS = 3000  # of a player, from its first keyframe on
PATIENCE = 25.0  # seconds that the last joins may take beyond their hold
NEAR = 3  # frames: as close to the publisher's newest as a live player is
SEED = 4


@dataclass(frozen=True, slots=True)
class Way:
    """A server and how its players start."""

    label: str
    server: Server
    window_ms: int
    extra: str = ""
    "Lines of its play block."


@dataclass(frozen=True, slots=True)
class Trial:
    """The figures of one run. Times in milliseconds."""

    gop: int
    "Seconds between keyframes."

    way: str
    protocol: str
    joins: int
    failed: int
    "Joins that broke a rule, or had no keyframe."

    error: str
    "The first."

    keyframe_p50: float
    keyframe_p99: float
    near: int
    "Joins whose newest frame was within `NEAR` of the publisher's, 500 ms after the request."

    frames_p50: float
    frames_max: float
    live_p50: float
    "What a player at 1x stays behind: figures.Behind.shown."

    live_p99: float
    buffered_p50: float
    "The same with what it holds of pictures that are shown later: figures.Behind.buffered."

    buffered_p99: float
    decoded: Decoded

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def read(log: Path) -> list[Join]:
    """Read what the load client wrote, by number; join 0 was there all the time."""
    found = [Join.of(json.loads(line)) for line in log.read_text().splitlines()]
    return sorted(found, key=lambda j: j.number)


def judged(gop: int, way: str, protocol: str, joins: list[Join], decoded: Decoded) -> Trial:
    """Turn joins into figures."""
    sent = Sent(joins)
    visits = [j for j in joins if j.number > 0]
    keyframes = [t for j in visits if (t := figures.first_keyframe_ms(j)) is not None]
    frames = [float(n) for j in visits if (n := figures.frames_behind(j, sent)) is not None]
    live = [b for j in visits if (b := figures.behind_live(j)) is not None]
    errors = [j.error for j in visits if j.error]
    shown, buffered = [b.shown for b in live], [b.buffered for b in live]
    return Trial(
        gop,
        way,
        protocol,
        len(visits),
        len(errors),
        errors[0] if errors else "",
        percentile(keyframes, 0.5),
        percentile(keyframes, 0.99),
        sum(n <= NEAR for n in frames),
        percentile(frames, 0.5),
        percentile(frames, 1),
        percentile(shown, 0.5),
        percentile(shown, 0.99),
        percentile(buffered, 0.5),
        percentile(buffered, 0.99),
        decoded,
    )


def join_all(bench: Bench, live: Live, joins: int, seconds: float, folder: Path) -> None:
    """Let players come at random moments within *seconds*; what they received is in *folder* afterwards."""
    program = bench.programs["load-tls" if live.settings.protocol == "https" else "load"]
    load = Talker(
        "load client", [str(program), live.url, "0", "0", "1"], bench.client_cores, live.work / "load.log"
    )
    with running(load):
        load.send(f"joins {joins} {seconds} {HOLD_MS} {SEED} {folder}")
        bench.progress.sleep(seconds, f"{joins} joins")
        if load.event("joins", HOLD_MS / 1000 + PATIENCE) is None:
            raise BenchError("the joins did not end")
        live.process.check()


def run(
    bench: Bench,
    way: Way,
    protocol: str,
    gop: int,
    joins: int,
    seconds: float,
    keep: Path | None,
    decoding: bool,
) -> Trial:
    """Do one trial; captures go to *keep* when it is given, else nowhere."""
    with tempfile.TemporaryDirectory(prefix="joins-") as temporary:
        folder = Path(temporary)
        if keep is not None:
            folder = keep / f"gop{gop}-{way.label.replace(' ', '-')}-{protocol}"
            folder.mkdir(parents=True, exist_ok=True)
        options: dict[str, Any] = {"window_ms": way.window_ms, "extra": way.extra, "protocol": protocol}
        with started(bench, way.server, players=joins, warm=gop + 1.0, **options) as live:
            join_all(bench, live, joins, seconds, folder)
        decoded = Decoded()
        if decoding:
            bench.progress.say("decoding")
            decoded = decode(p for p in folder.iterdir() if p.suffix in (".flv", ".ts"))
        trial = judged(gop, way.label, protocol, read(folder / "joins.jsonl"), decoded)
    bench.progress.say(
        f"keyframe p99 {trial.keyframe_p99:.1f} ms, {trial.near}/{trial.joins} near live, "
        f"behind p50 {trial.live_p50:.0f} p99 {trial.live_p99:.0f} ms, decoded {decoded.passthrough}/{decoded.files}"
    )
    return trial
