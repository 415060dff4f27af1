"""Settings from a few words of configuration, and what was said of them."""

from __future__ import annotations

import pytest

from fastflv.config.load import load_text
from fastflv.config.model.server import Settings
from fastflv.config.model.vhost import DEFAULT_VHOST, Vhost
from fastflv.config.notice import NoticeKind
from fastflv.errors import ConfigError, ConfigValueError

BASE = "listen 1935; daemon off; "


def one(body: str, **environ: str) -> Vhost:
    """The default vhost with *body*."""
    found = load_text(f"{BASE}vhost {DEFAULT_VHOST} {{ {body} }}", environ=environ).vhost("any.name")
    assert found is not None
    return found


def said(settings: Settings, kind: NoticeKind) -> list[str]:
    return [notice.feature or notice.text for notice in settings.notices if notice.kind is kind]


def refusal(text: str, kind: type[ConfigError] = ConfigValueError) -> ConfigError:
    with pytest.raises(kind) as caught:
        load_text(text, "a.conf")
    return caught.value
