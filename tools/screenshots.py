"""Take the pictures of the pages in docs/pictures: `python tools/screenshots.py [FOLDER]`.

A server of its own, nine streams of a real ffmpeg, and a real Chromium: what the pictures show is what a viewer sees.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests/harness"), str(ROOT / "tests")]

import clip  # noqa: E402
from pagedriver import PageDriver  # noqa: E402
from pagesite import drive, origin  # noqa: E402
from player import Player  # noqa: E402
from server import HOST, Server, vhost_text  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
KEPT = ("root", "player", "player-phone", "wall")
"Views that the documents show."

CONSOLE = {
    # By name: the view, the width and the height of the window, and the colours.
    "console": ("overview", 1280, 1000, "dark"),
    "console-publishers": ("publishers", 1280, 800, "light"),
    "console-publish": ("publish", 1280, 800, "dark"),
    "console-phone": ("overview", 390, 844, "dark"),
}
CONSOLE_SECONDS = 60
"Its charts need some samples."

SOURCES = {
    # By stream: what lavfi draws.
    "fractal": "mandelbrot=size=960x540:rate=25:start_scale=0.6:end_pts=250",
    "waves": "gradients=size=960x540:rate=25:n=5:speed=0.03:type=spiral:seed=7",
    "studio": "testsrc2=size=960x540:rate=25",
    "sunset": "gradients=size=960x540:rate=25:n=4:speed=0.02:c0=orangered:c1=indigo:c2=gold:c3=deeppink",
    "colony": "life=size=480x270:rate=25:ratio=0.4:mold=12:life_color=#2dd4bf:death_color=#0e3a45:mold_color=#08222b:seed=4,scale=960:540:flags=neighbor",
    "bars": "smptehdbars=size=960x540:rate=25",
    "harbour": "gradients=size=960x540:rate=25:n=3:speed=0.015:c0=steelblue:c1=navy:c2=lightcyan",
    "cells": "cellauto=size=480x270:rate=25:rule=110:seed=9,scale=960:540:flags=neighbor",
    "target": "zoneplate=size=960x540:rate=25:kt2=4:kxt=8",
}
SECONDS = 6
ENCODER = "-c:v libx264 -preset veryfast -pix_fmt yuv420p -g 50 -b:v 1500k -maxrate 2000k -bufsize 2000k -c:a aac -b:a 64k"


def make(name: str, source: str, folder: Path) -> Path:
    """Encode six seconds of *source* with a tone."""
    path = folder / f"{name}.flv"
    words = [clip.ffmpeg(), "-v", "error", "-y", "-f", "lavfi", "-i", source, "-f", "lavfi", "-i", "sine=frequency=330:sample_rate=44100"]  # fmt: skip
    words += ENCODER.split()
    subprocess.run([*words, "-t", str(SECONDS), str(path)], check=True)
    return path


def picture_console(server: Server, folder: Path) -> None:
    """Take the pictures of the console, with some players that come one after the other."""
    with (
        tempfile.TemporaryDirectory() as profile,
        PageDriver(Path(profile)) as chromium,
        ExitStack() as stack,
    ):
        for number in range(CONSOLE_SECONDS // 5):
            name = list(SOURCES)[number % 4]
            stack.enter_context(Player(server.http, f"/live/{name}.flv")).head()
            time.sleep(5)
        for name, (view, width, height, colours) in CONSOLE.items():
            chromium.run(
                """
                await page.emulateMedia({ colorScheme: args.colours });
                await page.setViewportSize({ width: args.width, height: args.height });
                await page.goto(args.url);
                await page.reload();
                await page.waitForTimeout(9000);
                await page.screenshot({ path: args.path, type: "jpeg", quality: 86 });
                """,
                url=f"http://{HOST}:{server.api}/console/#/{view}",
                path=str(folder / f"{name}.jpg"),
                width=width,
                height=height,
                colours=colours,
            )
            print(folder / f"{name}.jpg")


def main(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work, ExitStack() as stack:
        text = vhost_text(
            play="mw_latency 0; start compact; live_clock on; on_missing 0;", more="hls { enabled on; }"
        )
        server = stack.enter_context(Server(Path(work), text))
        for name, source in SOURCES.items():
            process = clip.push(make(name, source, Path(work)), server.publish_url(name), loop=True)
            stack.callback(clip.end, process)
        while len(server.streams()) < len(SOURCES):
            time.sleep(0.2)
        shots = Path(work) / "shots"
        shots.mkdir()
        drive("views", origin(server), "live/fractal", str(shots), timeout=200)
        for name in KEPT:
            (folder / f"{name}.jpg").write_bytes((shots / f"{name}.jpg").read_bytes())
            print(folder / f"{name}.jpg")
        picture_console(server, folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
