"""Visits: each client and connection that is admitted leaves once, a connection behind its clients."""

from __future__ import annotations

from dataclasses import replace

from model.access import request

from fastflv.access.visits import Visits

PLAY = request()


def test_a_client_leaves_once():
    visits = Visits()
    visits.admit(PLAY)
    assert visits.leave("c1", 5) is PLAY
    assert visits.leave("c1", 5) is None
    assert len(visits) == 0


def test_a_connection_is_over_once_it_is_closed_and_its_clients_have_left():
    visits = Visits()
    visits.connect(PLAY)
    visits.admit(PLAY)
    other = replace(PLAY, client_id="c2")
    visits.admit(other)
    visits.close(PLAY.peer.id, 10, 20)
    assert visits.take_closed(PLAY.peer.id) is None
    visits.leave("c1", 100)
    assert visits.take_closed(PLAY.peer.id) is None
    visits.leave("c2", 1000)
    over = visits.take_closed(PLAY.peer.id)
    assert over is not None
    assert (over.request, over.sent, over.received) == (PLAY, 1110, 20)
    assert visits.take_closed(PLAY.peer.id) is None
    assert len(visits) == 0


def test_a_connection_that_stays_is_not_over_when_its_client_leaves():
    visits = Visits()
    visits.connect(PLAY)
    visits.admit(PLAY)
    visits.leave("c1", 0)
    assert visits.take_closed(PLAY.peer.id) is None
    assert visits.is_connected(PLAY.peer.id)


def test_what_was_never_admitted_is_nothing():
    visits = Visits()
    visits.close("nobody", 1, 2)
    assert visits.take_closed("nobody") is None
    assert visits.leave("nobody", 1) is None
