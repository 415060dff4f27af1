"""Requests for access tests, and rules that answer when the test says so."""

from __future__ import annotations

from fastflv.access.request import AccessRequest, Action
from fastflv.access.rule import LateRule
from fastflv.net.peer import Peer


def request(action=Action.PLAY, ip="192.0.2.1", page_url="", vhost="a.example"):
    return AccessRequest(
        action, Peer(ip, ip), "c1", vhost, "live", "x", "flv-play", "http", page_url=page_url
    )


class Hook(LateRule):
    """A rule that keeps its question until the test answers."""

    def __init__(self):
        self.asked = []
        self.answers = []
        self.cancelled = 0

    def ask(self, request, answer):
        self.asked.append(request)
        self.answers.append(answer)
        return self

    def cancel(self):
        self.cancelled += 1
