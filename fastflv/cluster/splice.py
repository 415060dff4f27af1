"""Where one origin's media goes on from another's: by the frames that both have.

Origins pass frames as they are, whatever software they run, and each has times of its own. So the newest frames that
players have are looked for among those of the other origin. Their distance in time holds for all frames behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from fastflv import limits
from fastflv._ext.log.medialog import MediaLog
from fastflv.cluster.upstream import Held
from fastflv.containers.flv.reader import walk_tags
from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO

TURN = 1 << 32


def ahead(a: int, b: int) -> int:
    """Return how far *a* lies behind *b* in time, ms; both modulo 2**32."""
    return (a - b + TURN // 2) % TURN - TURN // 2


def is_frame(kind: int, body: bytes) -> bool:
    """Whether a message is a frame of the default track, and no sequence header, command or multitrack message."""
    if len(body) < 3 or kind not in (AUDIO, VIDEO):
        return False
    if kind == AUDIO:
        if body[0] >> 4 == 9:
            return body[0] & 15 == 1
        return body[0] >> 4 != 10 or body[1] == 1
    if body[0] & 0x80:
        return body[0] & 15 in (1, 3)
    return body[0] & 15 not in (7, 12) or body[1] == 1


def from_key(held: Sequence[Held]) -> list[Held]:
    """Return *held* without the frames before the newest keyframe; without a keyframe all of it."""
    newest = max((index for index, each in enumerate(held) if each.is_key), default=0)
    before = [each for each in held[:newest] if not is_frame(each.kind, each.body)]
    return [*before, *held[newest:]]


class Tail:
    """The newest frames that players of a stream have."""

    def __init__(self, frames: Iterable[tuple[int, int, bytes]], epoch_ms: int = 0, head: int = 0) -> None:
        """*frames*: kind, time in ms modulo 2**32, and body, the oldest first.

        *epoch_ms*: stream time at their time 0, ms. *head*: of the log then.
        """
        self.epoch_ms = epoch_ms
        self.head = head
        self.last: dict[int, int] = {}
        "The newest time of each kind."
        self._times: dict[tuple[int, bytes], list[int]] = {}
        for kind, time, body in frames:
            if is_frame(kind, body):
                self._times.setdefault((kind, body), []).append(time)
                self.last[kind] = time

    def offset(self, held: Sequence[Held]) -> int | None:
        """Return what to add to the times of *held*, ms; None where too few frames agree."""
        kind = VIDEO if VIDEO in self.last else AUDIO
        votes: Counter[int] = Counter()
        for each in held:
            if each.kind == kind and is_frame(kind, each.body):
                weight = limits.SPLICE_FRAMES_MIN if len(each.body) >= limits.SPLICE_BYTES_SURE else 1
                for time in self._times.get((kind, each.body), ()):
                    votes[ahead(time, each.timestamp)] += weight
        if not votes:
            return None
        (offset, count), *others = votes.most_common(2)
        # Two offsets that are as likely say that the same frames come again and again.
        return (
            offset if count >= limits.SPLICE_FRAMES_MIN and not (others and others[0][1] == count) else None
        )

    def caught_up(self, held: Sequence[Held], offset: int) -> bool:
        """Whether *held* has come as far as players have, on all tracks that it has."""
        newest: dict[int, int] = {}
        for each in held:
            if is_frame(each.kind, each.body):
                newest[each.kind] = each.timestamp + offset
        return bool(newest) and all(
            ahead(time, self.last[kind]) >= 0 for kind, time in newest.items() if kind in self.last
        )

    def rest(self, held: Sequence[Held], offset: int) -> list[Held]:
        """Return the frames, and the script data between them, that players do not have."""
        found: list[Held] = []
        for each in held:
            if is_frame(each.kind, each.body):
                last = self.last.get(each.kind)
                if last is None or ahead(each.timestamp + offset, last) > 0:
                    found.append(each)
            elif each.kind == SCRIPT and found and each.name != "onMetaData":
                found.append(each)
        return found


def tail_of(log: MediaLog) -> Tail:
    """Return the newest frames of the FLV log of a stream."""
    start = log.tail
    if log.head - start > limits.PULL_HELD_BYTES_MAX:
        start = max(start, log.key_pos)
    tags = walk_tags(log.read(start, log.head))
    return Tail(((tag.kind, tag.time_ms, tag.body) for tag, _ in tags), log.epoch_ms, log.head)
