"""Where another origin's media goes on: found by frames that are equal, in a model without sockets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key, sound

from fastflv.cluster.splice import Tail, ahead, is_frame
from fastflv.cluster.upstream import Held

GOP = 25
SCRIPT = 18


def film(first: int, last: int, *, offset: int = 0, size: int = 300, audio: bool = True, video: bool = True):
    """Pictures *first* to *last* and their sounds, 40 ms each, with headers before keyframes; times modulo 2**32."""
    for number in range(first, last):
        time = (number * 40 + offset) % (1 << 32)
        mark = number.to_bytes(4, "big") + bytes(size)
        if video and number % GOP == 0:
            yield VIDEO, time, AVC_HEADER
            yield AUDIO, time, AAC_HEADER
        if video:
            yield VIDEO, time, (key if number % GOP == 0 else inter)(mark)
        if audio:
            yield AUDIO, (time + 7) % (1 << 32), sound(mark)


def held(*span: int, **more) -> list[Held]:
    return [Held(*each) for each in film(*span, **more)]


def numbers(found: list[Held], kind: int) -> list[int]:
    start = 5 if kind == VIDEO else 2
    return [int.from_bytes(each.body[start : start + 4], "big") for each in found if each.kind == kind]


@given(
    seen=st.integers(26, 60),
    begins=st.sampled_from([0, 25, 50]),
    more=st.integers(1, 40),
    offset=st.integers(0, (1 << 32) - 1),
    size=st.sampled_from([0, 300]),
    tracks=st.sampled_from([(True, True), (True, False), (False, True)]),
)
def test_frames_go_on_behind_the_last_whatever_the_clock_of_the_other_origin(
    seen, begins, more, offset, size, tracks
):
    audio, video = tracks
    form = {"size": size, "audio": audio, "video": video}
    tail = Tail(film(25, seen, **form), 1000)
    other = held(begins, begins + more, offset=offset, **form)
    found = tail.offset(other)
    common = range(max(25, begins), min(seen, begins + more))
    if found is None:
        # Nothing in common, or a few frames without content.
        assert len(common) < 3 and (not common or size == 0)
        return
    assert common
    assert found % (1 << 32) == -offset % (1 << 32) or size == 0
    ends = begins + more
    assert tail.caught_up(other, found) == (ends >= seen)
    for kind, there in ((VIDEO, video), (AUDIO, audio)):
        if there:
            assert numbers(tail.rest(other, found), kind) == list(range(max(seen, begins), ends))


def test_frames_that_come_again_and_again_say_nothing():
    still = [(VIDEO, 40 * number, inter(bytes(2000))) for number in range(50)]
    tail = Tail(still)
    assert tail.offset([Held(VIDEO, 40 * number, inter(bytes(2000))) for number in range(3)]) is None


def test_headers_and_metadata_that_players_have_are_left_out_and_cues_are_not():
    tail = Tail(film(25, 40))
    other = held(25, 45)
    other[0:0] = [Held(SCRIPT, 0, b"x", "onMetaData"), Held(SCRIPT, 0, b"x", "onCue")]
    other.append(Held(SCRIPT, 45 * 40, b"y", "onCue"))
    rest = tail.rest(other, 0)
    assert [each for each in rest if not is_frame(each.kind, each.body)] == [
        Held(SCRIPT, 45 * 40, b"y", "onCue")
    ]


def test_times_are_compared_modulo_32_bits():
    assert ahead(5, (1 << 32) - 5) == 10
    assert ahead((1 << 32) - 5, 5) == -10
