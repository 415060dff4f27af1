"""The RTMP session of a server: the flows of real encoders and players, at any cut, and what is told to each."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.client import FLOWS, TC_URL, Client, heard, unpublish
from model.owner import Owner

from fastflv import limits
from fastflv._ext.ingest.chunkwrite import write_message
from fastflv.media.amf import amf0
from fastflv.media.amf.values import UNDEFINED
from fastflv.protocols.rtmp.events import (
    AudioWanted,
    ConnectWanted,
    DataArrived,
    Paused,
    PlayStopped,
    PlayWanted,
    PublishWanted,
    Unpublished,
    VideoWanted,
)
from fastflv.protocols.rtmp.states import ConnectionState, StreamState


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
def test_byte_by_byte_is_as_whole(flow):
    wire = flow().wire()
    whole = Owner().feed(wire).saw()
    assert Owner().feed(*(wire[n : n + 1] for n in range(len(wire)))).saw() == whole


@pytest.mark.parametrize("flow", FLOWS.values(), ids=FLOWS)
@settings(deadline=None)
@given(data=st.data())
def test_any_cut_is_as_whole(flow, data):
    wire = flow().wire()
    places = data.draw(st.lists(st.integers(0, len(wire)), max_size=8))
    pieces = [wire[a:b] for a, b in pairwise([0, *sorted(places), len(wire)])]
    assert Owner().feed(*pieces).saw() == Owner().feed(wire).saw()


KINDS = {"ffmpeg": "fmle", "OBS": "fmle", "flash": "flash", "haivision": "haivision"}


@pytest.mark.parametrize("name", KINDS)
def test_the_family_of_the_encoder_shows_in_the_order_of_commands(name):
    owner = Owner().feed(FLOWS[name]().wire())
    assert owner.kinds() == [ConnectWanted, PublishWanted, DataArrived, Unpublished]
    wanted = owner.events[1]
    assert (wanted.kind, wanted.vhost, wanted.app, wanted.stream) == (
        KINDS[name],
        "192.0.2.7",
        "live",
        "room",
    )
    assert wanted.param == ("?key=secret" if name == "OBS" else "")
    assert wanted.stream_id == 1
    assert len(owner.sink.messages) == 10
    assert owner.session.state is ConnectionState.CONNECTED
    assert owner.session.stream_state(1) is StreamState.IDLE


def test_the_answers_to_ffmpeg_come_in_the_order_of_srs():
    owner = Owner().feed(FLOWS["ffmpeg"]().wire())
    said = heard(owner.output)
    window = limits.ACK_WINDOW_BYTES.to_bytes(4, "big")
    assert said[:3] == [(5, window), (6, window + b"\2"), (1, limits.CHUNK_BYTES_OUT.to_bytes(4, "big"))]
    assert said[3][:3] == ("_result", 0, 1.0)
    assert said[4:8] == [
        ("onBWDone", 0, 0.0, None),
        ("_result", 0, 2.0, None, UNDEFINED),
        ("_result", 0, 3.0, None, UNDEFINED),
        ("_result", 0, 4.0, None, 1.0),
    ]
    codes = [(name, stream_id, values[-1]["code"]) for name, stream_id, *values in said[8:10]]
    assert codes == [
        ("onFCPublish", 1, "NetStream.Publish.Start"),
        ("onStatus", 1, "NetStream.Publish.Start"),
    ]
    assert [item[0] for item in said[10:]] == ["onFCUnpublish", "_result", "onStatus"]
    assert said[12][-1]["code"] == "NetStream.Unpublish.Success"


def test_flash_is_not_told_of_fc_publish():
    said = heard(Owner().feed(FLOWS["flash"]().wire()).output)
    assert [item[0] for item in said[5:]] == ["_result", "onStatus", "onStatus"]


def test_haivision_gets_an_answer_to_its_bandwidth_check():
    said = heard(Owner().feed(FLOWS["haivision"]().wire()).output)
    assert said[5:8] == [
        ("_result", 0, 2.0, None, 1.0),
        ("_result", 0, 3.0, None, None),
        ("_result", 0, 4.0, None, UNDEFINED),
    ]
    assert said[8][0] == "onFCPublish"


def test_a_player_hears_stream_begin_reset_start_and_access():
    owner = Owner().feed(Client().connect(swfUrl="http://s/").play("room?token=t", 1, -1000.0).wire())
    assert owner.kinds() == [ConnectWanted, PlayWanted]
    assert owner.events[0].swf_url == "http://s/"
    wanted = owner.events[1]
    assert (wanted.app, wanted.stream, wanted.param, wanted.stream_id) == ("live", "room", "?token=t", 1)
    assert (wanted.start, wanted.duration, wanted.reset) == (-1000.0, -1.0, True)
    said = heard(owner.output)[5:]
    assert said[:3] == [
        ("_result", 0, 2.0, None, 1.0),
        ("_result", 0, 3.0, None, None),
        (4, b"\0\0\0\0\0\1"),
    ]
    assert [item[-1]["code"] for item in said[3:5]] == ["NetStream.Play.Reset", "NetStream.Play.Start"]
    assert said[5] == ("|RtmpSampleAccess", 1, True, True)
    assert owner.session.stream_state(1) is StreamState.PLAYING


def test_media_outside_a_publish_is_dropped():
    client = Client().connect().media(9, 0, b"early").flash_publish().media(9, 1, b"in time")
    unpublish(client).media(9, 2, b"late")
    owner = Owner().feed(client.wire())
    assert owner.sink.messages == [(9, 1, b"in time")]
    assert owner.session.reader.dropped == 2


def test_a_second_publish_on_the_connection_works():
    owner = Owner().feed(FLOWS["publish twice"]().wire())
    assert owner.kinds() == [ConnectWanted, *[PublishWanted, DataArrived, Unpublished] * 2]
    assert [e.stream for e in owner.events if isinstance(e, PublishWanted)] == ["room", "second"]
    assert [e.kind for e in owner.events if isinstance(e, PublishWanted)] == ["fmle", "fmle"]
    assert [e.stream_id for e in owner.events if isinstance(e, PublishWanted)] == [1, 2]
    assert [len(owner.sinks[stream_id].messages) for stream_id in (1, 2)] == [10, 10]


def test_metadata_arrives_without_set_data_frame_and_format_byte():
    body = amf0.encode("onMetaData", {"width": 640.0})
    client = Client().connect().flash_publish()
    client.send(18, amf0.encode("@setDataFrame") + body, 4, 1, 77)
    client.send(15, b"\0" + amf0.encode("@setDataFrame") + body, 4, 1, 78)
    client.send(18, amf0.encode("onTextData", {"text": "x"}), 4, 1, 79)
    owner = Owner().feed(client.wire())
    assert owner.events[2:] == [
        DataArrived(77, body, "onMetaData", 1),
        DataArrived(78, body, "onMetaData", 1),
        DataArrived(79, amf0.encode("onTextData", {"text": "x"}), "onTextData", 1),
    ]


def test_data_that_cannot_be_used_is_counted():
    client = Client().connect().metadata(early=True).flash_publish()
    client.send(18, amf0.encode(1.0), 4, 1).send(18, bytes(limits.COMMAND_BYTES_MAX + 1), 4, 1)
    client.send(16, b"shared object", 4).send(19, b"shared object", 4).send(99, b"?", 4)
    owner = Owner().feed(client.wire())
    assert owner.kinds() == [ConnectWanted, PublishWanted]
    assert (owner.session.ignored, owner.session.reader.ignored) == (3, 3)


def test_enhanced_clients_hear_what_the_server_can():
    said = heard(Owner().feed(FLOWS["OBS"]().wire()).output)
    assert said[3][0] == "_result"
    properties = said[3][3]
    assert "hvc1" in properties["fourCcList"]
    assert properties["videoFourCcInfoMap"]["*"] == 4.0
    assert "audioFourCcInfoMap" not in properties
    assert properties["capsEx"] == 15.0


def test_amf3_commands_are_understood():
    client = Client().connect(objectEncoding=3.0)
    client.call("createStream", 2, None, kind=17).call(
        "publish", 3, None, "room", "live", stream_id=1, kind=17
    )
    owner = Owner().feed(client.wire())
    assert owner.kinds() == [ConnectWanted, PublishWanted]
    assert heard(owner.output)[3][4]["objectEncoding"] == 3.0


def test_unknown_calls_get_an_empty_result_only_if_they_wait_for_one():
    client = Client().connect().call("getStats", 9, None).call("silent", 0, None)
    client.call("_result", 10, None).call("onStatus", 11, None).call("_error", 12, None)
    said = heard(Owner().feed(client.wire()).output)
    assert said[5:] == [("_result", 0, 9.0, None, None)]


def test_a_player_can_pause_mute_seek_and_go_on():
    client = Client().connect().play().call("pause", 5, None, True, 1000.0, stream_id=1)
    client.call("pause", 6, None, False, 1000.0, stream_id=1).call(
        "receiveAudio", 0, None, False, stream_id=1
    )
    client.call("receiveVideo", 8, None, True, stream_id=1).call("seek", 9, None, 5000.0, stream_id=1)
    owner = Owner().feed(client.wire())
    assert owner.events[2:] == [
        Paused(1, True),
        Paused(1, False),
        AudioWanted(1, False),
        VideoWanted(1, True),
    ]
    said = heard(owner.output)[11:]
    assert [item[-1]["code"] if item[0] == "onStatus" else item for item in said] == [
        (4, b"\0\1\0\0\0\1"),
        "NetStream.Pause.Notify",
        (4, b"\0\0\0\0\0\1"),
        "NetStream.Unpause.Notify",
        ("_result", 0, 8.0, None, None),
        ("_result", 0, 9.0, None, None),
    ]


def test_pause_and_mute_of_a_publisher_mean_nothing():
    client = (
        Client().connect().flash_publish().call("pause", 0, None, True).call("receiveAudio", 0, None, False)
    )
    assert Owner().feed(client.wire()).kinds() == [ConnectWanted, PublishWanted]


def test_a_player_can_change_to_another_stream():
    client = Client().connect().play().call("play", 0, None, "other", stream_id=1)
    owner = Owner().feed(client.wire())
    assert owner.kinds() == [ConnectWanted, PlayWanted, PlayStopped, PlayWanted]
    assert owner.events[3].stream == "other"


ENDS = {
    "deleteStream": (lambda c: c.call("deleteStream", 0, None, 1.0), "deleteStream"),
    "deleteStream without a number": (lambda c: c.call("deleteStream", 0, None), "deleteStream"),
    "FCUnpublish with an answer": (lambda c: c.call("FCUnpublish", 9, None, "room"), "FCUnpublish"),
    "closeStream": (lambda c: c.call("closeStream", 0, None, stream_id=1), "closeStream"),
    "publish false": (lambda c: c.call("publish", 0, None, False, stream_id=1), "publish"),
    "FCUnpublish": (lambda c: c.call("FCUnpublish", 0, None, "room"), "FCUnpublish"),
}


@pytest.mark.parametrize(("end", "reason"), ENDS.values(), ids=ENDS)
def test_every_way_to_stop_publishing_is_seen(end, reason):
    owner = Owner().feed(end(Client().connect().flash_publish()).wire())
    assert owner.events[-1] == Unpublished(1, reason)
    before = owner.session.reader.dropped
    owner.feed(write_message(9, 0, 1, 6, b"late", 128))
    assert owner.session.reader.dropped == before + 1


def test_deleting_another_stream_ends_nothing():
    client = Client().connect().flash_publish().call("deleteStream", 0, None, 7.0)
    client.call("closeStream", 0, None, stream_id=7)
    assert Owner().feed(client.wire()).session.stream_state(1) is StreamState.PUBLISHING


def test_a_player_that_deletes_its_stream_has_stopped():
    owner = Owner().feed(Client().connect().play().call("deleteStream", 0, None, 1.0).wire())
    assert owner.events[-1] == PlayStopped(1, "deleteStream")


def test_a_proxy_prefix_is_shown():
    owner = Owner().feed(b"\xf3\0\4\xc0\0\2\x63" + Client().connect().wire())
    assert owner.session.proxy_ip == "192.0.2.99"
    assert owner.kinds() == [ConnectWanted]


def test_vhost_and_app_may_stand_in_the_stream_name():
    owner = Owner().feed(Client().connect(TC_URL + "?k=v").flash_publish("deep/room?vhost=other").wire())
    wanted = owner.events[1]
    assert (wanted.vhost, wanted.app, wanted.stream) == ("other", "live/deep", "room")
    assert wanted.param == "?vhost=other&k=v"
