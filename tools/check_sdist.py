"""Check that an sdist holds every source and no build product: `python tools/check_sdist.py SDIST ...`."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    "fastflv/console/index.html",
    "fastflv/console/players/index.html",
    "fastflv/console/console/index.html",
    "fastflv/console/THIRD-PARTY.txt",
)
"Built by npm, and in the sdist so that who installs it needs none."

KINDS = {".py", ".pyx", ".pxd", ".pyi", ".conf", ".flv", ".typed"}


def problems(names: set[str]) -> list[str]:
    """Return one sentence for each thing that is wrong with an sdist of these file names."""
    wanted = {
        str(path.relative_to(ROOT))
        for folder in ("fastflv", "tests/model", "docs")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and (path.suffix in KINDS or folder == "docs") and "__pycache__" not in path.parts
    }
    wanted |= {"setup.py", "pyproject.toml", "README.md", "LICENSE", "wheels.yml"}
    wanted |= {"console/package.json", "console/package-lock.json", "console/vite.config.ts", *PAGES}
    found = [f"missing {name}" for name in sorted(wanted - names)]
    found += [
        f"package of npm {name}" for name in sorted(names) if "node_modules" in PurePosixPath(name).parts
    ]
    built = {".so", ".o"} | (
        {".c"} if any(name.startswith("fastflv/") and name.endswith(".c") for name in names) else set()
    )
    found += [
        f"build product {name}"
        for name in sorted(names)
        if PurePosixPath(name).suffix in built and not name.startswith("benchmarks/")
    ]
    return found


def main(paths: list[str]) -> int:
    status = 0
    for path in paths:
        with tarfile.open(path) as sdist:
            names = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
        found = problems(names)
        for problem in found:
            print(f"{Path(path).name}: {problem}", file=sys.stderr)
            status = 1
        if not found:
            print(f"{Path(path).name}: good")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
