"""What viewers have seen of a fault, as figures and as a table."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from film import GOP_SECONDS, Film, gaps
from flvread import AUDIO, VIDEO
from viewers import KINDS, Viewer

PAUSE_SECONDS_MAX: Final = 1.0 + GOP_SECONDS
"Longest interruption of a viewer whose origin is lost."
START_SECONDS_MAX: Final = 2.0
"Longest time to the first picture of a viewer who joins while the fault lasts."
STAMP_MS: Final = 2
"Times of pictures may differ by this from those of the film: HLS and TS round to 1/90 ms, and a joint to 1 ms."


@dataclass
class Figures:
    """What the viewers of one output of one stream have seen."""

    viewers: int = 0
    before: list[float] = field(default_factory=list)
    "Longest pause of each between two pictures before the fault, seconds; of HLS: how late a segment was."
    pauses: list[float] = field(default_factory=list)
    "Likewise from the fault on."
    starts: list[float] = field(default_factory=list)
    "From request to first picture of those who joined while the fault lasted, seconds."
    lost: int = 0
    "Frames of all viewers."
    repeated: int = 0
    jumps: int = 0
    "Steps between the times of two pictures that are not those of the film."
    over: list[str] = field(default_factory=list)
    "Viewers that were disconnected, and why."

    def add(self, viewer: Viewer, film: Film, at: float, until: float) -> None:
        self.viewers += 1
        seen = viewer.seen
        if viewer.over:
            self.over.append(repr(viewer))
        for kind, places in ((VIDEO, seen.pictures), (AUDIO, seen.sounds)):
            lost, again = gaps(places, film.count(kind))
            self.lost += lost
            self.repeated += again
        self.jumps += _jumps(seen.pictures, seen.stamps, film)
        early, late = _pauses(viewer, at, until)
        if viewer.asked < at:
            self.before.append(early)
        else:
            self.starts.append((seen.times[0] if seen.times else until) - viewer.asked)
        self.pauses.append(late)


def _jumps(places: Sequence[int], stamps: Sequence[int], film: Film) -> int:
    found = 0
    for i, place in enumerate(places[:-1]):
        # Where the film begins anew ffmpeg chooses the time.
        if places[i + 1] == place + 1:
            found += abs(stamps[i + 1] - stamps[i] - film.steps[place]) > STAMP_MS
    return found


def _pauses(viewer: Viewer, at: float, until: float) -> tuple[float, float]:
    """Return the longest pause before and after *at*; media that never came again is a pause too."""
    moments = [*((when, length) for when, length in viewer.seen.segments)] or [
        (when, 0.0) for when in viewer.seen.times
    ]
    moments.append((until, 0.0 if not viewer.seen.segments else moments[-1][1] if moments else 0.0))
    early = late = 0.0
    for (former, _), (when, length) in itertools.pairwise(moments):
        pause = max(when - former - length, 0.0)
        if when <= at:
            early = max(early, pause)
        else:
            late = max(late, pause)
    return early, late


@dataclass
class Row:
    """One fault."""

    fault: str
    viewers: int
    moved: int
    "Edges that fetch the shared stream from the other origin afterwards."
    shared: dict[str, Figures]
    "By output."
    other: dict[str, Figures]
    faults: list[str] = field(default_factory=list)
    "What is not as it should be; empty: the bounds hold."


def row_of(
    fault: str, viewers: Iterable[Viewer], film: Film, at: float, until: float, *, shared: str, moved: int
) -> Row:
    """Return what *viewers* have seen of *fault*, which began at *at*; monotonic clock, seconds."""
    row = Row(fault, 0, moved, {kind: Figures() for kind in KINDS}, {kind: Figures() for kind in KINDS})
    for viewer in viewers:
        row.viewers += 1
        found = row.shared if viewer.stream == shared else row.other
        found[viewer.output].add(viewer, film, at, until)
    for name, table, longest in (("shared", row.shared, PAUSE_SECONDS_MAX), ("other", row.other, 1.0)):
        for output, figures in table.items():
            where = f"{output} of the {name} stream"
            if figures.pauses and max(figures.pauses) > longest:
                row.faults.append(f"{where}: a pause of {max(figures.pauses):.2f} s")
            if figures.lost or figures.repeated:
                row.faults.append(f"{where}: {figures.lost} frames lost, {figures.repeated} repeated")
            if figures.starts and max(figures.starts) > START_SECONDS_MAX:
                row.faults.append(f"{where}: a first picture after {max(figures.starts):.2f} s")
            if figures.jumps:
                row.faults.append(f"{where}: {figures.jumps} jumps of time")
            row.faults += [f"disconnected: {each}" for each in figures.over[:5]]
    return row


def touched(row: Row) -> int:
    """How many viewers of the other stream were interrupted."""
    return sum(len(each.over) + sum(pause > 1.0 for pause in each.pauses) for each in row.other.values())


def markdown(rows: Sequence[Row]) -> str:
    """Return the table of all faults so far."""
    head = [
        "fault",
        "viewers",
        *(f"{kind} p50 / max, s" for kind in KINDS),
        "late join max, s",
        "lost",
        "repeated",
        "cut",
        "other touched",
        "verdict",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in rows:
        cells = [row.fault, str(row.viewers)]
        for figures in row.shared.values():
            cells.append(
                f"{median(figures.pauses):.2f} / {max(figures.pauses):.2f}" if figures.pauses else "-"
            )
        tables = [*row.shared.values(), *row.other.values()]
        starts = [start for each in tables for start in each.starts]
        cells.append(f"{max(starts):.2f}" if starts else "-")
        cells += [str(sum(each.lost for each in tables)), str(sum(each.repeated for each in tables))]
        cells += [str(sum(len(each.over) for each in tables)), str(touched(row))]
        lines.append("| " + " | ".join([*cells, "; ".join(row.faults) or "holds"]) + " |")
    return "\n".join(lines) + "\n"


def write(rows: Sequence[Row], folder: Path) -> None:
    """Write `cluster.md` and `cluster.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cluster.md").write_text(markdown(rows))
    told = json.loads(
        json.dumps([asdict(row) for row in rows]), parse_float=lambda word: round(float(word), 3)
    )
    (folder / "cluster.json").write_text(json.dumps(told))
