"""Imports point left, event loops stay at the edge, and no module is too long to read."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "fastflv"
LAYERS = (
    ("errors", "limits"),
    ("config",),
    ("net",),
    ("access",),
    ("_ext",),
    ("media",),
    ("containers",),
    ("stream",),
    ("protocols",),
    ("playing",),
    ("record",),
    ("servers", "cluster"),
    ("control",),
    ("embed",),
    ("tools",),
)
"Packages from left to right; those of one row do not import each other, but errors and limits."
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}
STRATA = ("core", "syntax", "log", "ingest", "mux", "ts", "fanout")
"Folders of `_ext`, from left to right."
CONFIG = (
    ("endpoint", "notice"),
    ("grammar",),
    ("variable", "overlap", "template", "mount", "hlsfiles"),
    ("model",),
    ("filemount",),
    ("routes", "check", "advice", "feature", "unused", "diff", "effective", "place"),
    ("load",),
)
"Modules and folders of `config`, from left to right; those of one row may import each other."
LOOPED = (
    "net/",
    "playing/",
    "servers/",
    "record/",
    "cluster/",
    "control/",
    "embed/",
    "tools/",
    "__main__.py",
)
PYTHON = sorted(ROOT.rglob("*.py"))
CYTHON = sorted(path for end in ("pyx", "pxd", "pyi") for path in ROOT.rglob(f"*.{end}"))
TESTS = sorted((ROOT.parent / "tests").rglob("*.py"))
CIMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+c?import|c?import\s+([\w.]+))", re.MULTILINE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Return every module that *path* imports, as dotted names."""
    text = path.read_text()
    if path.suffix != ".py":
        return {first or second for first, second in CIMPORT.findall(text)} | {
            f"fastflv.{name}"
            for line in re.findall(r"^from fastflv import (.+)$", text, re.MULTILINE)
            for name in re.findall(r"\w+", line)
        }
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(path)} imports by a relative name"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_modules_are_found():
    assert len(PYTHON) > 40
    assert len(CYTHON) > 25
    assert Path(__file__) in TESTS
    assert imports(ROOT / "_ext" / "fanout" / "player.pyx") >= {
        "fastflv._ext.log.page",
        "fastflv.limits",
        "libc.errno",
    }
    assert imports(ROOT / "protocols" / "http" / "h1.py") >= {"httptools", "fastflv.limits"}
    assert imports(ROOT / "servers" / "http" / "connection.py") >= {"asyncio", "fastflv.limits"}


@pytest.mark.parametrize("path", PYTHON + CYTHON, ids=name_of)
def test_imports_point_left(path):
    here = layer_of(path)
    if here in ("__init__", "__init__.pxd", "__main__"):
        return
    for module in imports(path):
        parts = module.split(".")
        if parts[0] != "fastflv" or len(parts) < 2 or parts[1] not in RANK:
            continue
        there = parts[1]
        assert there == here or RANK[there] < RANK[here] or {here, there} == {"errors", "limits"}, (
            f"{name_of(path)} imports {module}"
        )


@pytest.mark.parametrize(
    "path", [path for path in CYTHON if path.parent.parent == ROOT / "_ext"], ids=name_of
)
def test_strata_of_the_compiled_core_import_left(path):
    here = STRATA.index(path.parent.name)
    for module in imports(path):
        parts = module.split(".")
        if parts[:2] == ["fastflv", "_ext"] and len(parts) > 2:
            assert STRATA.index(parts[2]) <= here, f"{name_of(path)} imports {module}"


def config_rank(name):
    return next(rank for rank, row in enumerate(CONFIG) if name in row)


@pytest.mark.parametrize(
    "path",
    [path for path in PYTHON if layer_of(path) == "config" and path != ROOT / "config/__init__.py"],
    ids=name_of,
)
def test_modules_of_the_configuration_import_left(path):
    here = config_rank(path.relative_to(ROOT / "config").parts[0].removesuffix(".py"))
    for module in imports(path):
        parts = module.split(".")
        if parts[:2] == ["fastflv", "config"] and len(parts) > 2:
            assert config_rank(parts[2]) <= here, f"{name_of(path)} imports {module}"


def test_every_package_has_its_layer():
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert packages <= set(RANK)


@pytest.mark.parametrize("path", PYTHON + CYTHON, ids=name_of)
def test_only_the_edge_knows_an_event_loop(path):
    if name_of(path).startswith(LOOPED):
        return
    tops = {module.split(".")[0] for module in imports(path)}
    assert not tops & {"asyncio", "uvloop", "selectors", "threading", "concurrent"}


@pytest.mark.parametrize(
    "path", PYTHON + CYTHON + TESTS, ids=lambda path: path.relative_to(ROOT.parent).as_posix()
)
def test_no_module_is_over_500_lines(path):
    assert len(path.read_text().splitlines()) <= 500


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.pyx")), ids=name_of)
def test_every_extension_has_a_stub_or_a_declaration(path):
    assert path.with_suffix(".pyi").exists() or path.with_suffix(".pxd").exists()


@pytest.mark.parametrize("path", PYTHON + CYTHON, ids=name_of)
def test_every_module_begins_with_what_it_is(path):
    text = path.read_text()
    if path.suffix == ".py" and path.name != "__init__.py":
        assert ast.get_docstring(ast.parse(text))
    if path.suffix == ".pyx":
        assert text.startswith('"""')
