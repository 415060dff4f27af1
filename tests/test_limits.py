"""Every tuned number has a reason, and every one is used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("name", NAMES)
def test_a_number_has_its_reason_under_it(name):
    node = NAMES[name]
    assert isinstance(node, ast.Expr)
    assert isinstance(node.value, ast.Constant)
    assert isinstance(node.value.value, str)
    assert len(node.value.value) > 20


@pytest.mark.parametrize("name", NAMES)
def test_a_number_is_used(name):
    assert name in USED


def test_no_source_names_a_number_that_is_not_there():
    assert set(NAMES) >= USED
