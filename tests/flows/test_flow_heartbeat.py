"""`heartbeat { }`: what a registry is told, how often, and what a reload changes."""

from __future__ import annotations

from hookserver import HookServer
from reloading import Make
from server import HOST, until, vhost_text


def test_a_registry_is_told_that_the_server_is_there_until_a_reload_ends_it(make: Make) -> None:
    with HookServer() as registry:
        beat = f"heartbeat {{ enabled on; interval 1; url {registry.url('servers', '?key=secret')};"
        server = make(
            vhost_text(), more=f"{beat} device_id one; ports on; }}", environ={"SRS_DEVICE_IP": "192.0.2.7"}
        )
        told = registry.wait("servers", 3)
        assert {each.target for each in told} == {"/servers?key=secret"}
        identity = server.ask("versions")
        assert told[0].fields == {
            "device_id": "one",
            "ip": "192.0.2.7",
            "server": identity["server"],
            "service": identity["service"],
            "pid": str(server.pid),
            "rtmp": [str(server.rtmp)],
            "http": [str(server.http)],
            "api": [str(server.api)],
        }
        assert told[2].when - told[0].when > 0.8
        server.change(("ports on;", "summaries on;"))
        until(lambda: "summaries" in registry.told[-1].fields, "the summary", 20)
        summary = registry.told[-1].fields["summaries"]["data"]
        assert summary["self"]["pid"] == server.pid and "rtmp" not in registry.told[-1].fields
        server.change((f"{beat} device_id one; summaries on; }}", ""))
        count = len(registry.told)
        server.ask("versions")
        assert len(registry.told) == count
        line = server.refuse(
            ("max_connections 1000;", "max_connections 1000; heartbeat { enabled on; url servers; }")
        )
        assert "server.conf:" in line and "'servers' is no URL of the form http://" in line


def test_a_registry_that_is_away_is_one_line(make: Make) -> None:
    with HookServer() as gone:
        url = gone.url("servers")
    server = make(vhost_text(), more=f"heartbeat {{ enabled on; interval 1; url {url}; }}")
    server.log.wait("heartbeat http://.* fails: ")
    assert server.ask("versions")["code"] == 0
    assert HOST in url and len(server.log.find("heartbeat http")) == 1
