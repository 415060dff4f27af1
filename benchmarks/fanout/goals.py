"""The figures to reach, and whether a run reaches them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.fanout.session import Measured

Runs = Sequence[Measured]


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure of one scenario against its limit."""

    scenario: str
    what: str
    value: float | None
    "None: not measured, because a server was not part of the run."

    limit: float
    unit: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the value keeps the limit; None when it was not measured."""
        return None if self.value is None else self.value <= self.limit

    @property
    def verdict(self) -> str:
        """`met`, `missed` or `not measured`."""
        return {True: "met", False: "missed", None: "not measured"}[self.met]

    def line(self) -> str:
        """Return the goal as one line of text."""
        shown = "-" if self.value is None else f"{self.value:.2f}{self.unit}"
        return f"{self.scenario}: {self.what}: {shown} (goal <= {self.limit:g}{self.unit}) {self.verdict}"

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "scenario": self.scenario,
            "what": self.what,
            "value": self.value,
            "limit": self.limit,
            "unit": self.unit,
            "verdict": self.verdict,
        }


def of(runs: Runs, server: str) -> list[Measured]:
    """Return the runs of one server, in the order of the rounds."""
    return [m for m in runs if m.server == server]


def middle(runs: Runs, server: str, figure: Callable[[Measured], float]) -> float | None:
    """Return the median of a figure over the rounds."""
    found = [figure(m) for m in of(runs, server)]
    return median(found) if found else None


def ratio(
    runs: Runs, server: str, other: str, figure: Callable[[Measured], float] = lambda m: m.cpu
) -> float | None:
    """Return the median over the rounds of one server's figure by the other's in the same round."""
    pairs = [(figure(a), figure(b)) for a, b in zip(of(runs, server), of(runs, other), strict=False)]
    found = [a / b for a, b in pairs if b]
    return median(found) if found else None


def fan_out_goals(srs_limit: float, floor_limit: float = 1.3) -> Callable[[str, Runs], list[Goal]]:
    """CPU by SRS and by the floor."""

    def judge(scenario: str, runs: Runs) -> list[Goal]:
        return [
            Goal(scenario, "CPU fastflv / srs", ratio(runs, "fastflv", "srs"), srs_limit),
            Goal(scenario, "CPU fastflv / floor", ratio(runs, "fastflv", "floor"), floor_limit),
        ]

    return judge


def frame_goals(scenario: str, runs: Runs) -> list[Goal]:
    """A frame goes out as it arrives, against SRS at 10 ms."""
    return [
        Goal(scenario, "CPU fastflv / srs at 10 ms", ratio(runs, "fastflv", "srs"), 0.65),
        Goal(scenario, "delay p50", middle(runs, "fastflv", lambda m: m.p50), 8, " ms"),
        Goal(scenario, "delay p99", middle(runs, "fastflv", lambda m: m.p99), 25, " ms"),
    ]


def auto_goals(scenario: str, runs: Runs) -> list[Goal]:
    """`mw_latency auto`: at once with few players; with many the CPU of 350 ms, or at most 100 ms."""
    if scenario == "auto10":
        return [Goal(scenario, "delay p50", middle(runs, "fastflv", lambda m: m.p50), 3, " ms")]
    if scenario != "auto3000":
        return []
    delay = Goal(scenario, "delay p99", middle(runs, "fastflv", lambda m: m.p99), 100, " ms")
    cpu = Goal(scenario, "CPU / CPU at 350 ms", ratio(runs, "fastflv", "fastflv 350"), 1.1)
    # Either will do: the one that is met is shown.
    return [delay if delay.met else cpu]


def full_rate_shortfall(published: float) -> Callable[[Measured], float]:
    """Return a figure: percent by which the slowest player is below the published rate."""

    def figure(m: Measured) -> float:
        return max(0.0, 100 - 100 * m.rate_min / published) if m.flowing >= m.players else 100.0

    return figure


def many_goals(published: float) -> Callable[[str, Runs], list[Goal]]:
    """Ten thousand players on one core."""

    def judge(scenario: str, runs: Runs) -> list[Goal]:
        shortfall = middle(runs, "fastflv", full_rate_shortfall(published))
        return [
            Goal(scenario, "CPU", middle(runs, "fastflv", lambda m: m.cpu), 100, " %"),
            Goal(scenario, "CPU fastflv / floor", ratio(runs, "fastflv", "floor"), 1.3),
            # One keyframe at the edge of a ten-second window is 4 % of its bytes.
            Goal(scenario, "slowest player below full rate", shortfall, 8, " %"),
            Goal(scenario, "frames missing", middle(runs, "fastflv", lambda m: m.missing), 0),
            Goal(scenario, "delay p99", middle(runs, "fastflv", lambda m: m.p99), 120, " ms"),
        ]

    return judge


def storm_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Joins are quick, and the players that were there do not notice."""

    def disturbance(m: Measured) -> float:
        return m.p99 - m.extra["calm_p99"]

    return [
        Goal(
            scenario,
            "first keyframe p99",
            middle(runs, "fastflv", lambda m: m.extra["first_keyframe_p99"]),
            30,
            " ms",
        ),
        Goal(scenario, "joins failed", middle(runs, "fastflv", lambda m: m.extra["joins_failed"]), 0),
        Goal(scenario, "others' delay p99 more than before", middle(runs, "fastflv", disturbance), 20, " ms"),
        Goal(scenario, "others' frames missing", middle(runs, "fastflv", lambda m: m.missing), 0),
    ]


