"""Where files are in the paths of URLs."""

from __future__ import annotations

import pytest
from model.settings import BASE

from fastflv.config.filemount import file_mounts
from fastflv.config.load import load_text
from fastflv.errors import ConfigValueError


def mounts(text: str) -> dict[str, list[tuple[str, str]]]:
    settings = load_text(f"{BASE}\n{text}", "a.conf")
    found = file_mounts(settings.vhosts, settings.http_server.dir)
    return {name: [(mount.prefix, mount.folder) for mount in each] for name, each in found.items()}


def static(mount: str, folder: str = "x", enabled: str = "on") -> str:
    return f"http_static {{ enabled {enabled}; mount {mount}; dir {folder}; }}"


ROOT = ("/", "./objs/nginx/html")


def test_a_vhosts_own_files_go_before_the_root_of_the_server():
    found = mounts(f"vhost a {{ {static('[vhost]/')} }} vhost b {{ {static('[vhost]/hls', 'y')} }}")
    assert found == {"a": [("/", "x"), ROOT], "b": [("/hls/", "y"), ROOT], "": [ROOT]}


def test_a_mount_without_a_host_and_one_of_the_default_vhost_count_for_all():
    found = mounts(f"vhost a {{ {static('/hls')} }} vhost __defaultVhost__ {{ {static('[vhost]/', 'd')} }}")
    assert found["a"] == found["__defaultVhost__"] == found[""] == [("/hls/", "x"), ("/", "d"), ROOT]


def test_a_disabled_vhost_or_block_has_no_files():
    found = mounts(f"vhost a {{ enabled off; {static('/')} }} vhost b {{ {static('/', enabled='off')} }}")
    assert found == {"a": [ROOT], "b": [ROOT], "": [ROOT]}


@pytest.mark.parametrize("mount", ["other/", "[app]/", "[vhost]/[stream]", "b/x"])
def test_a_mount_of_another_vhost_is_refused_at_its_line(mount):
    with pytest.raises(ConfigValueError, match=r"http_static.mount .* is not a path of vhost a") as caught:
        mounts(f"vhost a {{\n{static(mount)} }}")
    assert (caught.value.file, caught.value.line) == ("a.conf", 3)


def test_files_below_the_api_on_one_port_are_refused():
    text = "http_server { enabled on; listen 8080; } http_api { enabled on; listen 8080; }"
    with pytest.raises(ConfigValueError, match="is never reached: the API answers below /api/"):
        load_text(f"{BASE}\n{text} vhost a {{ {static('/api/x')} }}", "a.conf")
