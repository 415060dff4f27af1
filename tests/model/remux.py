"""FLV tags from FLV tags, slow and obvious: tracks left out, HEVC by its other label."""

from __future__ import annotations

from model.bodies import payload
from model.flv import AUDIO, COMMAND, CONFIG, KEY, SCRIPT, VIDEO, Tag

from fastflv._ext.syntax.flvtag import traits

AS_IS, LEGACY, ENHANCED = 0, 1, 2
HEVC_ID, HVC1 = 12, int.from_bytes(b"hvc1", "big")


class Choice:
    """What of a stream a player asked for."""

    def __init__(self, *, audio=True, video=True, keys_only=False, label=AS_IS, edit=None) -> None:
        self.audio = audio
        self.video = video
        self.keys_only = keys_only
        self.label = label
        self.edit = edit

    def of(self, tag: Tag) -> Tag | None:
        """What becomes of a tag; None when it is left out."""
        if tag.kind == SCRIPT:
            return tag._replace(body=self.edit(tag.body)) if self.edit else tag
        if tag.kind == AUDIO:
            return tag if self.audio else None
        if not self.video or (self.keys_only and not traits(VIDEO, tag.body)[0] & (KEY | CONFIG | COMMAND)):
            return None
        return self.labelled(tag)

    def labelled(self, tag: Tag) -> Tag | None:
        found = payload(VIDEO, tag.body)
        extended = bool(tag.body) and tag.body[0] >= 0x80
        if self.label == LEGACY and extended and traits(VIDEO, tag.body)[1] == HVC1:
            if found is None or found.packet > 2:
                return None  # the id has no form for it: colours, further tracks
            head = bytes([found.frame << 4 | HEVC_ID, found.packet])
            return tag._replace(body=head + (found.cts_ms % 2**24).to_bytes(3, "big") + found.data)
        if self.label == ENHANCED and found is not None and found.codec == HEVC_ID and found.packet <= 2:
            head = bytes([0x80 | found.frame << 4 | found.packet]) + b"hvc1"
            if found.packet == 1:
                head += (found.cts_ms % 2**24).to_bytes(3, "big")
            return tag._replace(body=head + found.data)
        return tag
