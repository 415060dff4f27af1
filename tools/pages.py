"""Build the pages with npm: `python tools/pages.py`. `setup.py` does so too, where npm is there and they are out of date."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "console"
BUILT = ROOT / "fastflv" / "console"
INSTALLED = SOURCES / "node_modules" / ".package-lock.json"
"Written last by npm."

ASK_SECONDS = 15
"For one question to the registry, before all packages are asked for: behind a firewall each of them would wait."

NPM_SECONDS = 120
"For one step of npm. One that takes longer ends the build of the pages, not that of the server."

LATER = "the server works without them; `make pages` builds them later, and wheels and sdists have them"


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
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < lock.stat().st_mtime:
        # What npm has in its cache it does not ask for.
        fetch = [
            "--prefer-offline",
            "--fetch-retries=1",
            "--fetch-retry-mintimeout=1000",
            "--fetch-timeout=10000",
        ]
        if _run([npm, "view", "vite", "version", *fetch], ASK_SECONDS):
            registry = subprocess.run(
                [npm, "config", "get", "registry"], capture_output=True, text=True, env=_environment()
            )
            return f"npm's registry {registry.stdout.strip()} does not answer here; {LATER}"
        # Without what only checks and tests need.
        why = _run([npm, "ci", "--omit=dev", *fetch], NPM_SECONDS)
        if why:
            return f"{why}; {LATER}"
    return _run([npm, "run", "--silent", "build"], NPM_SECONDS)


def _run(words: list[str], seconds: float) -> str:
    """Run npm; return what it failed at, in one sentence, or nothing."""
    name = " ".join(("npm", *words[1:3]))
    # A group of its own: what npm has started would keep the pipe, and with it this build, beyond its end.
    process = subprocess.Popen(
        words, cwd=SOURCES, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=_environment(), start_new_session=True
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return f"{name} took more than {seconds} s"
    return f"{name} failed: {said.strip()[-600:]}" if process.returncode else ""


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
