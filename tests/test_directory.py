"""The copy of a directory: who has what, whose news were missed, and what is forgotten with a server."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv.cluster.directory import Directory, News, NodeCard, key_of, mark_of, name_of
from fastflv.cluster.directorylink import directory_fault
from fastflv.stream.name import StreamName

CAM = StreamName("__defaultVhost__", "live", "cam")
DOTS = StreamName("example.com", "a/b", "c.d")


@pytest.mark.parametrize("name", [CAM, DOTS])
def test_a_key_is_the_name_of_one_stream(name):
    assert name_of(key_of(name)) == name


def test_the_server_that_has_a_stream_longest_is_asked_first_and_the_own_one_never():
    directory = Directory("me")
    for mark, since in (("me", 1.0), ("late", 9.0), ("early", 2.0)):
        directory.put(mark, NodeCard(), 1, {key_of(CAM): since})
    assert [node.mark for node in directory.having(CAM)] == ["early", "late"]
    assert directory.having(DOTS) == []
    directory.drop("early")
    assert [node.mark for node in directory.having(CAM)] == ["late"]


def test_the_workers_of_a_server_are_told_apart_and_none_of_them_is_another_server():
    directory, told = Directory(mark_of("me", 1)), []
    directory.watchers.append(told.append)
    card = NodeCard(edges=("v",), origins=("v",))
    for mark in (mark_of("me", 1), mark_of("me", 2), mark_of("you", 2)):
        directory.put(mark, card, 1, {key_of(CAM): 1.0})
    assert len(directory) == 3 and told == [CAM]
    for found in (directory.having(CAM), directory.edges("v"), directory.origins("v")):
        assert [node.mark for node in found] == ["you.2"]


def test_news_are_taken_in_their_order_and_a_gap_is_noticed():
    directory = Directory("me")
    assert not directory.change("a", 1, {key_of(CAM): 1.0}, ())
    directory.put("a", NodeCard(), 7, {})
    assert directory.change("a", 8, {key_of(CAM): 1.0}, ())
    assert directory.change("a", 9, {key_of(DOTS): 2.0}, [key_of(CAM)])
    assert directory.having(CAM) == [] and len(directory.having(DOTS)) == 1
    assert not directory.change("a", 11, {}, ())
    directory.put("a", NodeCard(), 11, {key_of(CAM): 3.0})
    assert len(directory.having(CAM)) == 1 and directory.having(DOTS) == []


def test_streams_of_others_are_told_once_when_they_begin():
    directory, told = Directory("me"), []
    directory.watchers.append(told.append)
    directory.put("a", NodeCard(), 1, {key_of(CAM): 1.0})
    directory.put("a", NodeCard(), 5, {key_of(CAM): 1.0, key_of(DOTS): 2.0})
    directory.put("me", NodeCard(), 1, {key_of(CAM): 1.0})
    directory.change("a", 6, {key_of(CAM): 4.0}, ())
    assert told == [CAM, DOTS]


def test_the_emptiest_edge_with_room_comes_first():
    directory = Directory("me")
    for mark, players, edges in (("me", 0, ("v",)), ("a", 5, ("v",)), ("b", 3, ("v", "w")), ("c", 1, ())):
        directory.put(mark, NodeCard(players=players, edges=edges), 1, {})
    assert [node.mark for node in directory.edges("v")] == ["b", "a"]
    assert [node.mark for node in directory.edges("w")] == ["b"]
    directory.describe("b", NodeCard(players=9, edges=("v",)))
    assert [node.mark for node in directory.edges("v")] == ["a", "b"]


def test_a_publish_goes_to_the_origin_with_the_fewest_streams():
    directory = Directory("me")
    for mark, streams, origins in (("me", 0, ("v",)), ("a", 5, ("v",)), ("b", 3, ("v",)), ("c", 1, ("w",))):
        having = {f"v/live/{number}": 1.0 for number in range(streams)}
        directory.put(mark, NodeCard(origins=origins), 1, having)
    assert [node.mark for node in directory.origins("v")] == ["b", "a"]


def test_servers_and_streams_are_bounded(monkeypatch):
    monkeypatch.setattr(limits, "DIRECTORY_NODES_MAX", 2)
    monkeypatch.setattr(limits, "DIRECTORY_STREAMS_MAX", 3)
    directory = Directory("me")
    many = {f"v/live/{number}": 1.0 for number in range(5)}
    for mark in "abc":
        directory.put(mark, NodeCard(), 1, many)
    assert [node.mark for node in directory] == ["a", "b"]
    assert directory.change("a", 2, {"v/live/9": 1.0}, ())
    assert [len(node.streams) for node in directory] == [3, 3]


@pytest.mark.parametrize(
    "fields",
    [
        None,
        [],
        7,
        {"addresses": 3, "players": "x", "kbps": -1, "edges": 0},
        {"addresses": {"rtmp": 1}, "edges": [2]},
    ],
)
def test_a_card_that_is_none_says_nothing(fields):
    assert NodeCard.read(fields) == NodeCard()


def test_a_card_is_read_as_it_was_written():
    card = NodeCard("vid-1", {"rtmp": "192.0.2.1:1935"}, 3, 400, ("v",), ("w",))
    assert NodeCard.read(card.fields()) == card


@pytest.mark.parametrize(
    ("text", "news"),
    [
        ('{"node":"a","gone":true}', News("a", gone=True)),
        ('{"node":"a","version":3}', News("a", version=3)),
        (
            '{"node":"a","version":3,"began":{"v/live/x":1,"v/live/y":"z"},"ended":["v/live/w",7]}',
            News("a", version=3, began={"v/live/x": 1.0}, ended=("v/live/w",)),
        ),
        ('{"node":"a","version":"3","began":7,"ended":8}', News("a", began={})),
        ('{"node":7}', None),
        ('{"node":""}', None),
        ("[]", None),
        ("{", None),
        ("[" * 100_000, None),
    ],
)
def test_news_are_read_as_far_as_they_are_some(text, news):
    assert News.read(text) == news


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from(["node", "version", "began", "ended", "gone", "x"]), each, max_size=5), max_leaves=12))  # fmt: skip
def test_no_news_and_no_card_do_harm(told):
    directory = Directory("me")
    directory.put("a", NodeCard.read(told), 1, {})
    news = News.read(json.dumps(told))
    if news is not None:
        directory.change("a", 2, news.began or {}, news.ended)
        directory.having(CAM)


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("redis://127.0.0.1:6379/0", True),
        ("redis://:secret@host", True),
        ("rediss://user:secret@host:6380/2", True),
        ("redis+sentinel://a:26379,b/mymaster/0", True),
        ("redis+sentinel://a:26379,b", False),
        ("rediss+sentinel://:x@a/mymaster", True),
        ("redis://a,b", False),
        ("redis://a:x", False),
        ("http://a", False),
        ("redis://", False),
        ("a:6379", False),
    ],
)
def test_a_url_names_a_redis_or_is_refused_with_the_form_of_one(url, good):
    assert (directory_fault(url) == "") == good
