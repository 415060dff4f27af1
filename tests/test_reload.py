"""The watch on the configuration files: what it notices, whoever changed a file and whenever. The clock is the test's."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from model.loop import FakeLoop

from fastflv import limits
from fastflv.config.grammar.filestamp import FileStamps
from fastflv.config.load import load
from fastflv.config.model.server import Settings
from fastflv.control.outcome import Outcome
from fastflv.control.reload import Reloader

TEXT = "listen 1935; inotify_auto_reload on; vhost __defaultVhost__ {{ }} include {0}/part.conf;"


class Site:
    """A configuration of two files, and what was put in force."""

    def __init__(self, folder: Path) -> None:
        self.main, self.part = folder / "main.conf", folder / "part.conf"
        self.main.write_text(TEXT.format(folder))
        self.say(1)
        self.loop = FakeLoop()
        self.contained = False
        self.applied: list[int] = []

    def say(self, connections: int) -> None:
        self.part.write_text(f"max_connections {connections};")

    def load(self, stamps: FileStamps) -> Settings:
        return load(str(self.main), environ={}, stamps=stamps, contained=self.contained)

    def watch(self, meanwhile=lambda: None) -> Reloader:
        """Start as the command line does; call *meanwhile* between the reading and the watch."""
        stamps: FileStamps = {}
        settings = self.load(stamps)
        meanwhile()
        return Reloader(self.loop, self.load, self.apply, settings, stamps)

    def apply(self, settings: Settings) -> Outcome:
        self.applied.append(settings.max_connections)
        return Outcome(1 + len(self.applied))

    def look(self) -> None:
        """Time for a change to be seen, and to be seen at rest."""
        self.loop.advance(2 * limits.RELOAD_LOOK_SECONDS + 0.1)


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path)


def test_files_that_rest_are_not_read_again(site):
    site.watch()
    for _ in range(3):
        site.look()
    assert site.applied == []


def test_a_file_that_changes_is_read_again(site):
    site.watch()
    site.say(20)
    site.look()
    assert site.applied == [20]


def test_a_file_that_changed_before_the_watch_began_is_read_again(site):
    site.watch(lambda: site.say(20))
    site.look()
    assert site.applied == [20]


def test_a_bad_file_is_refused_once_and_read_again_when_it_is_mended(site, caplog):
    caplog.set_level(logging.ERROR)
    site.watch()
    site.part.write_text("max_connections none;")
    for _ in range(3):
        site.look()
    assert (site.applied, len(caplog.records)) == ([], 1)
    site.say(300)
    site.look()
    assert site.applied == [300]


@pytest.mark.parametrize("there", [True, False], ids=["bad", "missing"])
def test_a_new_file_is_watched_though_it_was_no_use_at_first(site, there):
    more = site.main.with_name("more.conf")
    if there:
        more.write_text("srs_log_levell info;")
    site.watch()
    site.main.write_text(site.main.read_text() + f" include {more};")
    site.look()
    assert site.applied == []
    more.write_text("srs_log_level info;")
    site.look()
    assert site.applied == [1]


def test_a_file_that_is_not_included_any_more_is_not_watched(site):
    site.watch()
    site.main.write_text(site.main.read_text().partition("include")[0] + "max_connections 5;")
    site.look()
    site.say(6)
    site.look()
    assert site.applied == [5]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", [20]),
        ("in_docker on;", [20]),
        ("in_docker off;", []),
        ("auto_reload_for_docker off;", []),
        ("auto_reload_for_docker off; inotify_auto_reload on;", [20]),
    ],
)
def test_files_are_watched_in_a_container_that_is_found(site, words, expected):
    site.contained = True
    site.main.write_text(site.main.read_text().replace("inotify_auto_reload on;", words))
    site.watch()
    site.say(20)
    site.look()
    assert site.applied == expected


def test_a_change_that_a_reload_has_taken_already_is_not_read_again(site):
    watch = site.watch()
    site.say(20)
    site.loop.advance(limits.RELOAD_LOOK_SECONDS + 0.1)
    watch.reload("SIGHUP")
    site.look()
    assert site.applied == [20]


def test_a_closed_watch_notices_nothing(site):
    watch = site.watch()
    watch.close()
    site.say(20)
    site.look()
    assert (site.applied, site.loop.timers) == ([], [])
