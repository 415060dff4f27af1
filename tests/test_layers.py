"""Imports point left, event loops stay at the edge, and no module is too long to read."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

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
    ("servers",),
    ("cluster",),
    ("control",),
    ("embed",),
    ("tools",),
)
"Packages from left to right; those of one row do not import each other, but errors and limits."
RANK = {name: rank for rank, row in enumerate(LAYERS) for name in row}
STRATA = ("core", "syntax", "log", "ingest", "mux", "ts", "fanout")
"Folders of `_ext`, from left to right."
CONFIG = (
    ("endpoint", "notice", "masking"),
    ("grammar",),
    ("variable", "overlap", "template", "mount", "hlsfiles"),
    ("model",),
    ("filemount", "destination"),
    ("routes", "check", "workers", "advice", "feature", "unused", "diff", "effective", "place"),
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


@cache
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


def fastflv_imports(path: Path) -> list[list[str]]:
    """The parts of the names of what *path* imports of fastflv, without `fastflv`."""
    return [module.split(".")[1:] for module in imports(path) if module.startswith("fastflv.")]


# One test a rule, not one a module: a thousand modules would be thousands of tests that take longer to collect than to run.


def test_imports_point_left():
    assert [
        f"{name_of(path)} imports {'.'.join(module)}"
        for path in PYTHON + CYTHON
        if (here := layer_of(path)) not in ("__init__", "__init__.pxd", "__main__")
        for module in fastflv_imports(path)
        if (there := module[0]) in RANK
        and there != here
        and RANK[there] >= RANK[here]
        and {here, there} != {"errors", "limits"}
    ] == []


def test_strata_of_the_compiled_core_import_left():
    assert [
        f"{name_of(path)} imports {'.'.join(module)}"
        for path in CYTHON
        if path.parent.parent == ROOT / "_ext"
        for module in fastflv_imports(path)
        if module[0] == "_ext" and len(module) > 1
        if STRATA.index(module[1]) > STRATA.index(path.parent.name)
    ] == []


def config_rank(name: str) -> int:
    return next(rank for rank, row in enumerate(CONFIG) if name in row)


def test_modules_of_the_configuration_import_left():
    paths = [path for path in PYTHON if layer_of(path) == "config" and path != ROOT / "config/__init__.py"]
    assert len(paths) > 20
    assert [
        f"{name_of(path)} imports {'.'.join(module)}"
        for path in paths
        for module in fastflv_imports(path)
        if module[0] == "config" and len(module) > 1
        if config_rank(module[1])
        > config_rank(path.relative_to(ROOT / "config").parts[0].removesuffix(".py"))
    ] == []


def test_every_package_has_its_layer():
    packages = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert packages <= set(RANK)


def test_only_the_edge_knows_an_event_loop():
    loops = {"asyncio", "uvloop", "selectors", "threading", "concurrent"}
    assert [
        name_of(path)
        for path in PYTHON + CYTHON
        if not name_of(path).startswith(LOOPED)
        if loops & {module.split(".")[0] for module in imports(path)}
    ] == []


def test_no_module_is_over_500_lines():
    assert [str(path) for path in PYTHON + CYTHON + TESTS if len(path.read_text().splitlines()) > 500] == []


def test_every_extension_has_a_stub_or_a_declaration():
    assert [
        name_of(path)
        for path in CYTHON
        if path.suffix == ".pyx"
        if not (path.with_suffix(".pyi").exists() or path.with_suffix(".pxd").exists())
    ] == []


def is_introduced(path: Path) -> bool:
    """Whether a module begins with what it is."""
    text = path.read_text()
    if path.suffix == ".py" and path.name != "__init__.py":
        return bool(ast.get_docstring(ast.parse(text)))
    return path.suffix != ".pyx" or text.startswith('"""')


def test_every_module_begins_with_what_it_is():
    assert [name_of(path) for path in PYTHON + CYTHON if not is_introduced(path)] == []
