"""AMF 0 both ways, AMF 3 in: round trips, the model, wrong encoders and hostile bytes."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model import amf as model

from fastflv import limits
from fastflv.errors import AmfError, UsageError
from fastflv.media.amf import amf0, amf3
from fastflv.media.amf.values import UNDEFINED, Date, EcmaArray, TypedObject, Xml

NUMBERS = st.floats(allow_nan=False)
TEXT = st.text(max_size=12)
NAMES = st.text(min_size=1, max_size=8)
LEAVES = (
    NUMBERS
    | st.booleans()
    | TEXT
    | st.none()
    | st.just(UNDEFINED)
    | st.builds(Date, NUMBERS, st.integers(-32768, 32767))
    | TEXT.map(Xml)
)


def nested(leaves, names=TEXT):
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(names, inner, max_size=4)
            | st.dictionaries(names, inner, min_size=1, max_size=4).map(EcmaArray)
            | st.builds(TypedObject, NAMES, st.dictionaries(names, inner, max_size=4))
        ),
        max_leaves=12,
    )


VALUES = nested(LEAVES)
VALUES3 = nested(
    NUMBERS
    | st.integers(-(1 << 28), (1 << 28) - 1).map(float)
    | st.booleans()
    | TEXT
    | st.none()
    | st.just(UNDEFINED)
    | st.builds(Date, NUMBERS)
    | st.binary(max_size=9)
    | TEXT.map(Xml),
    NAMES,
)


def shape(value):
    """The value with the class of each part beside it: dict == EcmaArray would hide a wrong marker."""
    if isinstance(value, dict):
        return type(value), getattr(value, "class_name", ""), {k: shape(v) for k, v in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value), value


@given(st.lists(VALUES, max_size=4))
def test_decoding_gives_back_what_was_encoded(values):
    wire = amf0.encode(*values)
    assert shape(amf0.decode_all(wire)) == shape(values)
    assert amf0.encode(*amf0.decode_all(memoryview(wire))) == wire


@given(VALUES)
def test_the_slow_model_reads_the_same(value):
    wire = amf0.encode(value)
    source = BytesIO(wire)
    assert shape(model.read0(source)) == shape(amf0.decode(wire)[0])
    assert source.read() == b""


@given(VALUES, st.binary(max_size=5))
def test_decode_says_where_the_value_ended(value, tail):
    wire = amf0.encode(value)
    assert amf0.decode(b"\xff" + wire + tail, 1)[1] == 1 + len(wire)


@given(st.lists(VALUES, min_size=1, max_size=3), st.data())
def test_a_truncation_is_an_error_or_a_prefix(values, data):
    wire = amf0.encode(*values)
    cut = data.draw(st.integers(0, len(wire) - 1))
    try:
        found = amf0.decode_all(wire[:cut])
    except AmfError:
        return
    assert len(found) <= len(values)
    assert shape(found[:-1]) == shape(values[: len(found)][:-1])


@given(st.binary(max_size=300))
def test_any_bytes_give_values_or_an_amf_error(wire):
    try:
        values = amf0.decode_all(wire)
    except AmfError:
        return
    amf0.encode(*values)


MARKERS = st.sampled_from([bytes([marker]) for marker in range(19)])
JUNK = st.lists(MARKERS | st.just(b"\0\0") | st.just(b"\0\1a") | st.binary(max_size=3), max_size=60).map(
    b"".join
)


@given(JUNK)
def test_any_markers_give_values_or_an_amf_error(wire):
    for start in (b"", b"\x11", b"\x03\0\1a", b"\x08\0\0\0\1\0\1b", b"\x0a\0\0\0\4"):
        try:
            values = amf0.decode_all(start + wire)
        except AmfError:
            continue
        amf0.encode(*values)


PAIR = b"\0\1a\x05"
LENIENT = {
    "object without an end marker": (b"\x03" + PAIR, {"a": None}),
    "object with half an end marker": (b"\x03" + PAIR + b"\0\0", {"a": None}),
    "ECMA array that counts too many": (b"\x08\0\0\0\x09" + PAIR + b"\0\0\x09", {"a": None}),
    "ECMA array that counts too few": (b"\x08\0\0\0\0" + PAIR + b"\0\0\x09", {"a": None}),
    "ECMA array without an end marker": (b"\x08\0\0\0\1" + PAIR, {"a": None}),
    "an empty name in an object": (b"\x03\0\0\x05\0\0\x09", {"": None}),
    "text that is not UTF-8": (b"\x02\0\2a\xff", "a\ufffd"),
    "a boolean that is neither 0 nor 1": (b"\x01\x07", True),
    "unsupported": (b"\x0d", UNDEFINED),
}


@pytest.mark.parametrize(("wire", "value"), LENIENT.values(), ids=LENIENT)
def test_known_mistakes_of_encoders_are_read(wire, value):
    assert amf0.decode(wire) == (value, len(wire))


REFUSED = {
    "nothing": b"",
    "unknown marker": b"\x0e",
    "object end outside an object": b"\x09",
    "short number": b"\0" + bytes(7),
    "short text": b"\x02\0\5abcd",
    "array of more values than bytes": b"\x0a\xff\xff\xff\xff\x05",
    "reference to nothing": b"\x07\0\0",
    "array that contains itself": b"\x0a\0\0\0\1\x07\0\0",
    "AMF 3 object that contains itself": b"\x11\x0a\x0b\1\3a\x0a\0\1",
    "AMF 3 string of an empty table": b"\x11\6\0",
    "AMF 3 class with a private body": b"\x11\x0a\x07\3X",
    "AMF 3 traits of an empty table": b"\x11\x0a\x01",
    "AMF 3 vector": b"\x11\x0d\1\0",
    "AMF 3 array of more values than bytes": b"\x11\x09\xff\xff\xff\xff\x01",
    "AMF 3 class of more names than bytes": b"\x11\x0a\xff\xff\xff\xf3\x01",
    "name that would not fit again": b"\x03\xff\xff" + b"\xff" * 0xFFFF + b"\5",
}


@pytest.mark.parametrize("wire", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_an_amf_error(wire):
    with pytest.raises(AmfError):
        amf0.decode(wire)


def test_nesting_is_bounded():
    def nest(depth):
        return b"\x0a\0\0\0\1" * depth + b"\x05"

    assert amf0.decode(nest(limits.AMF_DEPTH_MAX))[0]
    with pytest.raises(AmfError, match="deep"):
        amf0.decode(nest(limits.AMF_DEPTH_MAX + 1))


def test_the_number_of_values_is_bounded():
    assert len(amf0.decode_all(b"\x05" * limits.AMF_VALUES_MAX)) == limits.AMF_VALUES_MAX
    with pytest.raises(AmfError, match="values"):
        amf0.decode_all(b"\x05" * (limits.AMF_VALUES_MAX + 1))


def test_a_reference_is_a_copy_and_is_paid_for():
    wire = amf0.encode({"a": 1.0}) + b"\x07\0\0"
    first, second = amf0.decode_all(wire)
    assert first == second
    assert first is not second
    big = b"\x0c" + struct.pack(">I", 30_000) + bytes(30_000)
    with pytest.raises(AmfError, match="repeat"):
        amf0.decode_all(b"\x0a\0\0\0\1" + big + b"\x07\0\0" * 3)


def test_references_of_references_cannot_grow_without_bound():
    doubling = b"".join(
        b"\x0a\0\0\0\2" + b"\x07" + struct.pack(">H", n) + b"\x07" + struct.pack(">H", n) for n in range(60)
    )
    with pytest.raises(AmfError):
        amf0.decode_all(b"\x0a\0\0\0\0" + doubling)


def test_references_cannot_nest_without_bound():
    wire = b"\x0a\0\0\0\0" + b"".join(b"\x0a\0\0\0\1\x07" + struct.pack(">H", n) for n in range(100))
    with pytest.raises(AmfError, match="deep"):
        amf0.decode_all(wire)


def test_long_text_uses_the_long_marker():
    assert amf0.encode("x" * 0xFFFF)[0] == amf0.STRING
    wire = amf0.encode("x" * 0x10000)
    assert wire[0] == amf0.LONG_STRING
    assert amf0.decode(wire) == ("x" * 0x10000, len(wire))


def test_what_amf0_cannot_say_is_our_own_mistake():
    loop: list = []
    loop.append(loop)
    for value in (loop, object(), {"x" * 0x10000: None}):
        with pytest.raises(UsageError):
            amf0.encode(value)
    assert amf0.encode(b"bytes") == b"\x0d"


@given(VALUES3)
def test_amf3_decoding_gives_back_what_the_model_encoded(value):
    wire = model.Writer3().value(value)
    assert shape(amf3.decode(wire)[0]) == shape(value)
    assert amf3.decode(wire)[1] == len(wire)
    after = amf0.decode_all(b"\x11" + wire + b"\x05")
    assert shape(after) == shape([value, None])


@given(VALUES3, st.data())
def test_amf3_truncated_is_an_amf_error(value, data):
    wire = model.Writer3().value(value)
    cut = data.draw(st.integers(0, len(wire) - 1))
    with pytest.raises(AmfError):
        amf3.decode(wire[:cut])


@given(st.lists(MARKERS | st.binary(max_size=4), max_size=40).map(b"".join))
def test_any_amf3_bytes_give_a_value_or_an_amf_error(wire):
    for start in (b"", b"\x0a\x0b\1", b"\x09\x09\1", b"\x0a\x23\1\3a\3b"):
        try:
            value, at = amf3.decode(start + wire)
        except AmfError:
            continue
        assert at <= len(start + wire)
        amf0.encode(value)


def test_amf3_object_references_give_equal_copies():
    wire = b"\x09\5\1" + b"\x0a\x0b\1\3a\1\1" + b"\x0a\2"
    assert amf3.decode(wire)[0] == [{"a": None}, {"a": None}]


def test_amf3_wrappers_are_unwrapped():
    name = b"flex.messaging.io.ArrayCollection"
    wire = b"\x0a\x07" + bytes([len(name) << 1 | 1]) + name + b"\x09\3\1\3"
    assert amf3.decode(wire)[0] == [True]


def test_amf3_arrays_with_names_keep_their_indexes():
    assert amf3.decode(b"\x09\3\3k\2\1\3")[0] == {"0": True, "k": False}


def test_an_amf3_string_cannot_be_repeated_without_bound():
    text = b"\x06" + model.u29(30_000 << 1 | 1) + b"x" * 30_000
    with pytest.raises(AmfError, match="repeat"):
        amf3.decode(b"\x09\x0d\1" + text + b"\6\0" * 5)