def thread_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Two sender threads share evenly and cost no more."""
    return [
        Goal(
            scenario,
            "difference between the two sender threads",
            middle(runs, "fastflv x2", lambda m: m.extra["imbalance"]),
            10,
            " %",
        ),
        Goal(scenario, "CPU of two threads / one", ratio(runs, "fastflv x2", "fastflv x1"), 1.1),
    ]


def memory_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Resident memory a player, and of one that never reads."""
    return [
        Goal(
            scenario,
            "RSS per player",
            middle(runs, "fastflv", lambda m: m.extra["kb_per_player"]),
            4,
            " KB",
        ),
        Goal(
            scenario,
            "RSS per player that never reads",
            middle(runs, "fastflv", lambda m: m.extra["kb_per_idle_player"]),
            4,
            " KB",
        ),
    ]


def publisher_goals(scenario: str, runs: Runs) -> list[Goal]:
    """A hundred publishers cost no more than with SRS."""
    return [
        Goal(scenario, "CPU fastflv / srs", ratio(runs, "fastflv", "srs"), 1.0),
        Goal(scenario, "RSS fastflv / srs", ratio(runs, "fastflv", "srs", lambda m: float(m.rss)), 1.0),
    ]


def crowd_goals(cpu: float, rss_mib: float) -> Callable[[str, Runs], list[Goal]]:
    """Many publishers without players."""

    def judge(scenario: str, runs: Runs) -> list[Goal]:
        return [
            Goal(scenario, "CPU", middle(runs, "fastflv", lambda m: m.cpu), cpu, " %"),
            Goal(scenario, "RSS", middle(runs, "fastflv", lambda m: m.rss / 1024), rss_mib, " MiB"),
        ]

    return judge


def wall_goals(cpu: float, memory: float, p99_ms: float = 0) -> Callable[[str, Runs], list[Goal]]:
    """Many streams with few players each, beside ZLMediaKit; *p99_ms*: of the delay, 0 asks nothing."""

    def judge(scenario: str, runs: Runs) -> list[Goal]:
        found = [
            Goal(scenario, "CPU fastflv / zlm", served_ratio(runs, "fastflv", "zlm"), cpu),
            Goal(
                scenario,
                "RSS fastflv / zlm",
                ratio(runs, "fastflv", "zlm", lambda m: float(m.rss)),
                memory,
            ),
            Goal(scenario, "frames missing, players lost", middle(runs, "fastflv", _lost), 0),
        ]
        if p99_ms:
            found.append(Goal(scenario, "delay p99", middle(runs, "fastflv", lambda m: m.p99), p99_ms, " ms"))
        return found

    return judge


def fat_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Where bytes are the work: little more than a bare send loop."""
    return [
        Goal(scenario, "CPU fastflv / floor", served_ratio(runs, "fastflv", "floor"), 1.2),
        Goal(scenario, "CPU fastflv / srs", served_ratio(runs, "fastflv", "srs"), 0.7),
        Goal(scenario, "frames missing, players lost", middle(runs, "fastflv", _lost), 0),
    ]


def first_byte_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Joins at the default window."""
    first = middle(runs, "fastflv", lambda m: m.extra["first_byte_p99"])
    return [Goal(scenario, "first body byte p99", first, 20, " ms"), *storm_goals(scenario, runs)[1:]]


def admission_goals(scenario: str, runs: Runs) -> list[Goal]:
    """A thousand joins a second: hooks keep up, and tokens cost a twentieth of a core."""
    pairs = zip(of(runs, "fastflv"), of(runs, "fastflv HS256"), strict=False)
    more = [token.cpu - plain.cpu for plain, token in pairs]
    hook = "fastflv hook"
    return [
        Goal(scenario, "joins failed, with hooks", middle(runs, hook, lambda m: m.extra["joins_failed"]), 0),
        Goal(
            scenario,
            "first keyframe p99, with hooks",
            middle(runs, hook, lambda m: m.extra["first_keyframe_p99"]),
            100,
            " ms",
        ),
        Goal(scenario, "CPU of the tokens", median(more) if more else None, 5, " % of a core"),
    ]


def recording_goals(scenario: str, runs: Runs) -> list[Goal]:
    """A hundred recordings cost a tenth of a core, and all together less than with SRS."""
    pairs = zip(of(runs, "fastflv"), of(runs, "fastflv recording"), strict=False)
    more = [recorded.cpu - plain.cpu for plain, recorded in pairs]
    return [
        Goal(scenario, "CPU of the recordings", median(more) if more else None, 10, " % of a core"),
        Goal(scenario, "CPU fastflv / srs", ratio(runs, "fastflv recording", "srs recording"), 1.0),
    ]


