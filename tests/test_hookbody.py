"""Answers of hooks: what allows, and why anything else does not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model.access import request

from fastflv.access.hookbody import Bodies, refusal_of
from fastflv.access.request import AccessRequest, Action, Role


@pytest.mark.parametrize("body", [b"0", b"0\n", b' {"code": 0} ', b'{"code":0,"data":{"urls":[]}}'])
@pytest.mark.parametrize("status", [200, 201])
def test_zero_allows(status, body):
    assert refusal_of(status, body, 100) == ""


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, b"1", "code 1"),
        (200, b"-0", "a body that is neither 0 nor a JSON object"),
        (200, b"00", "a body that is neither 0 nor JSON"),
        (200, b"", "an empty body"),
        (200, b"[0]", "a body that is neither 0 nor a JSON object"),
        (200, b"{}", "a JSON object without an integer `code`"),
        (200, b'{"code":"0"}', "a JSON object without an integer `code`"),
        (200, b'{"code":false}', "a JSON object without an integer `code`"),
        (200, b'{"code":0.0}', "a JSON object without an integer `code`"),
        (200, b'{"code":-1}', "code -1"),
        (200, b"{" * 90, "a body that is neither 0 nor JSON"),
        (200, b" " * 101, "a body over 100 bytes"),
        (302, b"0", "status 302"),
        (403, b"0", "status 403"),
    ],
)
def test_anything_else_does_not(status, body, why):
    assert refusal_of(status, body, 100) == why


@given(st.binary(max_size=60))
def test_any_bytes_are_judged(body):
    assert refusal_of(200, body, 50) or json.loads(body) in (0, json.loads(body))


def test_names_that_are_no_text_are_sent_all_the_same():
    bodies = Bodies("vid-1", "s", lambda request: "vid-2")
    odd = AccessRequest(
        **{**{name: getattr(request(), name) for name in AccessRequest.__slots__}, "stream": '\udcff\u2028"é'}
    )
    assert json.loads(bodies.play(odd))["stream"] == '?\u2028"é'


@pytest.mark.parametrize("action", Action)
def test_publishers_have_a_role_and_players_none(action):
    bodies = Bodies("vid-1", "s", lambda request: "vid-2")
    asked = replace(request(action), role=Role.BACKUP)
    told = json.loads(bodies.of_stream("on_unpublish", asked, "vid-3"))
    assert told.get("role") == ("backup" if action is Action.PUBLISH else None)
