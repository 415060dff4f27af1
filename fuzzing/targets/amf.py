"""AMF 0 and AMF 3: any bytes give values or an AmfError, and what AMF 0 reads it writes so that it reads the same.

The first byte of an input chooses AMF 0, AMF 3, AMF 0 with a value of AMF 3, or a value that is built of the rest.
"""

from __future__ import annotations

from fastflv import limits
from fastflv.errors import AmfError, UsageError
from fastflv.media.amf import amf0, amf3
from fastflv.media.amf.values import UNDEFINED, Date, EcmaArray, TypedObject, Value, Xml, height
from fuzzing.choices import Choices

OBJECT = {"app": "live", "n": 1.0, "list": [None, True, UNDEFINED], "inner": EcmaArray({"a": Date(1.0)})}
SEEDS = (
    b"\0" + amf0.encode("connect", 1.0, OBJECT),
    b"\0" + amf0.encode(TypedObject("c", {"x": Xml("<a/>")}), [1.0, "b"]) + b"\7\0\0",
    b"\1\x0a\x0b\1\3a\6\5bc\3d\x09\3\1\4\1\1",
    b"\1\x0a\x13\5c\3a\4\1\x0a\1\4\2",
    b"\2\x09\5\1\6\3x\6\0",
    b"\2\x0a\7\x43flex.messaging.io.ArrayCollection\x09\3\1\1",
    b"\0\x11\x0c\1",
    b"\3" + bytes(range(64)),
)
WORDS = (
    b"\0\0\x09",
    b"\3\0\1a",
    b"\x08\0\0\0\1",
    b"\x0a\0\0\0\2",
    b"\7\0\0",
    b"\x11",
    b"\x0c\0\0\0\1",
    b"\x10\0\1a",
    b"\x0a\x0b\1",
    b"\x0a\0",
)


def built(choices: Choices, depth: int = 0) -> Value:
    """A value that the input describes."""
    way = choices.number() % (13 if depth < 40 else 8)
    text = choices.take(choices.number() % 9).decode("latin-1") if way in (3, 7, 9, 10, 11, 12) else ""
    if way > 7:
        count = choices.number() % 4
        if way == 8:
            return [built(choices, depth + 1) for _ in range(count)]
        pairs = {f"{text}{index}": built(choices, depth + 1) for index in range(count)}
        return (pairs, EcmaArray(pairs), TypedObject(text, pairs), pairs)[way - 9]
    plain = (
        None,
        True,
        float(choices.number(2)),
        text,
        UNDEFINED,
        Date(float(choices.number())),
        False,
        Xml(text),
    )
    return plain[way]


def check_again(value: Value) -> None:
    """Hold that *value*, which was read, is written and read as the same."""
    wire = amf0.encode(value)
    assert height(value) <= limits.AMF_DEPTH_MAX
    # NaN differs from itself, so bytes are compared; those of the second time, since bytes of AMF 3 come back as undefined.
    again, end = amf0.decode(wire)
    assert end == len(wire)
    second = amf0.encode(again)
    assert amf0.encode(amf0.decode(second)[0]) == second


def check(data: bytes) -> None:
    way, body = data[:1], data[1:]
    if way == b"\3":
        value = built(Choices(body))
        try:
            check_again(value) if height(value) <= limits.AMF_DEPTH_MAX else amf0.encode(value)
        except UsageError:
            assert height(value) > limits.AMF_DEPTH_MAX
        return
    try:
        if way == b"\1":
            value, end = amf3.decode(body)
            assert 0 < end <= len(body)
            amf0.encode(value)
            return
        values = amf0.decode_all(b"\x11" * (way == b"\2") + body)
    except AmfError as error:
        assert error.offset <= len(body) + 1
        return
    for value in values:
        check_again(value)
