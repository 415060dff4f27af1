"""`limits { }`: how much clients may have, at the top of the file for the server, in a vhost for the vhost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.problems import value_error
from fastflv.config.grammar.section import Section
from fastflv.errors import ConfigValueError


class Kind(Enum):
    """What is limited; the values are the directives."""

    ACCEPT = "accept"
    "Connections at one time, whatever they ask for; at the top of the file."

    CONN = "conn"
    "Publishers and players at one time."

    REQ = "req"
    "Plays and publishes that are asked for, a second."

    PUBLISH = "publish"
    "Publishers at one time."

    SEND_RATE = "send_rate"
    "Bits a second that are sent; beyond it nobody more may play."

    INGEST_RATE = "ingest_rate"
    "Bits a second of one publisher; who sends more is closed."


class Scope(Enum):
    """Who shares a limit; the values are the words of a directive."""

    IP = "ip"
    "An IPv4 address, or a /64 of IPv6."

    STREAM = "stream"

    ALL = "all"
    "All of the server, or of the vhost."


SCOPES: Final = {
    Kind.ACCEPT: (Scope.IP,),
    Kind.CONN: (Scope.IP, Scope.STREAM, Scope.ALL),
    Kind.REQ: (Scope.IP, Scope.STREAM, Scope.ALL),
    Kind.PUBLISH: (Scope.IP, Scope.ALL),
    Kind.SEND_RATE: (Scope.IP, Scope.STREAM, Scope.ALL),
    Kind.INGEST_RATE: (),
}

UNITS: Final = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
SPANS: Final = {"s": 1, "m": 60}
COUNT: Final = re.compile(r"[1-9][0-9]{0,8}")
BITS: Final = re.compile(r"([1-9][0-9]{0,11}|[0-9]{1,6}\.[0-9]{1,6})([kmg]?)", re.IGNORECASE)
RATE: Final = re.compile(r"([1-9][0-9]{0,6})r/([sm])")
BURST: Final = re.compile(r"burst=([1-9][0-9]{0,6})")


@dataclass(frozen=True, slots=True)
class Limit:
    """One line."""

    kind: Kind
    scope: Scope | None
    "None for INGEST_RATE, which is of each publisher."

    most: float
    "Clients, requests a second, or bits a second."

    burst: float = 0
    "REQ: how many may come at once."

    text: str = ""
    "As it is written."

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """As `conn ip`: of metrics and of answers."""
        return f"{self.kind.value} {self.scope.value}" if self.scope is not None else self.kind.value


@dataclass(frozen=True, slots=True)
class Limits:
    """The lines of one block; of two with one name, the first counts."""

    lines: tuple[Limit, ...] = ()
    "Default none: only `max_connections` bounds clients."

    @property
    def accepted(self) -> int:
        """Connections that one address may have; 0: no bound."""
        return next((int(line.most) for line in self.lines if line.kind is Kind.ACCEPT), 0)


def read_limits(section: Section) -> Limits:
    """Build the limits of *section*; a line that is none is a problem."""
    found: dict[str, Limit] = {}
    for directive in section.directive.children if section.directive else ():
        with section.problems.collected():
            limit = _read(directive)
            found.setdefault(limit.name, limit)
    return Limits(tuple(found.values()))


def _read(directive: Directive) -> Limit:
    kind, words = Kind(directive.name), list(directive.args)
    scopes, text = SCOPES[kind], " ".join((directive.name, *directive.args))
    scope = None
    if scopes:
        word = words.pop(0) if words else ""
        scope = next((each for each in scopes if each.value == word), None)
        if scope is None:
            raise _error(directive)
    if kind is Kind.REQ:
        rate = RATE.fullmatch(words[0]) if words else None
        burst = BURST.fullmatch(words[1]) if len(words) > 1 else None
        if rate is None or len(words) > 2 or (len(words) == 2 and burst is None):
            raise _error(directive)
        most = int(rate[1]) / SPANS[rate[2]]
        return Limit(kind, scope, most, float(burst[1]) if burst else max(1.0, most), text)
    value = words[0] if len(words) == 1 else ""
    if kind in (Kind.ACCEPT, Kind.CONN, Kind.PUBLISH):
        if COUNT.fullmatch(value) is None:
            raise _error(directive)
        return Limit(kind, scope, int(value), text=text)
    bits = BITS.fullmatch(value)
    if bits is None or float(bits[1]) <= 0:
        raise _error(directive)
    return Limit(kind, scope, float(bits[1]) * UNITS[bits[2].lower()], text=text)


def _error(directive: Directive) -> ConfigValueError:
    kind = Kind(directive.name)
    scopes = "|".join(each.value for each in SCOPES[kind])
    value = {
        Kind.REQ: "10r/s [burst=20]",
        Kind.SEND_RATE: "8g, in bits a second",
        Kind.INGEST_RATE: "20m, in bits a second",
    }.get(kind, "COUNT")
    return value_error(
        directive,
        f"limits cannot have '{' '.join((directive.name, *directive.args))}'",
        f"write '{' '.join(filter(None, (directive.name, scopes, value)))}'",
    )
