"""HLS playlists as a reader that forgives nothing, and what a server may change between two of them.

Spec: RFC 8216, 4 (text and tags), 6.2.1 and 6.2.2 (changes of a live playlist).
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import NamedTuple

DECIMAL = re.compile(r"[0-9]{1,20}")
FLOATING = re.compile(r"[0-9]+(\.[0-9]+)?")
ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"\r\n]*"|[^",\s]+)(?:,|$)')
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")
IV = re.compile(r"0x[0-9a-fA-F]{32}")
URI = re.compile(r"[A-Za-z0-9%/?#\[\]@!$&'()*+,;=:._~-]+")
ONCE = {
    "#EXT-X-VERSION",
    "#EXT-X-TARGETDURATION",
    "#EXT-X-MEDIA-SEQUENCE",
    "#EXT-X-DISCONTINUITY-SEQUENCE",
    "#EXT-X-ENDLIST",
}


class Broken(Exception):
    """A rule is broken."""


def must(good: bool, complaint: str) -> None:
    if not good:
        raise Broken(complaint)


class Segment(NamedTuple):
    uri: str
    duration: float
    number: int
    "Media sequence number."
    discontinuities: int
    "Discontinuity sequence number."
    map_uri: str
    date: float
    "Wall clock at its start, seconds since 1970; 0 where the playlist does not tell."
    key_uri: str = ""
    "Empty: not encrypted."
    iv: bytes = b""


class Media(NamedTuple):
    version: int
    target: int
    segments: list[Segment]
    ended: bool
    sequence: int
    discontinuities: int

    @property
    def length(self) -> float:
        """Seconds, summed in milliseconds: a sum of floats falls short of a whole number."""
        return sum(round(segment.duration * 1000) for segment in self.segments) / 1000


def lines_of(text: str) -> list[str]:
    must("\r" not in text.replace("\r\n", "\n"), "a lone carriage return")
    must(not text.startswith("\ufeff"), "a byte order mark")
    must(text.endswith("\n"), "the last line has no end")
    must(all(c == "\n" or c >= " " for c in text), "a control character")
    lines = text.split("\n")[:-1]
    must(lines[:1] == ["#EXTM3U"], "the first line is not #EXTM3U")
    must(all(line == line.strip() for line in lines), "space around a line")
    must("#EXTM3U" not in lines[1:], "#EXTM3U again")
    return lines[1:]


def attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = ATTRIBUTE.match(text, at)
        must(match is not None, f"attributes {text[at:]!r}")
        assert match is not None
        must(match[1] not in found, f"{match[1]} twice")
        found[match[1]] = match[2]
        at = match.end()
    return found


def quoted(text: str) -> str:
    must(len(text) > 1 and text[0] == text[-1] == '"', f"{text} is not quoted")
    return text[1:-1]


def number(text: str) -> int:
    must(DECIMAL.fullmatch(text) is not None and int(text) < 2**64, f"{text!r} is no decimal integer")
    return int(text)


def read_media(text: str) -> Media:
    """Read a media playlist of a live stream."""
    seen: dict[str, str] = {}
    segments: list[Segment] = []
    duration: float | None = None
    broken = 0
    date = 0.0
    map_uri = key_uri = ""
    iv = b""
    map_used = float_used = False
    for line in lines_of(text):
        if not line or (line.startswith("#") and not line.startswith("#EXT")):
            continue
        name, _, value = line.partition(":")
        must(
            "#EXT-X-ENDLIST" not in seen or not segments or not line.startswith("#EXTINF"),
            "media behind the end",
        )
        if name in ONCE:
            must(name not in seen, f"{name} twice")
            must((not segments and duration is None) or name == "#EXT-X-ENDLIST", f"{name} behind a segment")
            seen[name] = value
            if name == "#EXT-X-DISCONTINUITY-SEQUENCE":
                must(broken == 0, "discontinuity sequence behind a discontinuity")
        elif name == "#EXTINF":
            must(duration is None, "two durations for one segment")
            length, comma, _ = value.partition(",")
            must(comma == "," and FLOATING.fullmatch(length) is not None, f"duration {value!r}")
            float_used = float_used or "." in length
            duration = float(length)
        elif name == "#EXT-X-DISCONTINUITY":
            must(value == "" and duration is None, "a discontinuity between a segment and its duration")
            broken += 1
        elif name == "#EXT-X-PROGRAM-DATE-TIME":
            must(DATE.fullmatch(value) is not None, f"{value!r} is no date")
            date = datetime.fromisoformat(value).timestamp()
        elif name == "#EXT-X-KEY":
            found = attributes(value)
            key_uri, iv = "", b""
            if found["METHOD"] != "NONE":
                must(found.keys() == {"METHOD", "URI", "IV"} and found["METHOD"] == "AES-128", value)
                must(IV.fullmatch(found["IV"]) is not None, f"{found['IV']} is no 128 bits")
                key_uri, iv = quoted(found["URI"]), bytes.fromhex(found["IV"][2:])
        elif name == "#EXT-X-MAP":
            must(not key_uri, "a map behind a key: it would have to be encrypted")
            map_uri = quoted(attributes(value)["URI"])
            map_used = True
        elif line.startswith("#"):
            must(False, f"what is {line!r}?")
        else:
            must(URI.fullmatch(line) is not None, f"{line!r} is no URI")
            must(duration is not None, "a segment without a duration")
            assert duration is not None
            first = number(seen.get("#EXT-X-DISCONTINUITY-SEQUENCE", "0"))
            base = number(seen.get("#EXT-X-MEDIA-SEQUENCE", "0"))
            segments.append(
                Segment(line, duration, base + len(segments), first + broken, map_uri, date, key_uri, iv)
            )
            duration, date = None, 0.0
    must(duration is None, "a duration without a segment")
    version = number(seen.get("#EXT-X-VERSION", "1"))
    must(version >= 3 or not float_used, "durations with fractions before version 3")
    must(version >= 6 or not map_used, "EXT-X-MAP before version 6")
    must("#EXT-X-TARGETDURATION" in seen, "no target duration")
    target = number(seen["#EXT-X-TARGETDURATION"])
    for segment in segments:
        must(int(segment.duration + 0.5) <= target, f"{segment.duration} s, target {target}")
        must(segment.duration > 0, "a segment without length")
    return Media(
        version,
        target,
        segments,
        "#EXT-X-ENDLIST" in seen,
        number(seen.get("#EXT-X-MEDIA-SEQUENCE", "0")),
        number(seen.get("#EXT-X-DISCONTINUITY-SEQUENCE", "0")),
    )


def check_step(old: Media, new: Media) -> None:
    """What a client may rely on when it loads a live playlist again."""
    must(not old.ended or new == old, "a playlist that had ended changed")
    must(new.target == old.target, f"the target duration was {old.target} and is {new.target}")
    must(new.sequence >= old.sequence, "the media sequence went back")
    must(new.discontinuities >= old.discontinuities, "the discontinuity sequence went back")
    before = {segment.number: segment for segment in old.segments}
    for segment in new.segments:
        must(
            before.get(segment.number, segment) == segment,
            f"segment {segment.number} was {before.get(segment.number)} and is {segment}",
        )
    uris = [segment.uri for segment in old.segments] + [
        segment.uri for segment in new.segments if segment.number not in before
    ]
    must(len(set(uris)) == len(uris), "a URI stands for two segments")
    if old.segments and new.segments:
        must(new.segments[0].number <= old.segments[-1].number + 1, "segments that nobody was told of")
        must(new.segments[-1].number >= old.segments[-1].number, "segments were taken back")


def check_removal(old: Media, new: Media) -> None:
    """RFC 8216, 6.2.2: what is left is three target durations long, unless it never was that long."""
    if new.sequence > old.sequence:
        must(new.length >= 3 * new.target, f"{new.length} s are left, {3 * new.target} s must be")


class Master(NamedTuple):
    uri: str
    attributes: dict[str, str]


def read_master(text: str) -> Master:
    """Read a master playlist with one rendition."""
    lines = lines_of(text)
    must(len(lines) == 2 and lines[0].startswith("#EXT-X-STREAM-INF:"), f"no rendition in {lines}")
    must(URI.fullmatch(lines[1]) is not None, f"{lines[1]!r} is no URI")
    found = attributes(lines[0].partition(":")[2])
    must(number(found["BANDWIDTH"]) > 0, "no bandwidth")
    if "RESOLUTION" in found:
        must(re.fullmatch(r"[0-9]+x[0-9]+", found["RESOLUTION"]) is not None, found["RESOLUTION"])
    if "CODECS" in found:
        found["CODECS"] = quoted(found["CODECS"])
    return Master(lines[1], found)
