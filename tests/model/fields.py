"""All settings of the model by dotted path, and which of them the package reads."""

from __future__ import annotations

import ast
import sys
import typing
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

from fastflv.config.diff import APART
from fastflv.config.endpoint import Endpoint
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import Vhost

PACKAGE = Path(__file__).parent.parent.parent / "fastflv"


def settings(kind: type, path: str = "") -> Iterator[tuple[str, bool]]:
    """(dotted path, whether it is a block) of all fields of *kind*, blocks before what is in them."""
    hints = typing.get_type_hints(kind, vars(sys.modules[kind.__module__]))
    for each in fields(kind):
        if each.name in APART:
            continue
        name = f"{path}.{each.name}" if path else each.name
        hint = hints[each.name]
        inner = next((each for each in (hint, *typing.get_args(hint)) if is_dataclass(each)), None)
        block = inner is not None and inner is not Endpoint and typing.get_origin(hint) is not tuple
        yield name, block
        if block:
            yield from settings(inner, name)


def every_setting() -> list[tuple[str, bool]]:
    return [
        *settings(Settings),
        *((path, block) for path, block in settings(Vhost, "vhost") if path != "vhost.name"),
    ]


def read_names() -> set[str]:
    """Names of all attributes that Python code reads: outside of the configuration, and where it makes routes."""
    return {
        node.attr
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] != "config" or path.name in ("routes.py", "filemount.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
