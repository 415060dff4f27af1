"""`fastflv --workers 2`: two processes on the same ports, of which any serves any stream."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from player import Player, check_complete
from publisher import Publisher, Refused, film, headers
from server import HOST, Server, until, vhost_text
from workers import Workers, holds

TAKEN = "taken.test"
"A vhost whose publishers take names over."


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    vhosts = vhost_text(publish="grace 5; normal_timeout 60000;")
    vhosts += f"vhost {TAKEN} {{ publish {{ takeover on; grace 5; }} }}"
    with Workers(tmp_path_factory.mktemp("workers"), vhosts) as server:
        yield server


def test_players_of_both_workers_see_one_stream(workers: Workers) -> None:
    publisher = Publisher(workers.rtmp).publish("one")
    publisher.tags([*headers(), *film(25)])
    until(lambda: workers.streams().get("one", {}).get("publish", {}).get("active"), "the stream is live")
    # The kernel chooses a worker for each connection: that all come to one is improbable.
    players = [Player(workers.http, "/live/one.flv", flv=True) for _ in range(16)]
    for player in players:
        player.until(lambda me: len(me.tags) > 20)
    rows = workers.clients()
    assert sum(not row["publish"] for row in rows) == 16
    assert sum(row["publish"] for row in rows) == 1
    assert workers.streams()["one"]["clients"] == 17
    assert workers.ask("streams")["total"] == 1
    assert workers.metrics()['fastflv_players{output="flv"}'] >= 16
    check_secret(workers)
    publisher.tags(film(25, start=1000, first=25))
    for player in players:
        player.until(lambda me: len(me.tags) > 60)
        player.close()
    publisher.finish()


def test_pages_of_either_worker_list_the_streams_of_both(workers: Workers) -> None:
    def listed() -> list[dict[str, Any]]:
        url = f"http://{HOST}:{workers.http}/players/streams.json?only=video"
        with urllib.request.urlopen(url, timeout=20) as answer:
            rows: list[dict[str, Any]] = json.load(answer)["streams"]
        return rows

    publishers: list[Publisher] = []
    # Until each worker has one.
    while len({holds(workers.pids()[0], publisher) for publisher in publishers}) < 2:
        publishers.append(Publisher(workers.rtmp).publish(f"listed{len(publishers)}"))
        publishers[-1].tags([*headers(), *film(10)])
    names = {f"listed{number}" for number in range(len(publishers))}
    until(lambda: names <= {row["stream"] for row in listed()}, "all of them are listed")
    # The kernel chooses a worker for each request.
    for _ in range(12):
        rows = [row for row in listed() if row["stream"] in names]
        assert sorted(row["stream"] for row in rows) == sorted(names)
        assert all(output["path"].endswith("?only=video") for row in rows for output in row["outputs"])
    for publisher in publishers:
        publisher.finish()


def check_secret(workers: Workers) -> None:
    """What workers know each other by is shown nowhere: not for the publish by which one fetches a stream, not in the log."""
    text = "\n".join(workers.log.lines)
    ids = set(re.findall(r"publisher (\w+) from 127.0.0.1 publishes /live/one\b", text))
    assert len(ids) == 2
    said = [json.dumps(workers.ask(f"clients/{id}")) for id in ids]
    # A worker answers these for itself, and any of them may be the one.
    said += [
        json.dumps(workers.ask(path)) for path in ("pulls", "upstreams", "clients?ended=1") for _ in range(8)
    ]
    assert sum('"flv-pull"' in text and "tcUrl" in text for text in said) == 1
    for text in (*said, *workers.log.lines):
        assert not re.search(r"[0-9a-f]{32}", text), text


def test_a_name_has_one_publisher_in_all_workers(workers: Workers) -> None:
    first = Publisher(workers.rtmp).publish("two")
    first.tags([*headers(), *film(5)])
    for _ in range(8):
        second = Publisher(workers.rtmp)
        with pytest.raises(Refused, match="BadName"):
            second.publish("two")
        second.close()
    first.finish()
    until(lambda: workers.streams().get("two", {}).get("publish", {}).get("active") is not True, "it left")
    again = Publisher(workers.rtmp).publish("two")
    again.finish()


def test_a_backup_at_another_worker_is_refused_and_the_primary_goes_on(workers: Workers) -> None:
    vhost = f"rtmp://{HOST}:{workers.rtmp}/live?vhost={TAKEN}"
    primary = Publisher(workers.rtmp).publish("pair", tc_url=vhost)
    primary.tags([*headers(), *film(5)])
    until(lambda: publish_row(workers, "pair").get("active"), "the stream is live")
    first = publish_row(workers, "pair")["cid"]
    refused = False
    while not refused:
        backup = Publisher(workers.rtmp)
        try:
            backup.publish("pair?role=backup", tc_url=vhost)
        except Refused:
            refused = True
        row = publish_row(workers, "pair")
        assert (row["active"], row["role"], row["cid"]) == (True, "primary", first)
        backup.close()
    primary.finish()


def publish_row(workers: Workers, name: str) -> dict[str, Any]:
    row: dict[str, Any] = workers.streams().get(name, {}).get("publish", {})
    return row


def test_a_worker_that_dies_takes_its_own_clients_and_is_started_again(workers: Workers) -> None:
    publisher = Publisher(workers.rtmp).publish("three")
    publisher.tags([*headers(), *film(25)])
    players = [Player(workers.http, "/live/three.flv", flv=True) for _ in range(12)]
    for player in players:
        player.until(lambda me: len(me.tags) > 20)
    row = next(row for row in workers.clients() if row["publish"])
    before = workers.pids()
    doomed = next(pid for pid in before if not holds(pid, publisher))
    mark = len(workers.log.lines)
    os.kill(doomed, signal.SIGKILL)
    workers.log.wait(rf"worker \d, process {doomed}, ended: SIGKILL", mark)
    publisher.tags(film(25, start=1000, first=25))
    alive = [player for player in players if more(player)]
    assert 0 < len(alive) < len(players)
    for player in alive:
        check_complete(player)
    # Its place is taken by another process, a start later.
    workers.log.wait(r"worker \d is process", mark, timeout=60)
    assert len(set(workers.pids()) & set(before)) == 1
    assert workers.ask(f"clients/{row['id']}")["client"]["publish"]
    for player in players:
        player.close()
    publisher.finish()


def more(player: Player) -> bool:
    """Whether more of the stream comes; False where the connection is lost."""
    try:
        player.until(lambda me: len(me.tags) > 60)
    except (AssertionError, OSError):
        return False
    return True


def test_two_servers_with_reuse_port_share_their_ports_and_know_their_own_streams_alone(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    first, second = (
        Server(
            tmp_path_factory.mktemp("server"),
            vhost_text(publish="normal_timeout 60000;"),
            more="reuse_port on;",
        )
        for _ in range(2)
    )
    second.file.write_text(first.file.read_text())
    with first, second:
        publishers: dict[str, Publisher] = {}
        while not all(any(holds(each.pid, one) for one in publishers.values()) for each in (first, second)):
            publishers[f"s{len(publishers)}"] = Publisher(first.rtmp).publish(f"s{len(publishers)}")
        held = [
            sorted(name for name, one in publishers.items() if holds(each.pid, one))
            for each in (first, second)
        ]
        answers: list[list[str]] = []
        until(
            lambda: answers.append(sorted(first.streams())) or all(each in answers for each in held),
            "both answer",
        )
        assert all(answer in held for answer in answers)
        for one in publishers.values():
            one.close()


@pytest.mark.slow
def test_a_reload_reaches_all_workers_and_the_end_of_the_parent_is_theirs(tmp_path: Path) -> None:
    server = Workers(tmp_path, vhost_text())
    raw = "http_api { enabled on; raw_api { enabled on; allow_reload on; }"
    server.file.write_text(server.file.read_text().replace("http_api { enabled on;", raw))
    with server:
        text = server.file.read_text()
        server.file.write_text(text.replace("grace 0;", "grace 1;"))
        os.kill(server.pid, signal.SIGHUP)
        until(lambda: len(server.log.find("configuration 2 is in force")) == 2, "both have reloaded", 20)
        assert server.ask("raw?rpc=reload")["code"] == 0
        until(lambda: len(server.log.find("configuration 3 is in force")) == 2, "the API reloads both", 20)
        pids = server.pids()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.slow
def test_a_port_that_is_taken_ends_all_workers_with_the_reason(tmp_path: Path) -> None:
    server = Workers(tmp_path, vhost_text())
    with socket.create_server((HOST, server.http)):
        seen: list[BaseException] = []

        def enter() -> None:
            try:
                server.__enter__()
            except AssertionError as error:
                seen.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join(60)
        assert seen and "cannot listen for HTTP" in str(seen[0])
        assert server.process.wait(20) == 1
    server.log.close()
