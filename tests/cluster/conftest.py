"""Fixtures of the cluster under faults: its film, the size of its crowd, and the report of all faults."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from film import Film
from report import Row, markdown, write

ROWS: pytest.StashKey[list[Row]] = pytest.StashKey()


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    """FASTFLV_CLIPS names a folder that outlives this run."""
    named = os.environ.get("FASTFLV_CLIPS")
    folder = Path(named) if named else tmp_path_factory.mktemp("clips")
    folder.mkdir(parents=True, exist_ok=True)
    return Film(folder)


@pytest.fixture(scope="session")
def crowd_size() -> int:
    """Viewers of all outputs and streams."""
    return int(os.environ.get("FASTFLV_CLUSTER_VIEWERS", "600"))


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Row]]:
    """What each fault has shown; the report is written behind the last one."""
    found: list[Row] = []
    request.config.stash[ROWS] = found
    yield found
    named = os.environ.get("FASTFLV_CLUSTER_REPORT")
    write(found, Path(named) if named else tmp_path_factory.mktemp("report"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if rows:
        terminalreporter.section("cluster")
        terminalreporter.write(markdown(rows))
