"""JWK sets: read in the background, kept while they cannot be, asked for again for a key that is new."""

from __future__ import annotations

import asyncio
import logging
import os

import pytest
from keyserver import KeyServer
from model.tokens import key_set, row

from fastflv import limits
from fastflv.access.tokens.key import read_set
from fastflv.control.keysets import KeySets
from fastflv.net.filepool import FilePool

FIRST, SECOND = key_set(row("ES256", "one")), key_set(row("ES256", "one"), row("EdDSA", "two"))


def kids(source):
    return [key.kid for key in source.keys]


def run(check, files=None):
    """Run *check* with sets of its own. *files*: what makes their share of threads of the pool's."""

    async def body():
        loop = asyncio.get_running_loop()
        pool = FilePool(loop)
        sets = KeySets(loop, pool.opening if files is None else files(pool.opening))
        try:
            await asyncio.wait_for(check(sets), 20)
        finally:
            await sets.stop()
            pool.close()

    asyncio.run(body())


async def renewed(source):
    """Ask for an unknown key, and wait for the answer."""
    done = asyncio.Event()
    assert source.renew(done.set) is not None
    await done.wait()


def test_a_set_at_a_url_is_fetched_and_again_for_a_key_that_is_new():
    async def check(sets):
        with KeyServer(FIRST) as server:
            source = sets.source_of(server.url, ())
            assert not source.read and source.keys == ()
            sets.keep([source])
            waiting = asyncio.Event()
            assert source.renew(waiting.set) is not None
            await waiting.wait()
            assert kids(source) == ["one"] and source.read
            server.body = SECOND
            assert source.renew(pytest.fail) is None, "it was read a moment ago"
            limits.JWKS_RENEW_SECONDS = 0.0
            await renewed(source)
            assert kids(source) == ["one", "two"]
            assert server.asked == 2

    before = limits.JWKS_RENEW_SECONDS
    try:
        run(check)
    finally:
        limits.JWKS_RENEW_SECONDS = before


def test_a_set_is_fetched_now_and_then(monkeypatch):
    monkeypatch.setattr(limits, "JWKS_SECONDS", 0.01)

    async def check(sets):
        with KeyServer(FIRST) as server:
            source = sets.source_of(server.url, ())
            sets.keep([source])
            while kids(source) != ["one"]:
                await asyncio.sleep(0.01)
            server.body = SECOND
            while kids(source) != ["one", "two"]:
                await asyncio.sleep(0.01)
            sets.keep([])
            asked = server.asked
            assert sets.source_of(server.url, ()) is not source
            assert server.asked == asked

    run(check)


FAULTS = {
    "a status": (500, FIRST, "was answered with status 500"),
    "no set": (200, b"<html>", "is no JWK set"),
    "too much": (200, b" " * (limits.JWKS_BYTES_MAX + 1), "is larger than"),
}


@pytest.mark.parametrize(("status", "body", "why"), FAULTS.values(), ids=FAULTS)
def test_a_set_that_cannot_be_read_keeps_its_keys_and_says_so_once(status, body, why, monkeypatch, caplog):
    monkeypatch.setattr(limits, "JWKS_RENEW_SECONDS", 0.0)
    caplog.set_level(logging.INFO)

    async def check(sets):
        with KeyServer(FIRST) as server:
            source = sets.source_of(server.url, ())
            sets.keep([source])
            await renewed(source)
            server.status, server.body = status, body
            await renewed(source)
            await renewed(source)
            assert kids(source) == ["one"] and source.read

    run(check)
    (line,) = [line for line in caplog.messages if "the keys of before count" in line]
    assert why in line
    assert not any("of-the-url" in line for line in caplog.messages)


def test_a_server_that_is_not_there_leaves_no_keys(caplog):
    async def check(sets):
        with KeyServer(FIRST) as server:
            url = server.url
        source = sets.source_of(url, ())
        sets.keep([source])
        while not caplog.messages:
            await asyncio.sleep(0.01)
        assert not source.read

    run(check)
    assert (
        "cannot be fetched" in caplog.messages[0] and "tokens of its keys are refused" in caplog.messages[0]
    )


def test_a_file_is_read_again_when_it_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "JWKS_LOOK_SECONDS", 0.01)
    file = tmp_path / "keys.json"
    file.write_bytes(FIRST)

    async def check(sets):
        source = sets.source_of(str(file), read_set(FIRST, "it"))
        assert kids(source) == ["one"]
        sets.keep([source])
        fresh = tmp_path / "fresh"
        fresh.write_bytes(SECOND)
        os.replace(fresh, file)
        while kids(source) != ["one", "two"]:
            await asyncio.sleep(0.01)

    run(check)


def test_who_waits_is_answered_when_the_set_is_read_no_more_and_not_when_it_has_left():
    async def check(sets):
        with KeyServer(FIRST) as server:
            source = sets.source_of(server.url, ())
            answered = []
            source.renew(lambda: answered.append("first"))
            source.renew(lambda: answered.append("second")).cancel()
            sets.keep([])
            assert answered == ["first"]

    run(check)


class FailingOnce:
    """A share of threads whose first call ends as *end* says."""

    def __init__(self, share, end):
        self.share, self.end = share, end

    def run(self, function, *args):
        end, self.end = self.end, None
        if end is None:
            return self.share.run(function, *args)
        future = asyncio.get_running_loop().create_future()
        end(future)
        return future


ODD = {
    "no thread": lambda future: future.cancel(),
    "a library": lambda future: future.set_exception(RuntimeError("odd")),
}


@pytest.mark.parametrize("end", ODD.values(), ids=ODD)
def test_a_reading_that_fails_in_an_odd_way_is_followed_by_another(tmp_path, monkeypatch, end):
    monkeypatch.setattr(limits, "JWKS_LOOK_SECONDS", 0.01)
    file = tmp_path / "keys.json"
    file.write_bytes(FIRST)

    async def check(sets):
        source = sets.source_of(str(file), ())
        await renewed(source)
        assert kids(source) == []
        while kids(source) != ["one"]:
            await asyncio.sleep(0.01)

    run(check, lambda share: FailingOnce(share, end))
