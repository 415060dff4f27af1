"""What encoders send that players cannot read as it is: a clip, its tags written in another form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Final

from flvread import AUDIO, VIDEO, Tag

START_CODE: Final = b"\0\0\0\1"
SEI: Final = b"\x06\x05\xff\x29" + bytes(range(16)) + b"x" * 280 + b"\x80"
"User data, 300 bytes and more: its length looks like a start code of 3 bytes behind a zero."
EMPTY: Final = b"\x17\0\0\0\0"


def units(body: bytes) -> list[bytes]:
    """The NAL units of a picture with lengths of 4 bytes."""
    found, at = [], 5
    while at < len(body):
        size = int.from_bytes(body[at : at + 4], "big")
        found.append(body[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def sets(config: bytes) -> list[bytes]:
    """SPS and PPS of an AVC sequence header with one of each."""
    at = 5 + 6
    size = int.from_bytes(config[at : at + 2], "big")
    sps = config[at + 2 : at + 2 + size]
    at += 2 + size + 1
    size = int.from_bytes(config[at : at + 2], "big")
    return [sps, config[at + 2 : at + 2 + size]]


def sized(found: list[bytes], size: int = 4) -> bytes:
    """NAL units behind lengths."""
    return b"".join(len(unit).to_bytes(size, "big") + unit for unit in found)


def video(tags: list[Tag], change: Callable[[Tag, list[bytes]], list[bytes]]) -> list[Tag]:
    """Replace each video tag: *change* returns bodies for it; it is given the parameter sets."""
    config = next(tag.body for tag in tags if tag.kind == VIDEO and tag.is_config)
    made: list[Tag] = []
    for tag in tags:
        bodies = change(tag, sets(config)) if tag.kind == VIDEO and len(tag.body) > 5 else [tag.body]
        made += [tag._replace(body=body) for body in bodies]
    return made


def pictures(change: Callable[[bytes], bytes]) -> Callable[[list[Tag]], list[Tag]]:
    """Replace the bodies of pictures alone."""
    return lambda tags: video(tags, lambda tag, _: [tag.body if tag.is_config else change(tag.body)])


def short_lengths(tags: list[Tag]) -> list[Tag]:
    """NAL units behind lengths of 3 bytes."""

    def change(tag: Tag, _: list[bytes]) -> list[bytes]:
        body = tag.body
        if tag.is_config:
            return [body[:9] + bytes([body[9] & 0xFC | 2]) + body[10:]]
        return [body[:5] + sized(units(body), 3)]

    return video(tags, change)


def start_codes(tags: list[Tag]) -> list[Tag]:
    """An empty sequence header, and Annex B pictures with parameter sets."""

    def change(tag: Tag, known: list[bytes]) -> list[bytes]:
        if tag.is_config:
            return [EMPTY]
        found = [*known, *units(tag.body)] if tag.is_key else units(tag.body)
        return [tag.body[:5] + b"".join(START_CODE + unit for unit in found)]

    return video(tags, change)


def sets_apart(tags: list[Tag]) -> list[Tag]:
    """An empty sequence header, and parameter sets in a tag of their own before each keyframe."""

    def change(tag: Tag, known: list[bytes]) -> list[bytes]:
        if tag.is_config:
            return [EMPTY]
        return [tag.body[:5] + sized(known), tag.body] if tag.is_key else [tag.body]

    return video(tags, change)


def sei_apart(tags: list[Tag]) -> list[Tag]:
    """A tag with nothing but SEI before each picture."""
    return video(
        tags,
        lambda tag, _: [tag.body] if tag.is_config else [b"\x27" + tag.body[1:5] + sized([SEI]), tag.body],
    )


def as_inter(body: bytes) -> bytes:
    """A picture whose tag says that it is no keyframe."""
    return bytes([body[0] & 0x0F | 0x20]) + body[1:]


def sound(
    tags: list[Tag],
    config: Callable[[bytes], list[bytes]] = lambda record: [record],
    frame: Callable[[bytes, bytes], bytes] = lambda raw, record: raw,
) -> list[Tag]:
    """Replace AAC: what *config* returns for the record, and *frame* for a raw frame."""
    record = next(tag.body[2:] for tag in tags if tag.kind == AUDIO and tag.is_config)
    made: list[Tag] = []
    for tag in tags:
        if tag.kind != AUDIO:
            made.append(tag)
        elif tag.is_config:
            made += [tag._replace(body=tag.body[:2] + new) for new in config(record)]
        else:
            made.append(tag._replace(body=tag.body[:2] + frame(tag.body[2:], record)))
    return made


def in_adts(raw: bytes, record: bytes) -> bytes:
    """A frame in ADTS."""
    kind, rate, channels = record[0] >> 3, (record[0] & 7) << 1 | record[1] >> 7, record[1] >> 3 & 15
    size = len(raw) + 7
    head = 0xFFF1 << 40 | (kind - 1) << 38 | rate << 34 | channels << 30 | size << 13 | 0x7FF << 2
    return head.to_bytes(7, "big") + raw


def program(record: bytes, before: str = "") -> bytes:
    """The program config element of one pair of channels, behind the bits *before*."""
    rate = (record[0] & 7) << 1 | record[1] >> 7
    fields = (
        (0, 4),
        (1, 2),
        (rate, 4),
        (1, 4),
        (0, 4),
        (0, 4),
        (0, 2),
        (0, 3),
        (0, 4),
        (0, 3),
        (1, 1),
        (0, 4),
    )
    bits = before + "".join(f"{value:0{size}b}" for value, size in fields)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big") + b"\0"


def no_layout(record: bytes) -> bytes:
    """An AudioSpecificConfig with channel configuration 0, up to the program config element."""
    return bytes([record[0], record[1] & 0x80])


def no_sound(tags: list[Tag]) -> list[Tag]:
    """Sound is promised by its header, and never comes."""
    return [tag for tag in tags if tag.kind != AUDIO or tag.is_config]


FORMS: Final[dict[str, Callable[[list[Tag]], list[Tag]]]] = {
    "adts": lambda tags: sound(tags, frame=in_adts),
    "adts_alone": lambda tags: sound(tags, lambda record: [], in_adts),
    "program": lambda tags: sound(tags, lambda record: [no_layout(record) + program(record)]),
    "program_in_frames": lambda tags: sound(
        tags, lambda record: [no_layout(record)], lambda raw, record: program(record, "101") + raw
    ),
    "short_lengths": short_lengths,
    "start_codes": start_codes,
    "stray_byte": pictures(lambda body: body + b"\0"),
    "length_like_a_start_code": pictures(lambda body: body[:5] + sized([SEI, *units(body)]) + b"\0"),
    "sets_apart": sets_apart,
    "sei_apart": sei_apart,
    "keys_as_inter": pictures(as_inter),
    "no_sound": no_sound,
}
"What is done to the tags of a clip of H.264 and AAC of two channels."


def by_second(tags: list[Tag]) -> Iterator[list[Tag]]:
    """Parts of *tags*, each of a second."""
    seconds = accumulate((tag.time // 1000 for tag in tags), max)
    parts: dict[int, list[Tag]] = {}
    for second, tag in zip(seconds, tags, strict=True):
        parts.setdefault(second, []).append(tag)
    yield from parts.values()
