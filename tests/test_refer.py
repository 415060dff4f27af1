"""`refer { }`: the host of a page ends with a listed site, at a dot, whatever the URL looks like."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import request

from fastflv.access.refer import ReferRule, host_of, read_site
from fastflv.access.request import Action
from fastflv.access.verdict import ALLOW, Refusal
from fastflv.config.model.access import Refer

LABELS = st.text("abcdef-0123456789", min_size=1, max_size=6)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)


def refer(*all_, publish=(), play=()):
    return ReferRule(Refer(True, all_, publish, play))


def passes(rule, page, action=Action.PLAY):
    return rule(request(action, page_url=page)) is ALLOW


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a.example/page", "a.example"),
        ("https://A.Example:8443/page?x=://b.example", "a.example"),
        ("a.example", "a.example"),
        ("a.example:8080/x", "a.example"),
        ("//a.example/x", "a.example"),
        ("http://a.example./x", "a.example"),
        ("http://user:word@a.example/x", "a.example"),
        ("http://b.example@a.example", "a.example"),
        ("http://a.example?b.example", "a.example"),
        ("http://a.example#.b.example", "a.example"),
        ("http://a.example\\.b.example/", "a.example"),
        ("http://[2001:DB8::1]:80/", "2001:db8::1"),
        ("http://192.0.2.1:80/", "192.0.2.1"),
        ("a.example/?x=http://b.example", "a.example"),
        ("", ""),
        ("null", "null"),
        ("about:blank", ""),
        ("file:///etc/b.example", ""),
        ("http://a.example:x/", ""),
        ("http://a b.example/", ""),
        ("http://b\u00fccher.example/", ""),
        ("http://a.example%00.b.example/", ""),
        ("\n", ""),
    ],
)
def test_the_host_of_a_page(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("site", "page", "passed"),
    [
        ("example.com", "https://example.com/", True),
        ("example.com", "https://live.example.com/", True),
        ("example.com", "https://evilexample.com/", False),
        ("example.com", "https://example.com.evil.net/", False),
        ("example.com", "https://evil.net/example.com", False),
        ("example.com", "https://evil.net/?://example.com", False),
        ("Example.COM", "https://LIVE.example.com/", True),
        (".example.com", "https://live.example.com/", True),
        (".example.com", "https://example.com/", False),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://example.com/", False),
        ("https://example.com:8080/player", "http://example.com/", True),
        ("com", "https://example.com/", True),
        ("localhost", "http://localhost:8080/x", True),
        ("b\u00fccher.example", "https://xn--bcher-kva.example/", True),
        ("example.com", "", False),
        ("example.com", "null", False),
    ],
)
def test_a_site_matches_itself_and_its_subdomains(site, page, passed):
    assert passes(refer(site), page) is passed


@given(HOSTS, HOSTS)
def test_a_match_ends_at_a_dot(site, host):
    labels, wanted = host.split("."), site.split(".")
    assert passes(refer(site), f"http://{host}:80/") == (labels[-len(wanted) :] == wanted)


@given(HOSTS, st.text(max_size=30))
def test_no_page_makes_the_rule_fail(site, page):
    assert isinstance(passes(refer(site), page), bool)


def test_an_empty_list_passes_all():
    assert passes(refer(), "")
    assert passes(refer(), "https://anybody.example/")


def test_the_list_of_the_action_counts_beside_the_common_one():
    rule = refer("a.example", play=("tv.a.example",))
    assert passes(rule, "http://tv.a.example/")
    assert not passes(rule, "http://a.example/")
    assert passes(rule, "http://a.example/", Action.PUBLISH)
    only = refer(publish=("a.example",))
    assert passes(only, "http://b.example/")
    assert not passes(only, "http://b.example/", Action.PUBLISH)


def test_a_refusal_names_the_list_and_the_host():
    verdict = refer("a.example", "b.example")(request(page_url="http://evil.example/x"))
    assert verdict.kind is Refusal.FORBIDDEN
    assert verdict.reason == "refer 'all a.example b.example' does not list the page host 'evil.example'"
    verdict = refer(publish=("a.example",))(request(Action.PUBLISH))
    assert verdict.reason == "refer 'publish a.example' does not list a client without a page"


@pytest.mark.parametrize(
    "word", ["", ".", "*", "*.", "a b", "http://", "b\u00fc\u3002\u3002x", "a.example:x", "\u00fc" * 70]
)
def test_a_word_that_is_no_site_is_refused(word):
    with pytest.raises(ValueError, match=r"is no site; write a host as example\.com"):
        refer(word)
    with pytest.raises(ValueError, match="is no site"):
        read_site(word)
