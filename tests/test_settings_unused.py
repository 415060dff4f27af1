"""Every setting is read, or is listed as one that is not, and an operator learns of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from model.fields import every_setting, read_names
from model.settings import BASE, said

from fastflv.config.feature import FEATURES
from fastflv.config.load import load_text
from fastflv.config.notice import NoticeKind
from fastflv.config.unused import UNUSED, Unused, Why, unused

SETTINGS = every_setting()
DOCS = (Path(__file__).parent.parent / "docs" / "configure.md").read_text()


def test_the_settings_are_found():
    found = dict(SETTINGS)
    assert found["vhost.play.mw_latency"] is False
    assert found["vhost.play"] is True
    assert found["http_server.https.key"] is False
    assert len(found) > 150
    assert {"hls_window", "mounts", "max_connections"} <= read_names()


def test_every_setting_is_read_or_listed_as_not_and_never_both():
    read = read_names()
    unread = []
    for path, _ in SETTINGS:
        if not any(path.startswith(f"{block}.") for block in unread) and path.rpartition(".")[2] not in read:
            unread.append(path)
    assert set(unread) == {row.path for row in UNUSED}


def test_the_table_names_each_setting_once():
    paths = [row.path for row in UNUSED]
    assert len(paths) == len(set(paths))
    assert set(paths) <= {path for path, _ in SETTINGS}


def test_a_setting_is_unused_when_it_or_a_block_around_it_is_listed(monkeypatch):
    whole = Unused("vhost.hls", Why.DOCUMENTED, "all of it")
    monkeypatch.setattr("fastflv.config.unused.UNUSED", (*UNUSED, whole))
    assert unused("vhost.hls.hls_path") is whole
    assert unused("vhost.play.mw_msgs").why is Why.WARNED
    assert unused("vhost.play.mw_latency") is None
    assert unused("http_server.dirt") is None


@pytest.mark.parametrize("row", [row for row in UNUSED if row.why is Why.FEATURE], ids=lambda row: row.path)
def test_an_unused_setting_of_a_feature_names_one_of_the_table_of_features(row):
    assert row.text in {feature.name for feature in FEATURES}


@pytest.mark.parametrize(
    "row", [row for row in UNUSED if row.why in (Why.WARNED, Why.DOCUMENTED)], ids=lambda row: row.path
)
def test_the_docs_say_of_a_setting_that_it_has_no_effect(row):
    block, _, name = row.path.removeprefix("vhost.").rpartition(".")
    part = re.split(rf"^##+ {re.escape(block) or 'At the top of the file'}$", DOCS, flags=re.MULTILINE)[1]
    [text] = re.findall(rf"^\| `{name}` \| [^|]* \| (.*) \|$", part.split("\n#")[0], flags=re.MULTILINE)
    assert text.startswith("**No effect.** ")


WARNED = {
    "pithy_print_ms 5000;": "pithy_print_ms has no effect: a connection is logged when it begins",
    "vhost a { play { mw_latency 350; mw_msgs 4; } }": "vhost.play.mw_msgs has no effect: media is merged by time",
    "vhost a { play { mw_msgs 4; } }": "vhost.play.mw_msgs has no effect",
    "vhost a { play { send_min_interval 0.5; } }": "vhost.play.send_min_interval has no effect: players are sent",
    "vhost a { publish { try_annexb_first off; } }": "vhost.publish.try_annexb_first has no effect",
    "vhost a { hls { hls_dts_directly off; } }": "vhost.hls.hls_dts_directly has no effect: segments keep",
}


@pytest.mark.parametrize(("text", "words"), WARNED.items())
def test_a_value_that_changes_nothing_is_pointed_out_with_its_place(text, words):
    [notice] = load_text(f"{BASE}\n{text}", "a.conf").notices
    assert (notice.kind, notice.file, notice.line) == (NoticeKind.NO_EFFECT, "a.conf", 2)
    assert notice.text.startswith(words)


def test_each_row_of_the_table_that_warns_is_tried_here():
    tried = " ".join(WARNED)
    assert all(row.path.rpartition(".")[2] in tried for row in UNUSED if row.why is Why.WARNED)


@pytest.mark.parametrize(
    "text",
    [
        "pithy_print_ms 10000;",
        "vhost a { play { mw_msgs 8; } }",
        "vhost a { play { mw_latency 0; mw_msgs 4; } }",
        "vhost a { min_latency on; play { mw_msgs 4; } }",
        "vhost a { play { send_min_interval 0; } }",
        "vhost a { publish { try_annexb_first on; mr on; mr_latency 100; } }",
        "vhost a { hls { hls_dts_directly on; } }",
        "vhost a { enabled off; hls { hls_dts_directly off; } }",
    ],
)
def test_nothing_is_said_where_nothing_would_be_different(text):
    assert load_text(BASE + text).notices == ()


def test_a_variable_that_changes_nothing_is_pointed_out_for_each_vhost():
    settings = load_text(BASE + "vhost a { } vhost b { }", environ={"SRS_VHOST_PLAY_MW_MSGS": "4"})
    [text] = said(settings, NoticeKind.NO_EFFECT)
    assert text.startswith("vhost.play.mw_msgs")