def busy_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Files, recordings and clips do not disturb players."""

    def later(m: Measured) -> float:
        return 100 * (m.p99 / m.extra["calm_p99"] - 1)

    return [
        Goal(scenario, "delay p99 more than in calm", middle(runs, "fastflv", later), 10, " %"),
        Goal(scenario, "frames missing, players lost", middle(runs, "fastflv", _lost), 0),
        Goal(scenario, "errands that failed", middle(runs, "fastflv", lambda m: m.extra["failed"]), 0),
    ]


def _lost(m: Measured) -> float:
    """Return what parsed players missed, and how many players were not served."""
    return m.missing + max(0, m.players - m.flowing)


def served_ratio(runs: Runs, server: str, other: str) -> float | None:
    """Return the ratio of CPU; None when the server left players without media: little CPU is no merit then."""
    if any(m.flowing < m.players for m in of(runs, server)):
        return None
    return ratio(runs, server, other)


def beside_flv_goals(protocol: str, limit: float) -> Callable[[str, Runs], list[Goal]]:
    """Another output costs little more than HTTP-FLV."""
    label = f"fastflv {protocol}"

    def judge(scenario: str, runs: Runs) -> list[Goal]:
        return [
            Goal(scenario, f"CPU {label} / fastflv flv", served_ratio(runs, label, "fastflv flv"), limit),
            Goal(scenario, "frames missing, players lost", middle(runs, label, _lost), 0),
        ]

    return judge


def https_goals(scenario: str, runs: Runs) -> list[Goal]:
    """TLS costs a fraction of what it costs SRS, and joins with a handshake each are quick."""
    keyframe = middle(runs, "fastflv https", lambda m: m.extra["first_keyframe_p99"])
    failed = middle(runs, "fastflv https", lambda m: m.extra["joins_failed"])
    return [
        Goal(scenario, "CPU fastflv / srs", served_ratio(runs, "fastflv https", "srs https"), 0.30),
        Goal(scenario, "first keyframe p99", keyframe, 300, " ms"),
        Goal(scenario, "joins failed", failed, 0),
        Goal(scenario, "frames missing, players lost", middle(runs, "fastflv https", _lost), 0),
    ]


def edge_goals(scenario: str, runs: Runs) -> list[Goal]:
    """An edge costs what an origin does."""
    edge = "fastflv edge"
    return [
        Goal(scenario, "CPU edge / origin", served_ratio(runs, edge, "fastflv"), 1.1),
        Goal(scenario, "frames missing, players lost", middle(runs, edge, _lost), 0),
    ]


def hop_goals(scenario: str, runs: Runs) -> list[Goal]:
    """What an edge adds to the delay."""
    pairs = list(zip(of(runs, "fastflv"), of(runs, "fastflv edge"), strict=False))
    halves, worst = ([getattr(b, name) - getattr(a, name) for a, b in pairs] for name in ("p50", "p99"))
    return [
        Goal(scenario, "delay p50 more than at the origin", median(halves) if pairs else None, 20, " ms"),
        Goal(scenario, "delay p99 more than at the origin", median(worst) if pairs else None, 60, " ms"),
        Goal(scenario, "frames missing, players lost", middle(runs, "fastflv edge", _lost), 0),
    ]


def worker_goals(scenario: str, runs: Runs) -> list[Goal]:
    """Two workers carry 1.9 times the players of one server, at the CPU of that one each."""
    two = "fastflv 2 workers"
    return [
        Goal(
            scenario,
            "CPU of each of two / of one with half of the players",
            served_ratio(runs, two, "fastflv"),
            2 / 1.9,
        ),
        Goal(scenario, "frames missing, players lost", middle(runs, two, _lost), 0),
    ]


def h2_goals(scenario: str, runs: Runs) -> list[Goal]:
    """HTTP/2 costs little more than HTTP/1.1 over TLS."""
    return [
        Goal(scenario, "CPU h2 / https", served_ratio(runs, "fastflv h2", "fastflv https"), 1.25),
        Goal(scenario, "frames missing, players lost", middle(runs, "fastflv h2", _lost), 0),
    ]


def rtmp_goals(scenario: str, runs: Runs) -> list[Goal]:
    """RTMP players cost a fraction of what they cost SRS."""
    return [
        Goal(scenario, "CPU fastflv / srs", served_ratio(runs, "fastflv rtmp", "srs rtmp"), 0.4),
        Goal(scenario, "frames missing, players lost", middle(runs, "fastflv rtmp", _lost), 0),
    ]


def hundred_goals(scenario: str, runs: Runs) -> list[Goal]:
    """A hundred players are nothing."""
    return [Goal(scenario, "CPU", middle(runs, "fastflv", lambda m: m.cpu), 3, " %")]
