"""CORS: which methods pages of other sites are granted, and whether they may ask a private address."""

from __future__ import annotations

import pytest

from fastflv.net.peer import Peer
from fastflv.protocols.http.crossdomain import LOOK, MANAGE, NONE, PLAY, cors_fields
from fastflv.protocols.http.message import Request

PRIVATE = "Access-Control-Allow-Private-Network"


def asked(method: str, preflight: str = "", *, origin: str = "http://b.example") -> Request:
    headers = {"origin": origin} if origin else {}
    if preflight:
        headers["access-control-request-method"] = preflight
    return Request(method, "/api/v1/clients/x", "", "1.1", headers, True, Peer("192.0.2.1", "192.0.2.1"))


VARY = {"Vary": "Origin"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("allowed", [NONE, LOOK, PLAY])
def test_a_method_that_changes_something_is_granted_to_no_page_without_a_password(allowed, method):
    assert cors_fields(asked("OPTIONS", method), allowed) == VARY
    assert cors_fields(asked(method), allowed) == VARY


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_is_granted_with_a_list_of_methods_that_read(method):
    for request in (asked("OPTIONS", method), asked(method), asked("OPTIONS")):
        fields = cors_fields(request, LOOK)
        assert fields["Access-Control-Allow-Origin"] == "*"
        assert fields["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"


def test_a_private_address_is_open_to_players_and_to_an_api_with_a_password_alone():
    assert PRIVATE not in cors_fields(asked("OPTIONS", "GET"), LOOK)
    assert cors_fields(asked("OPTIONS", "GET"), PLAY)[PRIVATE] == "true"
    assert cors_fields(asked("OPTIONS", "DELETE"), MANAGE)[PRIVATE] == "true"


def test_an_api_with_a_password_is_managed_from_pages():
    assert "DELETE" in cors_fields(asked("OPTIONS", "DELETE"), MANAGE)["Access-Control-Allow-Methods"]
    assert cors_fields(asked("DELETE"), MANAGE)["Access-Control-Allow-Origin"] == "*"


def test_nothing_is_granted_to_a_request_that_names_no_origin():
    assert cors_fields(asked("OPTIONS", "GET", origin=""), MANAGE) == VARY
