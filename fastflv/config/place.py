"""Where a setting is written, or could be: the end of a sentence that asks for another value."""

from __future__ import annotations

from typing import Final

from fastflv.config.grammar.environ import variable_of
from fastflv.config.grammar.section import Section

BUILT_IN: Final = "built-in configuration"
"What stands for the file of a start without one."

ENVIRONMENT: Final = "environment"
"Likewise of a start from variables alone."

OPTIONS: Final = {"listen": "--listen", "http_server.listen": "--http", "http_api.listen": "--api"}
"Options of a start with the built-in configuration, by directive path."


def change_place(root: Section, *paths: str) -> str:
    """Return with what to change the directive at the first of *paths* that is written, as `in live.conf:3`."""
    assert root.directive is not None
    for path in paths:
        *blocks, name = path.split(".")
        section = root
        for block in blocks:
            section = section.sub(block)
        value = section.value(name)
        if value is not None and value.file != BUILT_IN:
            label, _, variable = value.file.partition(" ")
            return f"with {variable}" if value.from_environment and label else f"in {value.place}"
    path = paths[0]
    if root.directive.file == BUILT_IN and path in OPTIONS:
        return f"with {OPTIONS[path]} or {variable_of(path)}"
    if root.directive.file in (BUILT_IN, ENVIRONMENT):
        return f"with {variable_of(path)}"
    return f"with {path} in {root.directive.file}"
