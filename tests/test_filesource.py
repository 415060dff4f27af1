"""FLV files as commands read them: whole tags up to the damage, and one sentence about it."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest
from model.flv import AAC_HEADER, AUDIO, AVC_HEADER, VIDEO, inter, key

from fastflv import limits
from fastflv._ext.syntax.flvtag import make_tag
from fastflv.containers.flv.header import flv_header
from fastflv.errors import ToolError
from fastflv.tools.filesource import FileSource

TAGS = [
    make_tag(VIDEO, 0, AVC_HEADER),
    make_tag(AUDIO, 0, AAC_HEADER),
    make_tag(VIDEO, 0, key(bytes(300))),
    *(make_tag(VIDEO, 40 * i, inter(bytes(300))) for i in range(1, 50)),
]
WHOLE = flv_header(audio=True, video=True) + b"".join(TAGS)


def read(tmp_path, data):
    path = tmp_path / "a.flv"
    path.write_bytes(data)
    source = FileSource(str(path))
    return [tag for found in source.tags() for tag in found], source


@pytest.mark.parametrize("step", [7, 1000, 1 << 20])
def test_a_whole_file_is_read_in_any_pieces(tmp_path, monkeypatch, step):
    monkeypatch.setattr(limits, "TOOL_READ_BYTES", step)
    tags, source = read(tmp_path, WHOLE)
    assert len(tags) == len(TAGS) and source.fault == ""
    assert (source.received, source.size, source.flags) == (len(WHOLE), len(WHOLE), 5)
    assert [tag.body for tag in tags[:2]] == [AVC_HEADER, AAC_HEADER]


def test_a_file_that_is_cut_gives_its_whole_tags(tmp_path):
    tags, source = read(tmp_path, WHOLE[:-100])
    assert len(tags) == len(TAGS) - 1
    at = len(WHOLE) - len(TAGS[-1])
    assert source.fault == f"{source.path} is cut off: its last tag, from byte {at} on, is not whole"


@pytest.mark.parametrize("step", [7, 1 << 20])
def test_damage_ends_the_file_behind_the_last_good_tag(tmp_path, monkeypatch, step):
    monkeypatch.setattr(limits, "TOOL_READ_BYTES", step)
    at = 13 + sum(map(len, TAGS[:10]))
    tags, source = read(tmp_path, WHOLE[:at] + b"\x55" * 40 + WHOLE[at:])
    assert len(tags) == 10
    assert f"is damaged from byte {at} on: tag of type 85" in source.fault


@pytest.mark.parametrize("data", [b"", b"FLV", b"GIF89a" * 10, b"FLV\2\5\0\0\0\x09" + bytes(20)])
def test_what_is_no_flv_file_is_refused(tmp_path, data):
    with pytest.raises(ToolError, match="is no FLV file"):
        read(tmp_path, data)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ToolError, match=r"there is no file .*none\.flv; give an FLV file"):
        list(FileSource(str(tmp_path / "none.flv")).tags())
    with pytest.raises(ToolError, match="cannot be read: is a directory"):
        list(FileSource(str(tmp_path)).tags())


def test_stdin_is_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(WHOLE)))
    source = FileSource("-")
    assert sum(map(len, source.tags())) == len(TAGS)
    assert (source.name, source.size) == ("stdin", 0)
