"""What /api/v1/summaries says of disks and network interfaces."""

from __future__ import annotations

import pytest

from fastflv.config.model.server import Stats
from fastflv.servers.api import machine
from fastflv.servers.api.disks import DiskMeter, DiskUse
from fastflv.servers.api.network import NetworkBytes, interfaces, network_bytes


class Disks:
    """A /proc/diskstats that a test writes, and a clock that it moves."""

    def __init__(self, path):
        self.path = path
        self.now = 100.0
        self.write()
        self.meter = DiskMeter(clock=lambda: self.now, path=str(path))

    def write(self, **rows):
        """Give devices as (sectors read, sectors written, busy milliseconds)."""
        self.path.write_text(
            "".join(
                f" 254       0 {name} 9 9 {read} 9 9 9 {written} 9 0 {busy} 9 9 9 9 9\n"
                for name, (read, written, busy) in rows.items()
            )
        )


@pytest.fixture
def disks(tmp_path):
    return Disks(tmp_path / "diskstats")


def test_a_disk_is_shown_by_what_it_did_since_the_last_asking(disks):
    disks.write(vda=(1000, 500, 100), vdb=(7, 7, 7))
    assert disks.meter.use(["vda"]) == DiskUse()
    disks.now += 2
    disks.write(vda=(1000 + 2048, 500 + 4096, 100 + 500), vdb=(9999, 9999, 9999))
    assert disks.meter.use(["vda"]) == DiskUse(512, 1024, 0.25)
    disks.now += 1
    assert disks.meter.use(["vda"]) == DiskUse(0, 0, 0.0)


def test_several_disks_are_added_up_and_their_busy_time_is_the_mean(disks):
    disks.write(vda=(0, 0, 0), vdb=(0, 0, 0))
    disks.meter.use(["vda", "vdb"])
    disks.now += 1
    disks.write(vda=(20, 0, 2000), vdb=(20, 2, 0))
    assert disks.meter.use(["vda", "vdb"]) == DiskUse(20, 1, 0.5)


def test_two_who_ask_at_once_get_the_same(disks):
    disks.write(vda=(0, 0, 0))
    disks.meter.use(["vda"])
    disks.now += 1
    disks.write(vda=(4, 0, 0))
    assert disks.meter.use(["vda"]).read_kbyte == 2
    disks.now += 0.1
    disks.write(vda=(400, 0, 0))
    assert disks.meter.use(["vda"]).read_kbyte == 2


def test_a_disk_that_is_not_there_is_idle_and_one_that_comes_counts_from_then_on(disks):
    assert disks.meter.use(["vdz"]) == DiskUse()
    disks.now += 1
    disks.write(vdz=(5000, 0, 0))
    assert disks.meter.use(["vdz"]) == DiskUse()
    disks.now += 1
    disks.write(vdz=(5002, 0, 0))
    assert disks.meter.use(["vdz"]).read_kbyte == 1


def test_other_disks_begin_anew_and_none_are_never_read(disks):
    disks.write(vda=(0, 0, 0), vdb=(9000, 0, 0))
    disks.meter.use(["vda"])
    disks.now += 1
    assert disks.meter.use(["vdb"]) == DiskUse()
    disks.path.unlink()
    assert disks.meter.use([]) == DiskUse()
    disks.now += 1
    assert disks.meter.use(["vdb"]) == DiskUse()


DEV = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0
  eth0: 30 1 0 0 0 0 0 0 40 1 0 0 0 0 0 0
  eth1:50 1 0 0 0 0 0 0 60 1 0 0 0 0 0 0
"""


def test_the_interface_of_the_index_is_reported_and_loopback_beside_it(tmp_path):
    path = tmp_path / "dev"
    path.write_text(DEV)
    for index, row in enumerate([(30, 40), (50, 60), (10, 20), (0, 0)]):
        found = network_bytes(index, names=["eth0", "eth1", "lo"], path=str(path))
        assert found == NetworkBytes(*row, 10, 20)
    assert network_bytes(0, names=["eth0"], path=str(tmp_path / "gone")) == NetworkBytes()


def test_the_interfaces_of_this_machine_end_with_loopback():
    found = interfaces()
    assert len(set(found)) == len(found)
    assert "lo" not in found[:-1]
    if "lo" in found:
        before = network_bytes(found.index("lo"))
        assert (before.received, before.sent) == (before.received_inside, before.sent_inside)


def summary(stats, disks):
    shown = machine.summary(
        machine.CpuMeter(), disks.meter, stats, version="1", uptime=0.0, received=0, sent=0, connections=0
    )
    return shown["system"]


def test_the_summary_follows_stats(disks):
    disks.write(vda=(0, 0, 0))
    stats = Stats(disk=("vda",))
    summary(stats, disks)
    disks.now += 1
    disks.write(vda=(2048, 4096, 500))
    shown = summary(stats, disks)
    assert (shown["disk_read_KBps"], shown["disk_write_KBps"], shown["disk_busy_percent"]) == (
        1024,
        2048,
        0.5,
    )
    off = summary(Stats(enabled=False, disk=("vda",)), disks)
    assert {name: value for name, value in off.items() if name.startswith(("disk_", "net_"))} | {
        "net_sample_time": 0
    } == dict.fromkeys((name for name in off if name.startswith(("disk_", "net_"))), 0)


def test_devices_that_the_machine_has_not_are_named():
    [network, disk] = machine.absent(Stats(network=99, disk=("no-such-disk",)))
    assert network.startswith("stats.network is 99, but the interfaces with an IPv4 address are ")
    assert disk == "stats.disk: there is no block device no-such-disk"
    assert list(machine.absent(Stats(enabled=False, network=99))) == []
