"""What README and docs say in code: their configurations load, foreign ones are taken by nginx, and links lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from otherservers import load_module, nginx_takes

from fastflv.config import feature
from fastflv.config.load import load_text
from fastflv.config.notice import NoticeKind
from fastflv.errors import ConfigError

TOP = Path(__file__).parent.parent
PAGES = [TOP / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "THREAT_MODEL.md")]
PAGES += sorted((TOP / "docs").glob("*.md"))
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
WHOLE = "listen 1935; max_connections 1000; daemon off; srs_log_tank console; http_server {{ enabled on; }}\n"
FORMS = (
    "{}",
    WHOLE + "{}",
    WHOLE + "{}vhost __defaultVhost__ {{ }}",
    WHOLE + "vhost __defaultVhost__ {{\n{}}}",
)
"What is written around a block: nothing, the top of a file, a file with a vhost, a vhost."
SECRETS = {"SECRET": "a-secret-that-is-long-enough-for-hs256", "KEY": "key"}


class Block(NamedTuple):
    """One fenced block."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for page in PAGES:
        text = page.read_text()
        for found in FENCE.finditer(text):
            yield Block(page.name, text.count("\n", 0, found.start()) + 1, found[2], found[3])


def is_configuration(block: Block) -> bool:
    """Whether *block* is statements that end with `;` or `}`; JSON and unit files have neither form."""
    end = block.text.rstrip()[-1:]
    return not block.language and end in (";", "}") and not block.text.startswith(("{", "/var/log"))


CONFIGURATIONS = [block for block in blocks() if is_configuration(block)]
FOREIGN = [block for block in blocks() if block.language == "nginx"]


def test_there_are_blocks_to_look_at():
    assert len(CONFIGURATIONS) >= 20 and len(FOREIGN) >= 5


@pytest.mark.parametrize("block", CONFIGURATIONS, ids=str)
def test_a_configuration_of_the_docs_loads(block: Block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = re.sub(r"^include .*", "", block.text, flags=re.MULTILINE)
    for word, value in SECRETS.items():
        text = re.sub(rf"\b{word}\b", value, text)
    faults = []
    for form in FORMS:
        try:
            settings = load_text(form.format(text))
        except ConfigError as error:
            faults.append(str(error))
            continue
        assert not [each for each in settings.notices if each.kind is not NoticeKind.ADVICE], block
        return
    pytest.fail(f"{block}: {faults}")


@pytest.mark.parametrize("block", FOREIGN, ids=str)
def test_nginx_takes_what_is_said_to_be_its_own(block: Block, tmp_path):
    text = block.text.replace("/var/media", str(tmp_path))
    nginx_takes(tmp_path, text, load_module("rtmp") if "rtmp {" in text else "")


def anchors(page: Path) -> set[str]:
    """Names of the headings of *page*, as GitHub makes them."""
    text = FENCE.sub("", page.read_text())
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path):
    text = FENCE.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        path, _, anchor = (target[0] or target[1]).partition("#")
        if "://" in path:
            continue
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), path
        if anchor:
            assert anchor in anchors(there), f"{path}#{anchor}"


def test_the_way_from_srs_names_all_that_is_ignored():
    part = (
        (TOP / "docs" / "migrate.md").read_text().split("### What is ignored or refused")[1].split("\n## ")[0]
    )
    for row in feature.FEATURES:
        assert f"`{row.name}`" in part, row.name
