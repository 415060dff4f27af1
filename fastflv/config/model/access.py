"""`security { }` and `refer { }`: who may publish and play."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from fastflv.config.grammar.problems import value_error
from fastflv.config.grammar.section import Section


@dataclass(frozen=True, slots=True)
class Refer:
    """`refer { }`: sites whose pages may embed a player or publisher. An empty list passes all."""

    enabled: bool = False
    "Default off."

    all: tuple[str, ...] = ()
    "Ends of host names, for both."

    publish: tuple[str, ...] = ()
    "Ends of host names, for publishers."

    play: tuple[str, ...] = ()
    "Ends of host names, for players."


@dataclass(frozen=True, slots=True)
class Rule:
    """One `allow` or `deny` of `security { }`."""

    allow: bool
    "True for allow, False for deny."

    action: str
    "publish, play or record."

    peers: str
    "`all`, an IP address, or a network as 10.0.0.0/8."

    def __str__(self) -> str:
        return f"{'allow' if self.allow else 'deny'} {self.action} {self.peers}"


@dataclass(frozen=True, slots=True)
class Security:
    """`security { }`: who may publish and play. Any deny that matches refuses; then any allow passes."""

    enabled: bool = False
    "Default off."

    rules: tuple[Rule, ...] = ()
    "In file order."


def read_security(section: Section) -> Security:
    """Build the rules of *section*; one that names nobody is a problem."""
    rules = []
    for directive in section.directive.children if section.directive else ():
        if directive.name not in ("allow", "deny"):
            continue
        if (
            len(directive.args) != 2
            or directive.args[0] not in ("publish", "play", "record")
            or not _names_peers(directive.args[1])
        ):
            section.problems.add(
                value_error(
                    directive,
                    f"{section.path} cannot have '{' '.join((directive.name, *directive.args))}'",
                    f"write '{directive.name} publish|play|record all|ADDRESS|NETWORK;'",
                )
            )
            continue
        rules.append(Rule(directive.name == "allow", *directive.args))
    return section.fill(Security, rules=tuple(rules))


def _names_peers(word: str) -> bool:
    if word == "all":
        return True
    try:
        ipaddress.ip_network(word, strict=False)
    except ValueError:
        return False
    return True
