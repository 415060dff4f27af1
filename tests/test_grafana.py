"""The dashboard and the alert rules of docs/grafana: their form, and that they ask for what a server says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from model.apisite import gop, looped, running
from prometheus_client.parser import text_string_to_metric_families

FOLDER = Path(__file__).parent.parent / "docs/grafana"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())
NAME = re.compile(r"\b(?:srs|fastflv)_[a-z_]+\b")
SELECTOR = re.compile(r"\b((?:srs|fastflv)_[a-z_]+)\{([^}]*)\}")
OF_PROMETHEUS = {"instance", "job", "le"}
"Labels that a scrape does not have itself."
GRID = 24


def queries() -> Iterator[str]:
    """Every expression of the dashboard, its variables put in."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield re.sub(r"\$(instance|vhost|stream)", ".*", target["expr"]).replace("$__rate_interval", "5m")


def rules() -> Iterator[dict]:
    for group in RULES["groups"]:
        yield from group["rules"]


def every_expression() -> list[str]:
    return [*queries(), *(rule["expr"] for rule in rules())]


async def series() -> dict[str, set[str]]:
    """The names of the series of a server with a stream and a player, each with its labels."""
    async with running(top="limits { conn all 1000; }") as caller:
        feed = caller.publish()
        gop(caller, feed)
        _, writer = await caller.play()
        found: dict[str, set[str]] = {}
        while "fastflv_stream_players" not in found:
            _, _, body = await caller.raw("/metrics")
            for family in text_string_to_metric_families(body.decode()):
                # A counter without a row has its name alone.
                found.setdefault(f"{family.name}_total" if family.type == "counter" else family.name, set())
                for sample in family.samples:
                    found.setdefault(sample.name, set()).update(sample.labels)
        writer.close()
    return found


@looped
async def test_queries_ask_for_series_and_labels_that_a_server_has():
    known = await series()
    known["fastflv_limited_total"] = {"limit"}
    asked = " ".join(every_expression())
    assert set(NAME.findall(asked)) <= known.keys()
    for name, selectors in SELECTOR.findall(asked):
        labels = set(re.findall(r"([a-z_]+)\s*[!=]", selectors))
        assert labels <= known[name] | OF_PROMETHEUS, name
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            name, label = re.fullmatch(
                r"label_values\(([a-z_]+)(?:\{.*\})?, ([a-z]+)\)", variable["definition"]
            ).groups()
            assert label in known[name] | OF_PROMETHEUS


def test_every_series_of_a_stream_is_on_the_dashboard():
    from fastflv.servers.metrics.exposition import HISTOGRAMS, STREAM_COUNTERS, STREAM_GAUGES

    shown = set(NAME.findall(" ".join(queries())))
    assert {f"fastflv_stream_{name}" for name, _, _ in STREAM_GAUGES} <= shown
    assert {f"fastflv_stream_{name}_total" for name, _, _ in STREAM_COUNTERS} <= shown
    live = {"fastflv_ingest_delay_seconds", "fastflv_origin_delay_seconds"}
    assert {f"{name}_bucket" for name, _ in HISTOGRAMS.values() if name not in live} <= shown


def test_the_dashboard_has_the_form_that_grafana_reads():
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time", "refresh"} <= DASHBOARD.keys()
    assert DASHBOARD["schemaVersion"] >= 36 and DASHBOARD.get("id") is None
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        assert at["x"] >= 0 and at["x"] + at["w"] <= GRID and at["h"] > 0
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
        if panel["type"] == "row":
            continue
        assert panel["type"] in ("timeseries", "stat")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["options"]
        refs = [target["refId"] for target in panel["targets"]]
        assert refs == sorted(set(refs))
        for target in panel["targets"]:
            used = set(re.findall(r"\$([a-z_]+)", target["expr"])) - {"__rate_interval"}
            assert used <= variables


def test_the_rules_have_the_form_that_prometheus_reads():
    assert RULES.keys() == {"groups"}
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names)) >= 10
    for rule in rules():
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in ("info", "warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert re.fullmatch(r"[0-9]+[smh]", rule.get("for", "0s"))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian: prometheus)")
def test_promtool_reads_the_rules_and_the_queries(tmp_path):
    panels = tmp_path / "panels.yml"
    lines = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(queries())]
    panels.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": lines}]}))
    for path in (FOLDER / "alerts.yml", panels):
        done = subprocess.run(
            ["promtool", "check", "rules", path], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr + done.stdout


CASE = """
rule_files: [{rules}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - {{series: 'fastflv_stream_frame_rate{{vhost="v", stream="live/a"}}', values: '25 25 2x10'}}
      - {{series: 'fastflv_stream_frame_rate{{vhost="v", stream="live/b"}}', values: '25x12'}}
      - {{series: 'fastflv_stream_frame_rate{{vhost="v", stream="live/sound"}}', values: '0x12'}}
      - {{series: 'fastflv_stream_keyframe_interval_seconds{{vhost="v", stream="live/a"}}', values: '2x12'}}
      - {{series: 'fastflv_stream_keyframe_interval_seconds{{vhost="v", stream="live/b"}}', values: '2x12'}}
      - {{series: 'fastflv_stream_keyframe_interval_seconds{{vhost="v", stream="live/sound"}}', values: '0x12'}}
      - {{series: 'fastflv_stream_publishers{{vhost="v", stream="live/a"}}', values: '1x12'}}
      - {{series: 'fastflv_stream_publishers{{vhost="v", stream="live/b"}}', values: '1x12'}}
      - {{series: 'fastflv_stream_publishers{{vhost="v", stream="live/sound"}}', values: '1x12'}}
      - {{series: 'fastflv_connections{{instance="one"}}', values: '950x12'}}
      - {{series: 'fastflv_connections_max{{instance="one"}}', values: '1000x12'}}
    alert_rule_test:
      - eval_time: 1m
        alertname: FastflvPicturesRare
        exp_alerts: []
      - eval_time: 6m
        alertname: FastflvPicturesRare
        exp_alerts:
          - exp_labels: {{severity: warning, vhost: v, stream: live/a}}
            exp_annotations:
              summary: live/a has 2 pictures a second
              description: Its encoder, or the way to the server, does not keep up.
      - eval_time: 6m
        alertname: FastflvConnectionsNearlyUsed
        exp_alerts:
          - exp_labels: {{severity: warning, instance: one}}
            exp_annotations:
              summary: one has 95% of its connections
              description: Raise max_connections and the limit of open files, or add a server.
"""


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian: prometheus)")
def test_an_alert_fires_for_what_it_is_about_and_for_nothing_else(tmp_path):
    case = tmp_path / "case.yml"
    case.write_text(CASE.format(rules=FOLDER / "alerts.yml"))
    done = subprocess.run(["promtool", "test", "rules", case], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool (Debian: prometheus)")
@looped
async def test_promtool_reads_a_scrape():
    async with running() as caller:
        gop(caller, caller.publish())
        _, _, body = await caller.raw("/metrics")
    done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, timeout=60)
    # 3: it would have named something otherwise, as names of SRS; 1: it cannot read it.
    assert done.returncode in (0, 3), done.stderr.decode()
    ours = [line for line in done.stderr.decode().splitlines() if line.startswith("fastflv_")]
    assert not ours, ours
