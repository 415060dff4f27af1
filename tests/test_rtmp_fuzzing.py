"""The fuzz targets of the RTMP sessions, driven with random inputs and with flows that have changed bytes."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from model.client import FLOWS

from fuzzing.targets import rtmp_client, rtmp_server

INPUTS = st.binary(min_size=2, max_size=400)


@given(INPUTS)
@example(b"\0\3" + rtmp_server.command(1, "deleteStream", 0.0, None, float("inf")))
@example(b"\0\4" + rtmp_server.command(3, "publish", 0.0, None, "no"))
def test_a_server_session_survives_any_bytes(data):
    rtmp_server.check(data)


@given(INPUTS)
@example(b"\0\4" + rtmp_client.command(1, "onStatus", 0.0, None, {"level": "error", "ex": {"code": 302.0}}))
@example(b"\0\2" + rtmp_client.command(0, "_result", 2.0, None, float("inf")))
def test_a_client_session_survives_any_bytes(data):
    rtmp_client.check(data)


@pytest.mark.parametrize("name", FLOWS)
@settings(max_examples=30)
@given(data=st.data())
def test_a_server_session_survives_flows_with_changed_bytes(name, data):
    wire = bytearray(FLOWS[name]().wire())
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(3073, len(wire)))
        wire[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    rtmp_server.check(bytes([data.draw(st.integers(0, 255)), 0]) + wire)


@settings(max_examples=100)
@given(data=st.data())
def test_a_client_session_survives_answers_with_changed_bytes(data):
    start = data.draw(st.sampled_from(rtmp_client.STARTS[1:]))
    wire = bytearray(start)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(3073, len(wire)))
        wire[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    rtmp_client.check(bytes([data.draw(st.integers(0, 255)), 0]) + wire)
