"""The listeners of a server: sockets that are handed to them, places that overlap, and what else holds one."""

from __future__ import annotations

import asyncio
import socket

import pytest
from model.http import looped
from model.ports import free_ports

from fastflv.config.endpoint import Endpoint
from fastflv.control.listeners import Listeners, Wanted
from fastflv.errors import StartupError
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.networkset import NetworkSet
from fastflv.net.opening import Opening
from fastflv.net.peer import Peer
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns

HOST = "127.0.0.1"


class Greeting(asyncio.Protocol):
    """Says hello."""

    def __init__(self, limit: ConnectionLimit) -> None:
        self.limit = limit

    def connection_made(self, transport) -> None:
        transport.write(b"hello")
        transport.close()

    def connection_lost(self, exc) -> None:
        self.limit.release()


def plan(listeners: Listeners, limit: ConnectionLimit, *endpoints: Endpoint, inherited=()):
    def greet(peer: Peer) -> Greeting:
        return Greeting(limit)

    return listeners.plan(
        [Wanted("HTTP", endpoints, greet)], trusted=NetworkSet(), empty_ip_ok=True, inherited=inherited
    )


def handed_socket() -> socket.socket:
    """A listening socket, as a supervisor opens it."""
    sock = socket.create_server((HOST, 0))
    sock.setblocking(False)
    return sock


def port_of(sock: socket.socket) -> int:
    return sock.getsockname()[1]


@looped
async def test_a_handed_socket_serves_those_that_came_before_the_server_did():
    sock = handed_socket()
    loop, limit = asyncio.get_running_loop(), ConnectionLimit(10)
    early, writer = await asyncio.open_connection(HOST, port_of(sock))
    listeners = Listeners(loop, limit, Opening(loop, Turns(loop), QuietSockets(loop)))
    listeners.commit(
        plan(listeners, limit, Endpoint(HOST, port_of(sock)), Endpoint(HOST, 0), inherited=[sock])
    )
    assert await early.read() == b"hello"
    writer.close()
    handed, free = listeners.ports("HTTP")
    assert handed == port_of(sock) != free
    for port in (handed, free):
        reader, writer = await asyncio.open_connection(HOST, port)
        assert await reader.read() == b"hello"
        writer.close()
    listeners.close()


@looped
async def test_a_handed_socket_that_no_listen_names_is_refused_and_nothing_stays_open():
    sock = handed_socket()
    limit = ConnectionLimit(10)
    listeners = Listeners(
        loop := asyncio.get_running_loop(), limit, Opening(loop, Turns(loop), QuietSockets(loop))
    )
    (free,) = free_ports(1)
    with pytest.raises(
        StartupError, match=rf"the supervisor opened \('127.0.0.1', {port_of(sock)}\), which no"
    ):
        plan(listeners, limit, Endpoint(HOST, free), inherited=[sock])
    assert len(listeners) == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(HOST, free)


async def serves(host: str, port: int) -> bool:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        return await reader.read() == b"hello"
    finally:
        writer.close()


@pytest.mark.parametrize("wide", ["", "0.0.0.0"], ids=["IPv6 and IPv4", "IPv4"])
@looped
async def test_a_listener_that_another_process_keeps_from_growing_stays_as_it_is(wide):
    limit = ConnectionLimit(10)
    listeners = Listeners(
        loop := asyncio.get_running_loop(), limit, Opening(loop, Turns(loop), QuietSockets(loop))
    )
    # Not one of the kernel's choice: clients have those on 127.0.0.1.
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.2", port)):
        listeners.commit(plan(listeners, limit, Endpoint(HOST, port)))
        with pytest.raises(StartupError, match=f"cannot listen for HTTP on .*{port}: address already in use"):
            plan(listeners, limit, Endpoint(wide, port))
        assert listeners.ports("HTTP") == [port]
        assert await serves(HOST, port)
    listeners.commit(plan(listeners, limit, Endpoint(wide, port)))
    assert await serves(HOST, port) and await serves("127.0.0.2", port)
    listeners.commit(plan(listeners, limit, Endpoint("127.0.0.2", port)))
    assert await serves("127.0.0.2", port)
    with pytest.raises(ConnectionRefusedError):
        await serves(HOST, port)
    listeners.close()


@looped
async def test_a_listener_beside_one_that_stays_on_its_address_is_refused():
    limit = ConnectionLimit(10)
    listeners = Listeners(
        loop := asyncio.get_running_loop(), limit, Opening(loop, Turns(loop), QuietSockets(loop))
    )
    (port,) = free_ports(1)
    listeners.commit(plan(listeners, limit, Endpoint(HOST, port)))

    def greet(peer: Peer) -> Greeting:
        return Greeting(limit)

    both = [Wanted("HTTP", (Endpoint(HOST, port),), greet), Wanted("API", (Endpoint("", port),), greet)]
    with pytest.raises(StartupError, match="cannot listen for API"):
        listeners.plan(both, trusted=NetworkSet(), empty_ip_ok=True)
    assert await serves(HOST, port)
    listeners.close()
