"""The page about playing says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_carriage import track

from fastflv.containers.carriage import carries

PAGE = (Path(__file__).parent.parent / "docs" / "play.md").read_text()
COLUMNS = ("flv", "rtmp", "ts", "aac", "mp3", "hls-ts", "hls-fmp4")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("| codec |")[2].partition("\n\n")[0].splitlines()[2:]
]


def test_the_table_has_every_codec_of_video_and_of_audio():
    assert {row[0] for row in ROWS} >= {"H264", "HEVC", "AV1", "AAC", "MP3", "Opus", "G711A"}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_of_the_table_is_what_containers_carry(row):
    codec, *cells = row
    for container, cell in zip(COLUMNS, cells, strict=True):
        if cell == "-":
            assert container in ("aac", "mp3") and codec in ("H264", "HEVC", "AV1", "VP9")
        else:
            assert cell == ("yes" if carries(container, track(codec)) else "406"), container
