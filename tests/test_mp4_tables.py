"""Sample tables of MP4 tracks: what is cut of them tells the same of each sample as the whole did."""

from __future__ import annotations

import struct
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv.containers.cut import Place, run_reading
from fastflv.containers.mp4.boxes import read_boxes
from fastflv.containers.mp4.cut import read_cut, read_index
from fastflv.containers.mp4.tables import Samples, chunk_offsets
from fastflv.containers.mp4box import box, full_box
from fastflv.errors import MediaFileError
from fuzzing.targets import mp4_file


def table(numbers, each: int = 1, code: str = "I") -> bytes:
    return struct.pack(f">I{len(numbers)}{code}", len(numbers) // each, *numbers)


def stbl_of(
    chunks: list[int], steps: list[int], shifts: list[int], sync: list[int] | None, size: int, wide: bool
) -> bytes:
    """A table of samples in chunks of so many; sample n has n + 1 bytes, or *size*."""
    count = sum(chunks)
    times = [number for step in (steps * count)[:count] for number in (1, step)]
    runs = [number for at, samples in enumerate(chunks) for number in (at + 1, samples, 1 + at % 2)]
    offsets = [1000 * (at + 1) for at in range(len(chunks))]
    boxes = [full_box(b"stsd", 0, 0, table([])), full_box(b"stts", 0, 0, table(times, 2))]
    if shifts:
        pairs = [number for shift in (shifts * count)[:count] for number in (1, shift)]
        boxes.append(full_box(b"ctts", 1, 0, table(pairs, 2, "i")))
    if sync is not None:
        boxes.append(full_box(b"stss", 0, 0, table(sync)))
    boxes.append(full_box(b"stsc", 0, 0, table(runs, 3)))
    sizes = struct.pack(">II", size, count) if size else bytes(4) + table(range(1, count + 1))
    boxes.append(full_box(b"stsz", 0, 0, sizes))
    boxes.append(full_box(b"co64" if wide else b"stco", 0, 0, table(offsets, 1, "Q" if wide else "I")))
    return box(b"stbl", *boxes)


def read(stbl: bytes) -> list[tuple[int, int, int, int, bool, int]]:
    """Offset, bytes, length of time, shift, key and description of each sample, read slowly."""
    boxes = {each.name: bytes(each.content[4:]) for each in read_boxes(memoryview(stbl))[0].children()}

    def rows(name: bytes, each: int, code: str = "I") -> list[tuple[int, ...]]:
        count = int.from_bytes(boxes[name][:4], "big")
        return [*struct.iter_unpack(f">{each}{code}", boxes[name][4:])][:count]

    steps = [value for count, value in rows(b"stts", 2) for _ in range(count)]
    shifts = (
        [value for count, value in rows(b"ctts", 2, "i") for _ in range(count)]
        if b"ctts" in boxes
        else [0] * len(steps)
    )
    size, count = struct.unpack(">II", boxes[b"stsz"][:8])
    sizes = [size] * count if size else [*struct.unpack(f">{count}I", boxes[b"stsz"][8:])]
    offsets = [at for (at,) in (rows(b"stco", 1) if b"stco" in boxes else rows(b"co64", 1, "Q"))]
    keys = {number - 1 for (number,) in rows(b"stss", 1)} if b"stss" in boxes else set(range(count))
    runs = [*rows(b"stsc", 3), (len(offsets) + 1, 0, 0)]
    found = []
    for (first, samples, description), (following, _, _) in pairwise(runs):
        for chunk in range(first, following):
            at = offsets[chunk - 1]
            for _ in range(samples):
                number = len(found)
                found.append((at, sizes[number], steps[number], shifts[number], number in keys, description))
                at += sizes[number]
    assert len(found) == count == len(steps)
    return found


CHUNKS = st.lists(st.integers(1, 4), min_size=1, max_size=8)


@given(
    CHUNKS,
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.lists(st.integers(-9, 9), max_size=4),
    st.data(),
)
def test_a_cut_tells_the_same_of_each_sample(chunks, steps, shifts, data):
    count = sum(chunks)
    sync = data.draw(st.one_of(st.none(), st.sets(st.integers(1, count)).map(sorted)))
    wide = data.draw(st.booleans())
    whole = stbl_of(chunks, steps, shifts, sync, data.draw(st.sampled_from([0, 7])), wide)
    first = data.draw(st.integers(0, count - 1))
    last = data.draw(st.integers(first + 1, count))
    samples = Samples(read_boxes(memoryview(whole))[0])
    boxes, part = samples.cut(first, last, wide=wide)
    rows = read(box(b"stbl", *boxes, chunk_offsets(part.offsets, 0, wide=wide)))
    expected = read(whole)[first:last]
    assert rows == expected
    assert part.begin == expected[0][0] and part.end == expected[-1][0] + expected[-1][1]
    times = [sum(row[2] for row in read(whole)[:number]) for number in range(count + 1)]
    assert [samples.times.of(number) for number in range(count + 1)] == times
    for time in range(-1, times[-1]):
        assert samples.times.at(time) == max(
            (number for number in range(count) if times[number] <= time), default=0
        )


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"stsz" + bytes(8) + struct.pack(">I", 3), b"stsz" + bytes(8) + struct.pack(">I", 99)),
        (b"stts" + bytes(4) + struct.pack(">I", 3), b"stts" + bytes(4) + struct.pack(">I", 2)),
        (b"stsc" + bytes(4) + struct.pack(">II", 2, 1), b"stsc" + bytes(4) + struct.pack(">II", 2, 2)),
        (b"stss" + bytes(4) + struct.pack(">II", 1, 1), b"stss" + bytes(4) + struct.pack(">II", 1, 4)),
        (b"stsd", b"none"),
        (b"stco", b"none"),
    ],
)
def test_tables_that_do_not_fit_each_other_are_refused(old, new):
    whole = stbl_of([2, 1], [5], [], [1], 0, False)
    assert old in whole
    Samples(read_boxes(memoryview(whole))[0])
    with pytest.raises(MediaFileError):
        Samples(read_boxes(memoryview(whole.replace(old, new)))[0])


def test_offsets_are_moved_and_wide_where_they_have_to_be():
    assert chunk_offsets(array("Q", [5, 9]), 10, wide=False)[16:] == struct.pack(">II", 15, 19)
    assert chunk_offsets(array("Q", [5]), 1 << 33, wide=True)[16:] == struct.pack(">Q", (1 << 33) + 5)


def test_a_part_lies_behind_a_movie_box_wherever_that_of_the_file_was():
    for seed in mp4_file.SEEDS[:2]:
        file = seed[2:]

        def disk(offset: int, size: int, file: bytes = file) -> bytes:
            return file[offset : offset + size]

        index = run_reading(read_index(len(file)), disk)
        cut = run_reading(read_cut(index, Place(0.75, True), None), disk)
        names = [each.name for each in read_boxes(memoryview(cut.before + disk(cut.offset, cut.size)))]
        assert names == [b"ftyp", b"moov", b"mdat"]
        assert cut.offset >= 1400
