"""What may be left out for a late player: without it, every other picture decodes to the same pixels."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from clip import Clip, Form, encoders, ffmpeg, make
from flvread import VIDEO, Tag, flv_file, read_flv
from model.flv import Feed

from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog

DISPOSABLE, LEADING = 2, 32
X264 = "libx264 -pix_fmt yuv420p -sc_threshold 0 -g 25 -keyint_min 25"
FORMS = {
    "plain B-frames": (f"{X264} -preset ultrafast -bf 2 -x264-params b-pyramid=none", 15),
    "a pyramid": (f"{X264} -preset fast -bf 3 -x264-params b-pyramid=normal", 10),
    "no B-frames": (f"{X264} -preset ultrafast -bf 0", 0),
    "an open GOP": (f"{X264} -preset fast -bf 3 -x264-params open-gop=1", 10),
    "HEVC": (
        "libx265 -preset ultrafast -pix_fmt yuv420p -x265-params keyint=25:bframes=3:log-level=none",
        10,
    ),
    "HEVC with temporal layers": (
        "libx265 -preset fast -pix_fmt yuv420p -x265-params keyint=25:bframes=3:temporal-layers=1:log-level=none",
        10,
    ),
    "HEVC with an open GOP": (
        "libx265 -preset fast -pix_fmt yuv420p -x265-params keyint=25:bframes=4:open-gop=1:log-level=none",
        10,
    ),
    "AV1": ("libsvtav1 -preset 10 -g 25 -svtav1-params pred-struct=2", 10),
    "AV1 of libaom": ("libaom-av1 -cpu-used 8 -usage good -g 25 -lag-in-frames 19", 0),
}


def clip(name: str, folder: Path) -> Clip:
    form = Form(f"reference_{name.replace(' ', '_')}", FORMS[name][0], seconds=4.0)
    if not set(form.needs) <= encoders():
        pytest.skip("this ffmpeg lacks the encoder")
    made = make(form, folder)
    assert made is not None
    return made


def pictures(path: Path) -> dict[int, str]:
    """Decode a file; return the hash of each picture by its time, ms."""
    done = subprocess.run(
        f"{ffmpeg()} -v error -xerror -copyts -i {path} -map 0:v -fps_mode passthrough "
        "-enc_time_base 1:1000 -f framemd5 -".split(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr, done.stderr
    rows = [line.split(",") for line in done.stdout.splitlines() if not line.startswith("#")]
    return {int(row[2]): row[5].strip() for row in rows}


def flags_of(tags: list[Tag]) -> list[int]:
    """Flags of each tag as the log keeps them."""
    log = MediaLog(keep_ms=1 << 40, history_bytes=1 << 40)
    writer = StreamWriter(log)
    writer.begin(10)
    feed = Feed(writer)
    for tag in tags:
        feed.video(tag.time, tag.body)
    return [flags for _, _, _, _, flags in log.tags()]


@pytest.mark.parametrize("name", FORMS)
def test_pictures_left_out_are_missed_by_no_other(name: str, clip_folder: Path, tmp_path: Path) -> None:
    least = FORMS[name][1]
    made = clip(name, clip_folder)
    tags = [tag for tag in read_flv(made.path.read_bytes()).tags if tag.kind == VIDEO]
    flags = flags_of(tags)
    kept = [tag for tag, flag in zip(tags, flags, strict=True) if not flag & DISPOSABLE]
    thinned = tmp_path / "thinned.flv"
    thinned.write_bytes(flv_file(kept))
    whole, rest = pictures(made.path), pictures(thinned)
    assert len(tags) - len(kept) >= least
    assert len(rest) >= len(whole) - (len(tags) - len(kept)) - 1
    assert {time: whole.get(time) for time in rest} == rest


@pytest.mark.parametrize("name", ["an open GOP", "HEVC with an open GOP"])
def test_pictures_that_lead_a_keyframe_are_known(name: str, clip_folder: Path, tmp_path: Path) -> None:
    made = clip(name, clip_folder)
    tags = [tag for tag in read_flv(made.path.read_bytes()).tags if tag.kind == VIDEO]
    flags = flags_of(tags)
    second = [i for i, tag in enumerate(tags) if tag.is_key][1]
    leading = [i for i in range(len(tags)) if flags[i] & LEADING and i > second]
    assert leading and leading[0] == second + 1
    # From that keyframe on, without what leads it, all is as it was.
    from_key = [tag for tag in tags[:second] if tag.is_config] + [
        tag for i, tag in enumerate(tags) if i >= second and i not in leading
    ]
    cut = tmp_path / "cut.flv"
    cut.write_bytes(flv_file(from_key))
    whole, rest = pictures(made.path), pictures(cut)
    assert len(rest) >= len(from_key) - 3
    assert {time: whole.get(time) for time in rest} == rest
