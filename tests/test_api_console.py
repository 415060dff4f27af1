"""The fields that the console of SRS reads are in the answers of the API."""

from __future__ import annotations

from model.apisite import gop, looped, running

RATES = "kbps.recv_30s kbps.send_30s"
TRACKS = "video.codec video.profile video.level video.width video.height audio.codec audio.sample_rate audio.channel"
VHOST = f"id name enabled clients streams hls.enabled {RATES}"
STREAM = f"id name app vhost clients publish.active publish.cid {TRACKS} {RATES}"
CLIENT = "id vhost stream ip type publish alive tcUrl pageUrl swfUrl"
OWN = "version pid ppid mem_kbyte mem_percent cpu_percent srs_uptime"
MACHINE = (
    "cpu_percent disk_read_KBps disk_write_KBps disk_busy_percent mem_ram_kbyte mem_ram_percent cpus cpus_online "
    "uptime load_1m load_5m load_15m net_sample_time net_recv_bytes net_send_bytes net_recvi_bytes net_sendi_bytes "
    "srs_sample_time srs_recv_bytes srs_send_bytes conn_sys conn_sys_et conn_sys_tw conn_sys_udp conn_srs"
)
SETTINGS = "enabled listen raw_api.enabled"


def lacking(answer: dict, names: str) -> list[str]:
    """Return those of *names*, with a dot for each step, that *answer* does not have."""
    found = []
    for name in names.split():
        at: object = answer
        for step in name.split("."):
            at = at.get(step) if isinstance(at, dict) else None
        if at is None:
            found.append(name)
    return found


@looped
async def test_the_console_of_srs_finds_every_field_that_it_shows():
    async with running() as caller:
        gop(caller, caller.publish())
        _, writer = await caller.play()
        vhost = (await caller.get("vhosts"))["vhosts"][0]
        stream = (await caller.get("streams"))["streams"][0]
        for row in (vhost, (await caller.get(f"vhosts/{vhost['id']}"))["vhost"]):
            assert lacking(row, VHOST) == []
        for row in (stream, (await caller.get(f"streams/{stream['id']}"))["stream"]):
            assert lacking(row, STREAM) == []
        clients = (await caller.get("clients"))["clients"]
        assert [row["publish"] for row in clients] == [True, False]
        for row in (*clients, (await caller.get(f"clients/{clients[0]['id']}"))["client"]):
            assert lacking(row, CLIENT) == []
        data = (await caller.get("summaries"))["data"]
        assert lacking(data, "now_ms") == lacking(data["self"], OWN) == lacking(data["system"], MACHINE) == []
        assert lacking((await caller.get("versions"))["data"], "version") == []
        assert lacking((await caller.get("raw?rpc=raw"))["http_api"], SETTINGS) == []
        writer.close()
