"""What a reload did, or would do: the differences between two configurations, or the problems that refuse it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fastflv.config.diff import Change, When
from fastflv.errors import ConfigError, FlvError

NEXT_PUBLISH = "for running streams from their next publish on"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One reload, or one look at what a reload would do."""

    number: int
    "The configuration in force, as `Runtime.number`."

    changes: tuple[Change, ...] = ()
    "Differences, in the order of the model."

    waiting: tuple[str, ...] = ()
    "Directives of HLS that running streams take from their next publish on; found while a reload is put in force."

    problems: tuple[FlvError, ...] = ()
    "Why it is refused; empty for a good one."

    @classmethod
    def refused(cls, number: int, error: FlvError) -> Outcome:
        return cls(number, problems=error.problems if isinstance(error, ConfigError) else (error,))

    def as_json(self) -> dict[str, object]:
        """Names of `fastflv reload --json`."""
        return {
            "good": not self.problems,
            "configuration": self.number,
            "changes": [_change(each) for each in self.changes],
            "next_publish": list(self.waiting),
            "problems": [str(each) for each in self.problems],
        }


def _change(change: Change) -> dict[str, object]:
    old, new = change.texts
    return {
        "setting": change.path,
        "old": old,
        "new": new,
        "when": change.when.value,
        "place": change.place,
    }


ORDER = {
    When.LIVE: "in force at once",
    When.NEW_CONNECTIONS: "for new connections",
    When.RESTART: "need a restart",
    When.NEVER: "have no effect",
}
"How a change counts, as headings, in the order shown."


def lines(report: dict[str, object]) -> Iterable[str]:
    """The lines that show *report*, as `Outcome.as_json` makes it, to an operator."""
    changes = report["changes"]
    assert isinstance(changes, list)
    for when, heading in ORDER.items():
        found = [each for each in changes if each["when"] == when.value]
        if found:
            yield f"{heading}:"
        for each in found:
            place = f"{each['place']}: " if each["place"] else ""
            yield f"  {place}{each['setting']}: {each['old']} -> {each['new']}"
    waiting = report["next_publish"]
    assert isinstance(waiting, list)
    if waiting:
        yield f"{NEXT_PUBLISH}:"
        yield from (f"  {each}" for each in waiting)
    if not changes and not waiting:
        yield "nothing differs"
