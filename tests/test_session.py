"""The RTMP session of a server: the flows of real encoders and players, at any cut, and hostile peers."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model.client import TC_URL, Client, heard

from fastflv import limits
from fastflv._ext.chunkwrite import write_message
from fastflv._ext.sink import CollectSink
from fastflv.errors import (
    AmfError,
    ChunkError,
    CommandError,
    CommandOrderError,
    HandshakeError,
    PeerError,
    TalkError,
    UsageError,
)
from fastflv.ingest.events import (
    AudioWanted,
    ConnectWanted,
    DataArrived,
    Paused,
    PlayStopped,
    PlayWanted,
    Pong,
    PublishWanted,
    Unpublished,
    VideoWanted,
)
from fastflv.ingest.session import Session
from fastflv.ingest.states import NEXT, WAITING, State
from fastflv.media import amf0
from fastflv.media.amfvalues import UNDEFINED

NOISE = b"0123456789abcdef"


class Owner:
    """Says yes to everything, as an adapter would, and keeps what it saw."""

    def __init__(self, **connect) -> None:
        self.session = Session(noise=NOISE)
        self.sink = CollectSink()
        self.connect = connect
        self.events: list = []
        self.output = b""

    def feed(self, *pieces: bytes) -> Owner:
        shared = bytearray(1 << 20)  # a receive buffer that is used again
        for piece in pieces:
            shared[: len(piece)] = piece
            view = memoryview(shared)[: len(piece)]
            self.take(self.session.receive(view))
            view.release()
            shared[: len(piece)] = bytes(len(piece))
        return self

    def take(self, events: list) -> None:
        while True:
            self.events += events
            self.output += self.session.take_output()
            if not self.session.waiting:
                return
            self.answer(self.events[-1])
            events = self.session.resume()

    def answer(self, event) -> None:
        if isinstance(event, ConnectWanted):
            self.session.accept_connect(**self.connect)
        elif isinstance(event, PublishWanted):
            self.session.accept_publish(self.sink)
        else:
            assert isinstance(event, PlayWanted)
            self.session.accept_play()

    def kinds(self) -> list:
        return [type(event) for event in self.events]

    def saw(self) -> tuple:
        return self.events, self.output, self.sink.messages, self.session.state


def media(client: Client) -> Client:
    client.metadata(width=640.0)
    client.media(9, 0, b"\x17\0\0\0\0record").media(8, 0, b"\xaf\0\x12\x10")
    for n in range(4):
        client.media(9, 40 * n, bytes([0x27, 1]) + bytes(300 + n)).media(
            8, 40 * n + 5, b"\xaf\1" + bytes(150)
        )
    return client


def unpublish(client: Client, name: str = "room") -> Client:
    return client.call("FCUnpublish", 6, None, name).call("deleteStream", 7, None, 1.0)


FLOWS = {
    "ffmpeg": lambda: unpublish(media(Client().connect(capabilities=15.0).fmle_publish())),
    "OBS": lambda: unpublish(
        media(
            Client(4096)
            .connect(fourCcList=["av01", "hvc1"], videoFourCcInfoMap={"*": 2.0}, capsEx=3.0)
            .fmle_publish("room?key=secret")
        )
    ),
    "librtmp with a ping on a fresh chunk stream": lambda: media(
        Client().connect().send(4, b"\0\3\0\0\0\0\0\0\1\x2c", 2).fmle_publish()
    ),
    "flash": lambda: media(Client().connect(objectEncoding=3.0).flash_publish()).call(
        "closeStream", 0, None, stream_id=1
    ),
    "haivision": lambda: unpublish(media(Client().connect().haivision_publish())),
    "player": lambda: (
        Client().connect(swfUrl="http://s/", pageUrl="http://p/").play().call("deleteStream", 8, None, 1.0)
    ),
    "publish twice": lambda: unpublish(
        media(unpublish(media(Client().connect().fmle_publish())).fmle_publish("second", 2))
    ).call("deleteStream", 9, None, 2.0),
}


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
    assert owner.session.state is State.CONNECTED


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
    assert owner.session.buffer_ms == 3000
    assert owner.session.state is State.PLAYING
    assert owner.session.stream_id == 1


def test_input_is_held_until_the_answer_comes():
    session = Session(noise=NOISE)
    wire = media(Client().connect().flash_publish()).wire()
    [asked] = session.receive(wire[:4000])
    assert isinstance(asked, ConnectWanted)
    assert session.waiting
    assert session.receive(wire[4000:]) == []
    session.accept_connect()
    [wanted] = session.resume()
    assert isinstance(wanted, PublishWanted)
    sink = CollectSink()
    session.accept_publish(sink)
    assert sink.messages == []
    assert [type(event) for event in session.resume()] == [DataArrived]
    assert len(sink.messages) == 10
    assert session.resume() == []


def test_receive_goes_on_by_itself_when_nobody_resumed():
    session = Session(noise=NOISE)
    wire = Client().connect().flash_publish().wire()
    session.receive(wire[:-1])
    session.accept_connect()
    assert [type(event) for event in session.receive(wire[-1:])] == [PublishWanted]


def test_held_input_is_bounded():
    session = Session(noise=NOISE)
    session.receive(Client().connect().wire())
    session.receive(bytes(limits.HELD_BYTES_MAX))
    with pytest.raises(CommandOrderError, match="before the answer"):
        session.receive(b"x")


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
    assert len(owner.sink.messages) == 20


def test_metadata_arrives_without_set_data_frame_and_format_byte():
    body = amf0.encode("onMetaData", {"width": 640.0})
    client = Client().connect().flash_publish()
    client.send(18, amf0.encode("@setDataFrame") + body, 4, 1, 77)
    client.send(15, b"\0" + amf0.encode("@setDataFrame") + body, 4, 1, 78)
    client.send(18, amf0.encode("onTextData", {"text": "x"}), 4, 1, 79)
    owner = Owner().feed(client.wire())
    assert owner.events[2:] == [
        DataArrived(77, body, "onMetaData"),
        DataArrived(78, body, "onMetaData"),
        DataArrived(79, amf0.encode("onTextData", {"text": "x"}), "onTextData"),
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
    assert owner.events[2:] == [Paused(True), Paused(False), AudioWanted(False), VideoWanted(True)]
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


@pytest.mark.parametrize(
    ("stream_id", "taken"), [(limits.MESSAGE_STREAM_MAX, True), (limits.MESSAGE_STREAM_MAX + 1, False)]
)
def test_a_play_on_a_message_stream_that_nobody_gave_out_is_refused(stream_id, taken):
    client = Client().connect().call("play", 0, None, "room", stream_id=stream_id)
    owner = Owner()
    with nullcontext() if taken else pytest.raises(CommandError, match="message stream"):
        owner.feed(client.wire())
    assert (PlayWanted in owner.kinds()) == taken


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
    assert owner.events[-1] == Unpublished(reason)
    assert owner.session.reader.sink is None


def test_deleting_another_stream_ends_nothing():
    client = Client().connect().flash_publish().call("deleteStream", 0, None, 7.0)
    client.call("closeStream", 0, None, stream_id=7)
    assert Owner().feed(client.wire()).session.state is State.PUBLISHING


def test_a_player_that_deletes_its_stream_has_stopped():
    owner = Owner().feed(Client().connect().play().call("deleteStream", 0, None, 1.0).wire())
    assert owner.events[-1] == PlayStopped("deleteStream")


def test_a_refused_connect_is_told_and_closed():
    session = Session(noise=NOISE)
    session.receive(Client().connect().fmle_publish().wire())
    session.reject_connect("no such vhost")
    [(name, stream_id, transaction, _, info)] = heard(session.take_output())
    assert (name, stream_id, transaction) == ("_error", 0, 1.0)
    assert (info["level"], info["code"]) == ("error", "NetConnection.Connect.Rejected")
    assert info["description"] == "no such vhost"
    assert session.state is State.CLOSED
    assert session.resume() == []
    assert session.receive(b"\xff" * 99) == []


@pytest.mark.parametrize("publish", [True, False], ids=["publish", "play"])
def test_a_refused_peer_hears_why_and_may_try_again(publish):
    client = Client().connect()
    client = client.flash_publish() if publish else client.play()
    session = Session(noise=NOISE)
    session.receive(client.wire())
    session.accept_connect()
    session.resume()
    if publish:
        session.reject_publish("NetStream.Publish.BadName", "busy")
    else:
        session.reject_play("NetStream.Play.StreamNotFound", "busy")
    name, stream_id, _, _, info = heard(session.take_output())[-1]
    assert (name, stream_id, info["level"], info["description"]) == ("onStatus", 1, "error", "busy")
    assert session.state is State.CONNECTED
    session.resume()
    again = client.call("publish" if publish else "play", 9, None, "other", stream_id=1).wire()
    assert [type(event) for event in session.receive(again)] == [PublishWanted if publish else PlayWanted]


def test_a_ping_is_answered_and_an_answer_seen():
    client = Client().connect().send(4, b"\0\6\0\0\1\2", 2).send(4, b"\0\7\0\0\3\4", 2)
    owner = Owner().feed(client.wire())
    assert heard(owner.output)[-1] == (4, b"\0\7\0\0\1\2")
    assert owner.events[-1] == Pong(0x0304)


def test_our_own_ping_carries_the_time_modulo_32_bits():
    owner = Owner().feed(Client().connect().wire())
    owner.session.ping((1 << 32) + 5)
    assert heard(owner.output + owner.session.take_output())[-1] == (4, b"\0\6\0\0\0\5")


def test_half_of_the_announced_window_is_acknowledged():
    client = Client().send(5, (1000).to_bytes(4, "big"), 2).connect().flash_publish()
    owner = Owner().feed(client.wire())
    before = len(owner.output)
    received = owner.session.reader.received
    owner.feed(client.media(9, 0, bytes(300)).wire())
    acks = heard(owner.output)[-1:]
    assert acks == [(3, owner.session.reader.received.to_bytes(4, "big"))] or len(owner.output) == before
    for n in range(20):
        owner.feed(client.media(9, n, bytes(90)).wire())
    found = [int.from_bytes(item[1], "big") for item in heard(owner.output) if item[0] == 3]
    assert found[-1] > received
    assert all(500 <= b - a < 700 for a, b in pairwise(found[1:]))
    assert owner.session.reader.received - found[-1] < 500


def test_a_read_that_ends_with_a_command_is_acknowledged_too():
    client = Client().send(5, (1000).to_bytes(4, "big"), 2).connect().flash_publish()
    owner = Owner().feed(client.wire())
    before = heard(owner.output)
    owner.feed(client.media(9, 0, bytes(900)).call("createStream", 7, None).wire())
    assert [item[0] for item in heard(owner.output)[len(before) :]] == ["_result", 3]


def test_our_own_window_comes_before_that_of_the_peer():
    client = Client().connect().flash_publish()
    owner = Owner(in_ack_size=1000).feed(client.wire())
    client.send(5, (1 << 30).to_bytes(4, "big"), 2)
    for n in range(20):
        owner.feed(client.media(9, n, bytes(90)).wire())
    assert 3 in [item[0] for item in heard(owner.output)]


@pytest.mark.parametrize("window", [None, 0])
def test_without_a_window_nothing_is_acknowledged(window):
    client = Client().connect()
    if window is not None:
        client.send(5, window.to_bytes(4, "big"), 2)
    owner = Owner().feed(client.flash_publish().media(9, 0, bytes(200_000)).wire())
    assert 3 not in [item[0] for item in heard(owner.output)]


def test_connect_settings_of_the_owner_are_announced():
    owner = Owner(window=5000, chunk_size=4096).feed(Client().connect().wire())
    assert heard(owner.output)[:3] == [(5, b"\0\0\x13\x88"), (6, b"\0\0\x13\x88\2"), (1, b"\0\0\x10\0")]
    assert owner.session.replies.chunk_size == 4096


def test_only_clients_that_can_are_asked_to_reconnect():
    owner = Owner().feed(Client().connect().wire())
    assert not owner.session.ask_reconnect("rtmp://other/live", "drain")
    assert not Session(noise=NOISE).ask_reconnect("", "drain")
    owner = Owner().feed(Client().connect(capsEx=1.0).wire())
    assert owner.session.ask_reconnect("rtmp://other/live", "drain")
    assert owner.session.ask_reconnect("", "drain")
    said = heard(owner.output + owner.session.take_output())[-2:]
    assert said[0][-1]["code"] == "NetConnection.Connect.ReconnectRequest"
    assert [item[-1].get("tcUrl") for item in said] == ["rtmp://other/live", None]


def test_a_closed_session_takes_nothing_and_lets_go_of_the_sink():
    owner = Owner().feed(Client().connect().flash_publish().wire())
    owner.session.notify("NetStream.Publish.Denied", "kicked", "error")
    owner.session.close()
    assert owner.session.reader.sink is None
    assert owner.session.receive(b"anything") == []
    assert b"kicked" in owner.session.take_output()
    owner.session.close()


def test_a_proxy_prefix_is_shown():
    owner = Owner().feed(b"\xf3\0\4\xc0\0\2\x63" + Client().connect().wire())
    assert owner.session.proxy_ip == "192.0.2.99"
    assert owner.kinds() == [ConnectWanted]


def test_vhost_and_app_may_stand_in_the_stream_name():
    owner = Owner().feed(Client().connect(TC_URL + "?k=v").flash_publish("deep/room?vhost=other").wire())
    wanted = owner.events[1]
    assert (wanted.vhost, wanted.app, wanted.stream) == ("other", "live/deep", "room")
    assert wanted.param == "?vhost=other&k=v"


REFUSED = {
    "publish before connect": (lambda: Client().flash_publish(), CommandOrderError),
    "unknown call before connect": (lambda: Client().call("hello", 1), CommandOrderError),
    "connect twice": (lambda: Client().connect().connect(), CommandOrderError),
    "publish twice at once": (lambda: Client().connect().flash_publish().flash_publish(), CommandOrderError),
    "play while publishing": (lambda: Client().connect().flash_publish().play(), CommandOrderError),
    "publish while playing": (lambda: Client().connect().play().flash_publish(), CommandOrderError),
    "publish without a name": (
        lambda: Client().connect().call("publish", 1, None, stream_id=1),
        CommandError,
    ),
    "publish false at once": (lambda: Client().connect().call("publish", 1, None, False), CommandError),
    "play of a number": (lambda: Client().connect().call("play", 1, None, 5.0, stream_id=1), CommandError),
    "a name with dots": (lambda: Client().connect().flash_publish("../x"), CommandError),
    "a long name": (lambda: Client().connect().flash_publish("x" * 2000), CommandError),
    "connect without an object": (lambda: Client().call("connect", 1), CommandError),
    "a command without a name": (lambda: Client().send(20, b"\5"), CommandError),
    "a command cut short": (lambda: Client().send(20, b"\2\0\7conn"), AmfError),
    "a command too long": (lambda: Client().send(20, bytes(limits.COMMAND_BYTES_MAX + 1)), CommandError),
    "a short user control message": (lambda: Client().send(4, b"\0\6\0", 2), CommandError),
    "a short window": (lambda: Client().send(5, b"\0", 2), CommandError),
    "chunk size 0": (lambda: Client().send(1, bytes(4), 2), ChunkError),
}


@pytest.mark.parametrize(("client", "error"), REFUSED.values(), ids=REFUSED)
def test_what_a_peer_may_not_say_is_refused(client, error):
    wire = client().wire()
    with pytest.raises(error):
        Owner().feed(wire)
    with pytest.raises(error):
        Owner().feed(*(wire[n : n + 1] for n in range(len(wire))))


def test_a_connection_that_is_not_rtmp_is_refused_at_its_first_byte():
    with pytest.raises(HandshakeError):
        Owner().feed(b"G")


ANSWERS = {
    "accept_connect": (),
    "reject_connect": ("why",),
    "accept_publish": (CollectSink(),),
    "reject_publish": ("code", "why"),
    "accept_play": (),
    "reject_play": ("code", "why"),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_nobody_waits_for_is_our_own_mistake(answer):
    with pytest.raises(UsageError):
        getattr(Session(noise=NOISE), answer)(*ANSWERS[answer])


def test_resume_before_the_answer_is_our_own_mistake():
    session = Session(noise=NOISE)
    assert session.resume() == []
    session.receive(Client().connect().wire())
    with pytest.raises(UsageError):
        session.resume()


def test_the_table_reaches_every_state_and_leaves_every_waiting_one():
    reached = {State.GREETING}
    while True:
        more = {to for (start, _), to in NEXT.items() if start in reached} - reached
        if not more:
            break
        reached |= more
    assert reached == set(State)
    for state in WAITING:
        causes = {cause for start, cause in NEXT if start is state}
        assert any(cause.startswith("accept") for cause in causes)
        assert any(cause.startswith("reject") for cause in causes)
    assert all(to is State.CLOSED for (start, _), to in NEXT.items() if start is State.CLOSED)


def test_a_read_of_media_alone_makes_no_objects_but_the_list():
    owner = Owner().feed(Client().connect().flash_publish().wire())
    wire = Client().media(9, 40, bytes(1000)).wire()[3073:]
    assert owner.session.receive(wire) == []
    assert owner.session.take_output() == b""


PONG = b"\0\7\0\0\0\0"


def repeated(kind: int, payload: bytes, times: int) -> bytes:
    """A message, again and again, in whole chunks."""
    return write_message(kind, 0, 1, 4, payload, 0xFFFFFF) * times


def talking() -> Owner:
    """A publisher that has said nothing within the present span."""
    owner = Owner().feed(Client(0xFFFFFF).connect().flash_publish().wire())
    owner.session.now = 100.0
    return owner


def test_messages_besides_media_are_bounded():
    owner = talking()
    for _ in range(2):
        owner.session.now += limits.TALK_SECONDS
        owner.feed(repeated(4, PONG, limits.TALK_MESSAGES_MAX))
        owner.feed(repeated(9, b"\x27\1\0\0\0x", limits.TALK_MESSAGES_MAX))
    with pytest.raises(TalkError, match="messages besides media"):
        owner.feed(repeated(4, PONG, 1))


def test_bytes_besides_media_are_bounded():
    owner, body = talking(), amf0.encode("onCaption", "x" * 60_000)
    fits = limits.TALK_BYTES_MAX // len(body)
    for _ in range(2):
        owner.session.now += limits.TALK_SECONDS
        owner.feed(repeated(18, body, fits))
    with pytest.raises(TalkError, match="bytes besides media"):
        owner.feed(repeated(18, body, 1))


# --- hostile peers --------------------------------------------------------------------------------


def survives(wire: bytes, places=()) -> None:
    """Whatever bytes arrive, the session answers with events or a PeerError."""
    owner = Owner()
    try:
        for a, b in pairwise([0, *sorted(min(p, len(wire)) for p in places), len(wire)]):
            owner.feed(wire[a:b])
    except PeerError:
        return
    heard(owner.output) if len(owner.output) >= 3073 else None


STARTS = {
    "nothing": lambda: Client().encoder.wire[:0],
    "a handshake": lambda: Client().wire(),
    "a connect": lambda: Client().connect().wire(),
    "a publish": lambda: Client().connect().fmle_publish().wire(),
    "a play": lambda: Client().connect().play().wire(),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@settings(deadline=None)
@given(tail=st.binary(max_size=300), places=st.lists(st.integers(0, 5000), max_size=3))
def test_any_bytes_behind_a_start_give_events_or_a_peer_error(start, tail, places):
    survives(bytes(start()) + tail, places)


VALUES = st.recursive(
    st.floats() | st.booleans() | st.text(max_size=9) | st.none() | st.just(UNDEFINED),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("connect", "createStream", "releaseStream", "FCPublish", "publish", "FCUnpublish", "deleteStream"),
        *("closeStream", "play", "pause", "pauseRaw", "receiveAudio", "receiveVideo", "seek", "_result", "x"),
        *("getStreamLength", "_checkbw", "@setDataFrame", "onMetaData"),
    ]
)
CALLS = st.tuples(
    st.sampled_from([20, 20, 20, 17, 18, 15, 4, 5]),
    NAMES | st.text(max_size=5),
    st.lists(st.sampled_from([0.0, 1.0, 2.0, None, "room", True, False]) | VALUES, max_size=5),
    st.integers(0, 2),
)


@settings(deadline=None, max_examples=300)
@given(st.booleans(), st.lists(CALLS, max_size=8), st.lists(st.integers(0, 5000), max_size=3))
def test_any_commands_give_events_or_a_peer_error(connected, calls, places):
    client = Client()
    if connected:
        client.connect()
    for kind, name, arguments, stream_id in calls:
        client.send(kind, amf0.encode(name, *arguments), 3, stream_id)
    survives(client.wire(), places)


@settings(deadline=None, max_examples=200)
@given(st.sampled_from(list(FLOWS)), st.data())
def test_a_flow_with_changed_bytes_gives_events_or_a_peer_error(name, data):
    wire = bytearray(FLOWS[name]().wire())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(3073, len(wire)))
        wire[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    survives(bytes(wire))
