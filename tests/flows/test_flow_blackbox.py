"""SRS's own black-box suite, with fastflv as the program that it tests.

FASTFLV_SRS_BENCH names the directory `trunk/3rdparty/srs-bench` of SRS's sources, in which
`go test ./blackbox -mod=vendor -c -o objs/srs_blackbox_test` was run. Its cases need ffmpeg and ffprobe.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from server import environment

BENCH = os.environ.get("FASTFLV_SRS_BENCH", "")
CASES = (
    "TestFast_RtmpPublish_RtmpPlay_Basic",
    "TestFast_RtmpPublish_HttpFlvPlay_Basic",
    "TestFast_RtmpPublish_RtmpPlay_ChunkSize128",
    "TestFast_RtmpPublish_RtmpPlay_EnableATC",
    "TestFast_RtmpPublish_HlsPlay_Basic",
    "TestFast_RtmpPublish_RtmpPlay_CodecMP3_Basic",
    "TestFast_RtmpPublish_HttpFlvPlay_CodecMP3_Basic",
    "TestFast_RtmpPublish_HttpMp3Play_CodecMP3_Basic",
    "TestFast_RtmpPublish_HttpTsPlay_CodecMP3_Basic",
    "TestFast_RtmpPublish_HlsPlay_CodecMP3_Basic",
    "TestFast_RtmpPublish_DvrFlv_Basic",
    "TestFast_RtmpPublish_DvrMp4_Basic",
    "TestFast_Http_Api_Basic_Auth",
    "TestSlow_RtmpPublish_RtmpPlay_HEVC_Basic",
    "TestSlow_RtmpPublish_HttpFlvPlay_HEVC_Basic",
    "TestSlow_RtmpPublish_HttpTsPlay_HEVC_Basic",
    "TestSlow_RtmpPublish_HlsPlay_HEVC_Basic",
)
HEVC_SINCE = (6, 1)
"The first FFmpeg that puts HEVC into FLV."
pytestmark = [
    pytest.mark.skipif(not BENCH, reason="FASTFLV_SRS_BENCH names no directory with SRS's black-box suite"),
    pytest.mark.timeout(200),
]


@cache
def apart() -> list[str]:
    """Words that give a program a network of its own; none where that is not allowed.

    The suite chooses ports without a look at whether they are free, with Go 1.19 always the same.
    """
    words = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    try:
        return words if subprocess.run([*words, "true"], capture_output=True).returncode == 0 else []
    except OSError:
        return []


@cache
def version(program: str) -> tuple[int, ...]:
    """Major and minor version of ffmpeg or ffprobe; a build without one is new."""
    said = subprocess.run([program, "-version"], capture_output=True, text=True).stdout
    found = re.match(r"\w+ version n?(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else HEVC_SINCE


@pytest.mark.parametrize("case", CASES)
def test_a_case_of_srs_passes(tmp_path: Path, case: str) -> None:
    ffmpeg, ffprobe = shutil.which("ffmpeg"), shutil.which("ffprobe")
    if ffmpeg is None or ffprobe is None:
        pytest.skip("no ffmpeg or no ffprobe")
    if "HEVC" in case and min(version(ffmpeg), version(ffprobe)) < HEVC_SINCE:
        pytest.skip("ffmpeg or ffprobe knows no HEVC in FLV")
    # The suite passes on nothing but SRS_* and PATH.
    program = tmp_path / "srs"
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={environment()["PYTHONPATH"]} exec {sys.executable} -P -m fastflv "$@"\n'
    )
    program.chmod(0o755)
    (tmp_path / "objs").mkdir()
    bench = Path(BENCH).resolve()
    words = [
        *apart(),
        bench / "objs" / "srs_blackbox_test",
        "-test.v",
        f"-test.run=^{case}$",
        f"-srs-binary={program}",
        f"-srs-ffmpeg={ffmpeg}",
        f"-srs-ffprobe={ffprobe}",
        f"-srs-publish-avatar={bench / 'avatar.flv'}",
        # A recording ends with the grace of its publisher, which SRS does not have.
        "-srs-timeout=80000",
        "-srs-ffprobe-timeout=40000",
        "-srs-log",
        "-srs-stdout",
    ]
    done = subprocess.run(
        list(map(str, words)),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0 and f"--- PASS: {case}" in done.stdout, done.stdout[-20_000:]
