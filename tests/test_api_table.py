"""The table of the API's operations: paths, methods, index pages."""

from __future__ import annotations

import pytest

from fastflv.servers.api.openapi import document
from fastflv.servers.api.operation import Operation, Parameter
from fastflv.servers.api.schema import COUNT, TEXT, record
from fastflv.servers.api.table import Table

ROWS = [
    Operation("GET", "/", "root", dict),
    Operation("GET", "/a", "all of a", dict),
    Operation("GET", "/a/{id}", "one of a", dict, parameters=(Parameter("id", TEXT, "Id.", in_path=True),)),
    Operation("DELETE", "/a/{id}", "delete one", dict, codes={2049: "absent"}),
    Operation("POST", "/do/it/{rest*}", "do it", dict, record({"n": COUNT}), enveloped=False, statuses={404: "x"}),
]  # fmt: skip


def table() -> Table:
    made = Table()
    made.add(*ROWS)
    return made


@pytest.mark.parametrize(
    ("path", "row", "args"),
    [
        ("/", 0, {}),
        ("/a", 1, {}),
        ("/a/", 1, {}),
        ("/a/x", 2, {"id": "x"}),
        ("/do/it/b/c.flv", 4, {"rest": "b/c.flv"}),
        ("/do/it", None, {}),
        ("/a/x/y", None, {}),
        ("/b", None, {}),
    ],
)
def test_a_path_names_the_row_of_its_template(path, row, args):
    found = table().find(path)
    if row is None:
        assert found is None
    else:
        assert ROWS[row] in found.operations.values()
        assert found.args == args


def test_head_is_answered_by_get_and_other_methods_are_named():
    found = table().find("/a/x")
    assert found.operation("HEAD") is ROWS[2]
    assert found.operation("PUT") is None
    assert found.wrong_method().headers["Allow"] == "GET, DELETE, HEAD, OPTIONS"


def test_an_index_names_what_is_directly_below():
    assert table().children("/") == {"a": "all of a"}
    assert table().children("/a") == {}


def test_the_document_has_each_row_with_its_answers():
    made = document(table())
    assert set(made["paths"]) == {"/", "/a", "/a/{id}", "/do/it/{rest}"}
    assert set(made["paths"]["/a/{id}"]) == {"get", "delete"}
    bad = made["paths"]["/a/{id}"]["delete"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert bad["oneOf"][1]["properties"]["code"]["enum"] == [2049]
    assert set(made["paths"]["/do/it/{rest}"]["post"]["responses"]) == {"200", "401", "403", "404"}
