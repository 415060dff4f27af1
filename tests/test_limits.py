"""Every tuned number has a reason, and every one is used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from fastflv import limits

# The sources, not what is installed: a wheel has no .pyx.
ROOT = Path(__file__).resolve().parent.parent / "fastflv"
SUBJECTS = [ast.parse(path.read_text()).body for path in sorted(Path(limits.__file__).parent.glob("*.py"))]
NAMED = [
    (node.target.id, body[i + 1] if i + 1 < len(body) else None)
    for body in SUBJECTS
    for i, node in enumerate(body)
    if isinstance(node, ast.AnnAssign)
]
NAMES = dict(NAMED)
SOURCES = [
    path.read_text()
    for end in ("py", "pyx", "pxd")
    for path in ROOT.rglob(f"*.{end}")
    if path.parent.name != "limits"
]
USED = set().union(*(re.findall(r"\blimits\.([A-Z0-9_]+)\b", text) for text in SOURCES))


def test_no_name_stands_in_two_files():
    assert len(NAMED) == len(NAMES)


def test_every_name_is_a_final_number():
    assert set(NAMES) == {name for name in vars(limits) if name.isupper()}
    assert len(NAMES) > 50


def has_reason(node: ast.stmt | None) -> bool:
    """Whether what stands under a number is a sentence about it."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        and len(node.value.value) > 20
    )


def test_every_number_has_its_reason_under_it():
    assert [name for name, node in NAMES.items() if not has_reason(node)] == []


def test_every_number_is_used():
    assert set(NAMES) - USED == set()


def test_no_source_names_a_number_that_is_not_there():
    assert set(NAMES) >= USED
