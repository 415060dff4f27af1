"""Build the pages with npm: `python tools/pages.py`. `setup.py` does so too, where npm is there and they are out of date."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "console"
BUILT = ROOT / "fastflv" / "console"
INSTALLED = SOURCES / "node_modules" / ".package-lock.json"
"Written last by npm."

NPM_SECONDS = 300
"A registry that does not answer ends the build of the pages, not that of the server."


def is_current() -> bool:
    """Whether the pages are there and no source of theirs is newer. An sdist has them; unpacking it may set any times."""
    index = BUILT / "index.html"
    if not index.exists():
        return False
    built = index.stat().st_mtime
    return (ROOT / "PKG-INFO").exists() or all(path.stat().st_mtime <= built for path in _sources())


def build() -> str:
    """Build the pages; return why that could not be done, in one sentence, or nothing."""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not here"
    lock = SOURCES / "package-lock.json"
    steps = [[npm, "run", "--silent", "build"]]
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        # Without what only checks and tests need.
        steps.insert(0, [npm, "ci", "--omit=dev", "--prefer-offline", "--fetch-retries=1"])
    for words in steps:
        try:
            done = subprocess.run(
                words, cwd=SOURCES, capture_output=True, text=True, timeout=NPM_SECONDS, env=_environment()
            )
        except subprocess.TimeoutExpired:
            return f"{' '.join(words[1:])} took more than {NPM_SECONDS} s"
        if done.returncode:
            return f"npm {' '.join(words[1:])} failed: {(done.stderr or done.stdout).strip()[-600:]}"
    return ""


def _sources() -> Iterator[Path]:
    for folder, folders, names in os.walk(SOURCES):
        if "node_modules" in folders:
            folders.remove("node_modules")
        yield from (Path(folder) / name for name in names)


def _environment() -> dict[str, str]:
    return {**os.environ, "npm_config_update_notifier": "false", "NO_COLOR": "1"}


def main() -> int:
    why = build()
    if why:
        print(f"the pages were not built: {why}", file=sys.stderr)
    return bool(why)


if __name__ == "__main__":
    sys.exit(main())
