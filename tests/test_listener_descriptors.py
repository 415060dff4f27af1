"""A listener, and a process, without a free descriptor."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
from contextlib import suppress

from model import proxy
from model.http import looped
from model.listening import HOST, Site
from model.loop import until

from fastflv import limits
from fastflv.net.plainserver import watch_descriptors

LINE = proxy.line("198.51.100.7", 51000, "192.0.2.1", 443)


class Exhausted(socket.socket):
    """A listening socket for which the process has no descriptor left, twice."""

    fails = 2

    def accept(self):
        if self.fails:
            self.fails -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


@looped
async def test_a_listener_without_a_descriptor_rests_and_accepts_later(monkeypatch, caplog):
    monkeypatch.setattr(limits, "ACCEPT_REST_SECONDS", 0.05)
    sock = Exhausted()
    sock.bind((HOST, 0))
    sock.setblocking(False)
    site = Site(sock, proxied=True)
    assert (await site.greet(LINE)).data == b"hello"
    said = "cannot accept: Too many open files; raise the limit of open files (ulimit -n)"
    assert caplog.messages == [said] * 2
    site.listener.close()
    await until(lambda: site.limit.taken == 0)


@looped
async def test_a_listener_that_rests_can_be_closed(monkeypatch):
    monkeypatch.setattr(limits, "ACCEPT_REST_SECONDS", 0.01)
    errors: list[dict] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    sock = Exhausted()
    sock.fails = most = 10**6
    sock.bind((HOST, 0))
    sock.setblocking(False)
    site = Site(sock, proxied=True)
    _, writer = await site.connect()
    await until(lambda: sock.fails < most)
    site.listener.close()
    left = sock.fails
    await asyncio.sleep(0.05)
    writer.close()
    assert (sock.fails, errors, site.limit.total) == (left, [], 0)


@looped
async def test_a_process_without_a_free_descriptor_says_so_once_each_time(monkeypatch, caplog):
    monkeypatch.setattr(limits, "DESCRIPTOR_CHECK_SECONDS", 0.01)
    most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most[0], 1024), most[1]))
    watch = asyncio.get_running_loop().create_task(watch_descriptors())
    try:
        for times in 1, 2:
            taken = []
            with suppress(OSError):
                while True:
                    taken.append(os.dup(0))
            await until(lambda times=times: len(caplog.messages) == times)
            await asyncio.sleep(0.05)
            for fd in taken:
                os.close(fd)
            await asyncio.sleep(0.05)
    finally:
        watch.cancel()
        resource.setrlimit(resource.RLIMIT_NOFILE, most)
    said = (
        "new connections are closed at once: too many open files; raise the limit of open files (ulimit -n)"
    )
    assert caplog.messages == [said] * 2
