"""The rules of a vhost, compiled from its configuration."""

from __future__ import annotations

from fastflv.access.refer import ReferRule
from fastflv.access.rule import Rule
from fastflv.access.security import SecurityRule
from fastflv.config.model.access import Refer, Security


def compile_rules(security: Security, refer: Refer) -> tuple[Rule, ...]:
    """Return the rules of one vhost in the order asked; blocks that are not enabled give none.

    Raises ValueError with one sentence for a network or site that cannot be read.
    """
    rules: list[Rule] = []
    if security.enabled:
        rules.append(SecurityRule(security.rules))
    if refer.enabled:
        rules.append(ReferRule(refer))
    return tuple(rules)
