"""Commands and data messages as values."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv.errors import AmfError, CommandError, PeerError
from fastflv.media.amf import amf0
from fastflv.media.amf.values import UNDEFINED
from fastflv.protocols.rtmp import commands

PLAIN = st.floats(allow_nan=False) | st.booleans() | st.text(max_size=5) | st.none() | st.just(UNDEFINED)
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def connect(**told) -> commands.Command:
    return commands.Command("connect", 1.0, (told,), 0)


def test_a_command_has_name_transaction_and_arguments():
    payload = amf0.encode("play", 4.0, None, "room", -2000.0)
    command = commands.read_command(20, 1, payload)
    assert command == commands.Command("play", 4.0, (None, "room", -2000.0), 1)
    assert command.text(1) == "room"
    assert command.number(2, 0.0) == -2000.0


def test_an_amf3_command_has_a_format_byte_in_front():
    payload = amf0.encode("play", 4.0, None, "room")
    assert commands.read_command(17, 0, b"\0" + payload) == commands.read_command(20, 0, payload)
    assert commands.read_command(17, 0, payload) == commands.read_command(20, 0, payload)


TRANSACTIONS = {
    "none": (b"", 0.0),
    "text": (amf0.encode("1"), 0.0),
    "negative": (amf0.encode(-1.0), 0.0),
    "not a number": (amf0.encode(float("nan")), 0.0),
    "null": (amf0.encode(None), 0.0),
    "a number": (amf0.encode(7.0), 7.0),
}


@pytest.mark.parametrize(("wire", "transaction"), TRANSACTIONS.values(), ids=TRANSACTIONS)
def test_a_transaction_is_a_positive_number_or_nothing(wire, transaction):
    assert commands.read_command(20, 0, amf0.encode("call") + wire).transaction == transaction


def test_arguments_of_another_type_are_not_there():
    command = commands.Command("play", 0.0, (None, 1.0, "two", float("nan"), 0.0), 1)
    assert command.text(1) is None
    assert command.text(9) is None
    assert command.number(2, -2.0) == -2.0
    assert command.number(3, -2.0) == -2.0
    assert command.number(9, -2.0) == -2.0
    assert command.flag(1, False) is True
    assert command.flag(4, True) is False
    assert command.flag(9, True) is True


@pytest.mark.parametrize("payload", [b"", amf0.encode(1.0), amf0.encode(None, "play")])
def test_a_command_without_a_name_is_refused(payload):
    with pytest.raises(CommandError):
        commands.read_command(20, 0, payload)


def test_a_command_is_bounded_in_bytes():
    with pytest.raises(CommandError, match="bytes"):
        commands.read_command(20, 0, bytes(limits.COMMAND_BYTES_MAX + 1))


def test_set_data_frame_is_taken_off():
    body = amf0.encode("onMetaData", {"width": 640.0})
    for payload in (body, amf0.encode("@setDataFrame") + body):
        assert commands.read_data(18, payload) == ("onMetaData", body)
        assert commands.read_data(15, b"\0" + payload) == ("onMetaData", body)


@pytest.mark.parametrize(
    "payload", [b"", amf0.encode(1.0), amf0.encode("@setDataFrame"), b"\x02\0\x0d@setDataFrame\3"]
)
def test_data_without_a_name_is_nothing(payload):
    assert commands.read_data(18, payload) is None


def test_data_with_half_a_name_is_an_amf_error():
    with pytest.raises(AmfError):
        commands.read_data(18, b"\x02\0\x09onMeta")


def test_connect_tells_who_wants_what():
    asked = commands.read_connect(
        connect(
            app="live",
            tcUrl="rtmp://h:1936/live?vhost=v&k=1",
            flashVer="LNX 9,0,124,2",
            pageUrl="http://p/\r\n",
            swfUrl="http://s/" + "x" * 2000,
            objectEncoding=3.0,
            fourCcList=["hvc1", 7.0, "*", "toolong"],
            videoFourCcInfoMap={"av01": 7.0, "*": 12.0, "bad": "x", "longer": 1.0},
            audioFourCcInfoMap=["no map"],
            capsEx=3.0,
        )
    )
    assert (asked.vhost, asked.app, asked.host, asked.port, asked.param) == (
        "v",
        "live",
        "h",
        1936,
        "?vhost=v&k=1",
    )
    assert asked.page_url == "http://p/"
    assert len(asked.swf_url) == limits.NAME_CHARS_MAX
    assert asked.flash_ver == "LNX 9,0,124,2"
    assert asked.object_encoding == 3.0
    assert asked.four_ccs == ("hvc1", "*")
    assert asked.video_four_ccs == (("av01", 7), ("*", 4))
    assert asked.audio_four_ccs == ()
    assert asked.caps_ex == 3


def test_connect_without_tc_url_uses_the_app():
    assert commands.read_connect(connect(app="live")).app == "live"
    assert commands.read_connect(connect(tcUrl="")).app == "__defaultApp__"
    with pytest.raises(CommandError):
        commands.read_connect(commands.Command("connect", 1.0, (None,), 0))
    with pytest.raises(CommandError):
        commands.read_connect(commands.Command("connect", 1.0, (), 0))


@pytest.mark.parametrize(("longer", "taken"), [(0, True), (1, False)])
def test_a_tc_url_is_bounded_in_characters(longer, taken):
    user = "u" * (limits.TC_URL_CHARS_MAX - len("rtmp://@h/live") + longer)
    with nullcontext() if taken else pytest.raises(CommandError, match="tcUrl of"):
        assert commands.read_connect(connect(tcUrl=f"rtmp://{user}@h/live")).app == "live"


def test_the_answer_to_connect_echoes_what_the_client_knows():
    plain = commands.read_connect(connect(tcUrl="rtmp://h/live"))
    name, transaction, properties, info = amf0.decode_all(commands.connect_result(1.0, plain))
    assert (name, transaction) == ("_result", 1.0)
    assert properties == {"fmsVer": "FMS/3,5,3,888", "capabilities": 127.0, "mode": 1.0}
    assert (info["level"], info["code"]) == ("status", "NetConnection.Connect.Success")
    assert info["objectEncoding"] == 0.0
    enhanced = commands.read_connect(
        connect(
            tcUrl="rtmp://h/live",
            objectEncoding=3.0,
            fourCcList=["hvc1"],
            videoFourCcInfoMap={"*": 2.0},
            audioFourCcInfoMap={"*": 2.0},
            capsEx=2.0,
        )
    )
    _, _, properties, info = amf0.decode_all(commands.connect_result(1.0, enhanced))
    assert {"hvc1", "av01", "vp09", "Opus", "fLaC"} <= set(properties["fourCcList"])
    assert properties["videoFourCcInfoMap"]["*"] == 4.0
    assert properties["audioFourCcInfoMap"]["Opus"] == 4.0
    assert properties["capsEx"] == 15.0
    assert info["objectEncoding"] == 3.0


@given(st.lists(VALUES, max_size=4), st.dictionaries(st.text(max_size=3), VALUES))
def test_any_connect_is_read_and_answered_or_a_peer_error(arguments, more):
    keys = ("app", "tcUrl", "fourCcList", "videoFourCcInfoMap", "capsEx", "objectEncoding", "swfUrl")
    told = more | dict(zip(keys, arguments, strict=False))
    try:
        asked = commands.read_connect(commands.Command("connect", 1.0, (told,), 0))
    except PeerError:
        return
    hash(asked)
    amf0.decode_all(commands.connect_result(1.0, asked))


@given(st.binary(max_size=200), st.sampled_from([15, 17, 18, 20]))
def test_any_payload_is_read_or_a_peer_error(payload, kind):
    try:
        if kind in (17, 20):
            commands.read_command(kind, 0, payload)
        else:
            commands.read_data(kind, payload)
    except PeerError:
        pass
