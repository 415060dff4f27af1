"""RTMP and the gate: refusals, redirects, late answers, and clients that leave before the answer."""

from __future__ import annotations

import logging

import pytest
from model.client import heard
from model.rtmp import FILM_BYTES, Peer, Site

from fastflv.access.request import Action
from fastflv.access.verdict import ALLOW, Redirected, forbid


def test_a_publish_that_the_gate_refuses_is_told_why_and_closed(caplog):
    caplog.set_level(logging.INFO)
    site = Site()
    site.gate.rules.append(lambda request: forbid("'deny publish all' matches"))
    peer = Peer(site).publish()
    assert peer.status == [(1, "error", "NetStream.Publish.Denied")]
    assert b"'deny publish all' matches" in peer.transport.wire
    assert peer.transport.gone == "closed"
    assert "from 192.0.2.1 of v/live/room refused: forbidden, 'deny publish all' matches" in caplog.text
    peer.lost()
    assert (len(site.hub), site.left_behind) == (0, (0, 0, 0, 0))


def test_a_play_that_the_gate_refuses_is_told_why_and_closed():
    site = Site(on_missing=60)
    site.gate.rules.append(lambda request: forbid("no"))
    peer = Peer(site).play()
    assert peer.status == [(1, "error", "NetStream.Play.Failed")]
    assert peer.transport.gone == "closed"
    peer.lost()
    assert site.left_behind == (0, 0, 0, 0)


@pytest.mark.parametrize("action", Action)
def test_a_client_that_the_gate_redirects_is_told_where_and_closed(action):
    site = Site()
    site.gate.rules.append(lambda request: Redirected("rtmp://b.example/live/room"))
    peer = Peer(site)
    peer.publish() if action is Action.PUBLISH else peer.play()
    (said,) = [each for each in heard(bytes(peer.transport.wire)) if each[0] == "onStatus"]
    assert said[-1]["level"] == "error"
    assert (said[-1]["ex"]["code"], said[-1]["ex"]["redirect2"]) == (302, "rtmp://b.example/live/room")
    assert peer.transport.gone == "closed"


def test_the_gate_is_asked_with_all_that_the_client_said_of_itself():
    site = Site()
    hook = site.ask_later()
    peer = Peer(site, tls=True)
    peer.client.connect("rtmp://192.0.2.7:1935/live", pageUrl="http://page.example/").play("room?key=1")
    peer.say()
    (request,) = hook.asked
    assert (request.action, request.vhost, request.app, request.stream) == (Action.PLAY, "v", "live", "room")
    assert (request.output, request.scheme, request.param) == ("rtmp-play", "rtmps", "?key=1")
    assert (request.page_url, request.tc_url) == ("http://page.example/", "rtmp://192.0.2.7:1935/live")


def test_media_that_comes_before_the_gate_allows_a_publish_is_not_lost():
    site = Site()
    hook = site.ask_later()
    peer = Peer(site).publish()
    peer.film()
    assert (site.publishers, peer.status) == ({}, [])
    hook.answers[0](ALLOW)
    site.loop.turn()
    assert site.publishers == {"room": FILM_BYTES}
    assert peer.status == [(1, "status", "NetStream.Publish.Start")]
    assert site.hub.find(next(iter(site.hub)).name).settled


def test_a_publish_that_waits_for_the_gate_does_not_hold_up_another_of_its_connection():
    site = Site()
    peer = Peer(site).publish()
    hook = site.ask_later()
    peer.client.fmle_publish("second", 2)
    peer.say()
    peer.film()
    assert site.publishers == {"room": FILM_BYTES}
    hook.answers[0](forbid("no"))
    assert (2, "error", "NetStream.Publish.Denied") in peer.status
    peer.film()
    assert site.publishers == {"room": 2 * FILM_BYTES}
    assert not peer.transport.gone


@pytest.mark.parametrize("action", Action)
def test_a_client_that_is_lost_while_the_gate_waits_leaves_nothing(action):
    site = Site(on_missing=60)
    hook = site.ask_later()
    peer = Peer(site)
    peer.publish() if action is Action.PUBLISH else peer.play()
    assert not hook.cancelled
    peer.lost()
    assert hook.cancelled == 1
    hook.answers[0](ALLOW)
    site.loop.turn()
    assert (len(site.hub), site.left_behind) == (0, (0, 0, 0, 0))


def test_a_publish_that_is_taken_back_while_the_gate_waits_is_not_begun():
    site = Site()
    hook = site.ask_later()
    peer = Peer(site).publish()
    peer.leave()
    peer.lost()
    assert hook.cancelled == 1
    assert (len(site.hub), site.left_behind) == (0, (0, 0, 0, 0))


@pytest.mark.parametrize(
    ("action", "code"),
    [(Action.PUBLISH, "NetStream.Publish.BadName"), (Action.PLAY, "NetStream.Play.Failed")],
)
def test_a_vhost_that_is_not_there_refuses_everybody(action, code):
    site = Site()
    peer = Peer(site)
    name = "room?vhost=off.example"
    peer.publish(name) if action is Action.PUBLISH else peer.play(name)
    assert peer.status == [(1, "error", code)]
    assert peer.transport.gone == "closed"


def test_a_late_answer_of_the_gate_is_no_harm_to_a_player_that_was_closed():
    site = Site(on_missing=60)
    hook = site.ask_later()
    player = Peer(site).play()
    player.connection.eof_received()
    heard_before = bytes(player.transport.wire)
    assert hook.cancelled == 1
    hook.answers[0](ALLOW)
    player.lost()
    hook.answers[0](forbid("no"))
    assert player.transport.wire == heard_before
    assert site.left_behind == (0, 0, 0, 0)


def test_rules_that_change_while_a_player_waits_for_its_stream_count():
    site = Site(on_missing=60)
    player = Peer(site).play()
    site.gate.rules.append(lambda request: forbid("no") if request.action is Action.PLAY else ALLOW)
    Peer(site).publish().film()
    assert player.status == [(1, "error", "NetStream.Play.Failed")]
    assert player.transport.gone == "closed"
    assert site.hub.waiting == 0


def test_a_player_of_a_stream_that_nobody_publishes_is_told_so_after_the_wait():
    site = Site(on_missing=7)
    player = Peer(site).play()
    site.loop.advance(6.9)
    assert (player.status, player.transport.gone) == ([], "")
    site.loop.advance(0.2)
    assert player.status == [(1, "error", "NetStream.Play.StreamNotFound")]
    assert player.transport.gone == "closed"
