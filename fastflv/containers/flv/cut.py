"""A part of an FLV file, from a keyframe on: headers, and a range of whole tags."""

from __future__ import annotations

from fastflv import limits
from fastflv._ext.syntax.tagwalk import TagWalk
from fastflv.containers.cut import Cut, Place, Reading
from fastflv.containers.flv.index import LOOK_BYTES, FlvIndex, keyframe_time
from fastflv.errors import MediaFileError, MediaPlaceError


def read_cut(index: FlvIndex, start: Place | None, end: Place | None) -> Reading[Cut]:
    """Return the part from the keyframe at or before *start* to the last tag before *end*.

    None stands for the begin and for the end of the file. Tags keep their times. Raises MediaPlaceError for places outside of
    what is whole, MediaFileError where the file has no keyframe where its metadata says so.
    """
    if start is not None and end is not None and start.seconds == end.seconds and end.value <= start.value:
        raise MediaPlaceError(f"the end, {end}, is not behind the start, {start}")
    offset, before = 0, b""
    near_ms = index.first_ms
    if start is not None:
        place = _place(index, start)
        offset, before, near_ms = index.positions[place], index.head(place), index.times[place]
        if index.claimed:
            data = yield offset, LOOK_BYTES
            if keyframe_time(data, offset, index.size) is None:
                raise MediaFileError("the keyframe list of the metadata is wrong", offset=offset)
    stop = index.end
    if end is not None and not _is_behind(index, end):
        stop = yield from _read_end(index, offset, near_ms, end)
    if stop <= max(offset, index.begin):
        raise MediaPlaceError(f"no tag lies between {start} and {end}")
    return Cut(before, offset, stop - offset)


def _place(index: FlvIndex, start: Place) -> int:
    if not start.seconds:
        if start.value >= index.end:
            raise _outside(index, start)
        return index.at_position(int(start.value))
    if start.value > (index.last_ms - index.first_ms) / 1000:
        raise _outside(index, start)
    return index.at_time(index.first_ms + round(1000 * start.value))


def _is_behind(index: FlvIndex, end: Place) -> bool:
    """Whether all of the file lies before *end*."""
    if end.seconds:
        return end.value > (index.last_ms - index.first_ms) / 1000
    return end.value >= index.end


def _read_end(index: FlvIndex, offset: int, near_ms: int, end: Place) -> Reading[int]:
    """Find the end of the last whole tag before *end*, in the tags from the last keyframe before it on."""
    time_ms = index.first_ms + round(1000 * end.value) if end.seconds else 0
    place = index.at_time(time_ms - 1) if end.seconds else index.at_position(int(end.value))
    begin = max(offset, index.begin)
    before_end = index.times[place] < time_ms if end.seconds else index.positions[place] < end.value
    if before_end and index.positions[place] > begin:
        begin, near_ms = index.positions[place], index.times[place]
    walk = TagWalk(index.end if end.seconds else min(int(end.value), index.end), begin)
    walk.time_ms = near_ms
    walk.scripts, walk.audio_step_ms = False, -1
    if end.seconds:
        walk.stop_ms = time_ms
    while True:
        at = walk.position
        data = yield at, limits.VOD_BLOCK_BYTES
        walk.feed(data, at)
        if walk.state != "more" or walk.position == at:
            return walk.position


def _outside(index: FlvIndex, place: Place) -> MediaPlaceError:
    seconds = (index.last_ms - index.first_ms) / 1000
    fault = {"torn": ", where the last whole tag ends", "broken": ", where the file is damaged"}
    return MediaPlaceError(
        f"{place} lies behind the end: the file has {seconds:.3f} s in {index.end} bytes{fault.get(index.state, '')}"
    )
