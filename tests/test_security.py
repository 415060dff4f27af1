"""`security { }`: deny before allow, both families, and the same answers as the slow rule of SRS."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import request

from fastflv.access.request import Action
from fastflv.access.rules import compile_rules
from fastflv.access.security import SecurityRule
from fastflv.access.verdict import ALLOW, Refusal
from fastflv.config.model.access import Refer, Rule, Security

PEERS = st.sampled_from(
    (
        "all",
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3",
        "192.0.2.1",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::/32",
        "2001:db8::1",
    )
)
LINES = st.lists(st.builds(Rule, st.booleans(), st.sampled_from(("publish", "play")), PEERS), max_size=6)
VIEWERS = st.sampled_from(
    ("10.1.2.3", "10.1.9.9", "10.9.9.9", "192.0.2.1", "8.8.8.8", "2001:db8::1", "::1", "")
)


def rules(*lines):
    return tuple(
        Rule(kind == "allow", action, peers) for kind, action, peers in (line.split() for line in lines)
    )


def slow_passes(lines, action, ip):
    """SRS's code, said slowly."""

    def matches(line):
        if line.action != action.value:
            return False
        if line.peers == "all":
            return True
        return bool(ip) and ipaddress.ip_address(ip) in ipaddress.ip_network(line.peers)

    if any(matches(line) for line in lines if not line.allow):
        return False
    if any(matches(line) for line in lines if line.allow):
        return True
    return bool(lines) and not any(line.allow for line in lines)


@given(LINES, st.sampled_from(Action), VIEWERS)
def test_the_answers_are_those_of_the_slow_rule(lines, action, ip):
    assert (SecurityRule(lines)(request(action, ip)) == ALLOW) == slow_passes(lines, action, ip)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (("deny play 10.0.0.0/8",), "'deny play 10.0.0.0/8' matches 10.1.2.3"),
        (("allow play all", "deny play 10.1.2.3"), "'deny play 10.1.2.3' matches 10.1.2.3"),
        (("deny play all", "deny play 10.0.0.0/8"), "'deny play all' matches 10.1.2.3"),
        (("allow play 192.0.2.0/24",), "no 'allow play' matches 10.1.2.3"),
        (("allow publish all",), "no 'allow play' matches 10.1.2.3"),
        ((), "security is enabled without any allow or deny"),
    ],
)
def test_a_refusal_names_the_line(lines, reason):
    verdict = SecurityRule(rules(*lines))(request(ip="10.1.2.3"))
    assert verdict.kind is Refusal.FORBIDDEN
    assert verdict.reason == reason


@pytest.mark.parametrize(
    "lines",
    [
        ("allow play all",),
        ("deny publish all",),
        ("deny play 192.0.2.0/24",),
        ("allow play 10.0.0.0/8", "deny play ::/0"),
    ],
)
def test_others_pass(lines):
    assert SecurityRule(rules(*lines))(request(ip="10.1.2.3")) is ALLOW


def test_a_local_socket_has_no_address_but_is_among_all():
    local = request(ip="")
    assert SecurityRule(rules("allow play all"))(local) is ALLOW
    assert SecurityRule(rules("deny play all"))(local).reason == "'deny play all' matches a local socket"
    assert SecurityRule(rules("deny play 0.0.0.0/0", "deny play ::/0"))(local) is ALLOW


def test_a_word_that_is_no_address_is_refused():
    with pytest.raises(ValueError, match="'host' is neither an IP address nor a network"):
        SecurityRule(rules("deny play host"))


def test_a_vhost_has_the_rules_of_its_enabled_blocks():
    lines = rules("deny play all")
    assert compile_rules(Security(False, lines), Refer(all=("a.example",))) == ()
    security, refer = compile_rules(Security(True, lines), Refer(True, all=("a.example",)))
    assert security(request()).reason == "'deny play all' matches 192.0.2.1"
    assert refer(request()).reason == "refer 'all a.example' does not list a client without a page"
