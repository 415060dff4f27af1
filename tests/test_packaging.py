"""What is shipped: the two copies of the wheel workflow, the README's commands, the checks of wheel and sdist."""

from __future__ import annotations

import re
import shutil
import socket
import sys
import time
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

import check_sdist  # noqa: E402
import check_wheel  # noqa: E402
import diagrams  # noqa: E402
import pages  # noqa: E402

GOOD_WHEEL = [
    "fastflv/_ext/compiled.cpython-311-x86_64-linux-gnu.so",
    *(f"fastflv/_ext/{module}.pxd" for module in check_wheel.EXTENSIONS),
    *check_wheel.DATA,
    "fastflv/__init__.py",
    "fastflv-0.1.0.dist-info/entry_points.txt",
]


def test_the_workflow_that_github_runs_is_the_one_at_the_top_level():
    top, run = ROOT / "wheels.yml", ROOT / ".github/workflows/wheels.yml"
    assert top.read_bytes() == run.read_bytes()


def test_every_extension_is_named_in_the_check_of_wheels():
    folder = ROOT / "fastflv/_ext"
    found = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.pyx"))
    assert sorted(found) == sorted(check_wheel.EXTENSIONS)


def test_a_good_wheel_passes_its_check():
    assert check_wheel.problems(GOOD_WHEEL) == []


@pytest.mark.parametrize("missing", ["fastflv/py.typed", "fastflv/config/default.conf", GOOD_WHEEL[0]])
def test_a_wheel_without_a_part_is_named(missing):
    found = check_wheel.problems([name for name in GOOD_WHEEL if name != missing])
    assert len(found) == 1


@pytest.mark.parametrize(
    "stray",
    [
        "console/src/x.tsx",
        "fastflv/config/x.html",
        "tests/test_flv.py",
        "fastflv/_ext/ingest/sink.c",
        "fastflv/_ext/ingest/sink.pyx",
    ],
)
def test_a_wheel_with_a_stray_file_is_named(stray):
    assert any(stray in problem for problem in check_wheel.problems([*GOOD_WHEEL, stray]))


def test_an_sdist_without_a_source_or_with_a_build_product_is_named():
    names = {
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.is_file() and ".git" not in path.parts
    }
    names = {
        name for name in names if not name.endswith((".so", ".c", ".o")) and "node_modules" not in name
    } | set(check_sdist.PAGES)
    assert check_sdist.problems(names) == []
    assert check_sdist.problems(names - {"fastflv/_ext/ingest/sink.pyx"}) == [
        "missing fastflv/_ext/ingest/sink.pyx"
    ]
    assert check_sdist.problems(names - {"docs/examples/auth.py"}) == ["missing docs/examples/auth.py"]
    assert check_sdist.problems(names | {"fastflv/_ext/ingest/sink.so"}) == [
        "build product fastflv/_ext/ingest/sink.so"
    ]
    assert check_sdist.problems(names - {"fastflv/console/index.html"}) == [
        "missing fastflv/console/index.html"
    ]
    assert check_sdist.problems(names | {"console/node_modules/x.js"}) == [
        "package of npm console/node_modules/x.js"
    ]


def test_a_registry_of_npm_that_does_not_answer_holds_up_no_build(tmp_path, monkeypatch):
    if shutil.which("npm") is None:
        pytest.skip("no npm here")
    for name in ("package.json", "package-lock.json", ".npmrc"):
        shutil.copy(ROOT / "console" / name, tmp_path)
    monkeypatch.setattr(pages, "SOURCES", tmp_path)
    monkeypatch.setattr(pages, "INSTALLED", tmp_path / "node_modules/.package-lock.json")
    monkeypatch.setattr(pages, "ASK_SECONDS", 1.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        registry = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        monkeypatch.setenv("npm_config_registry", registry)
        monkeypatch.setenv("npm_config_cache", str(tmp_path / "cache"))
        begun = time.monotonic()
        assert pages.build() == f"npm's registry {registry} does not answer here; {pages.LATER}"
        assert time.monotonic() - begun < 30


def test_the_drawings_of_the_documentation_are_those_of_their_text():
    for name, picture in diagrams.PICTURES.items():
        assert (diagrams.FOLDER / f"{name}.svg").read_text() == diagrams.draw(picture)


def test_the_readme_has_one_line_that_runs_and_one_that_tests():
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert any("pip install" in line and "fastflv --demo" in line for line in lines)
    assert any("pip install" in line and "pytest" in line for line in lines)


def test_the_version_is_told_once():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"]
