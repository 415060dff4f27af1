"""Files below a root: what is opened, and what never is."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastflv import limits
from fastflv.servers.files.opening import OpenFile, Unopened, open_below, open_first, same_files


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").write_text("secret")
    root = outside / "www"
    (root / "sub").mkdir(parents=True)
    (root / "bare").mkdir()
    (root / "index.html").write_text("root")
    (root / "sub" / "index.html").write_text("sub")
    (root / "large").write_bytes(bytes(limits.HTTP_SMALL_FILE_BYTES_MAX + 1))
    (root / "a b%2e.txt").write_text("odd")
    (root / "inside").symlink_to("sub/index.html")
    (root / "out").symlink_to(outside / "secret")
    (root / "up").symlink_to("..")
    (root / "loop").symlink_to("loop")
    (root / "gone").symlink_to("nothing")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(root / "sock"))
    (root / "null").symlink_to("/dev/null")
    return root


def test_small_files_are_read_and_others_stay_open(root):
    small, large = open_below(str(root), "a b%2e.txt"), open_below(str(root), "large")
    assert (small.body, small.size, small.fd) == (b"odd", 3, -1)
    assert (large.body, large.size) == (None, limits.HTTP_SMALL_FILE_BYTES_MAX + 1)
    assert os.read(large.fd, 2) == b"\0\0"
    fd = large.fd
    large.close()
    large.close()
    with pytest.raises(OSError):
        os.fstat(fd)


@pytest.mark.parametrize(
    ("path", "body"),
    [("", b"root"), ("index.html", b"root"), ("sub/", b"sub"), ("inside", b"sub"), ("up/www/sub/", b"sub")],
)
def test_a_directory_has_an_index_and_links_stay_inside(root, path, body):
    assert open_below(str(root), path).body == body


@pytest.mark.parametrize(
    "path",
    [
        "..", "../secret", "sub/../../secret", "out", "up/secret", "/etc/passwd", "//etc/passwd", "loop", "gone", "null", "pipe",
        "sock", "a\0b", "sub\\..\\..\\secret", ".", "./index.html", "x" * 300, "index.html/", "index.html/x", "bare", "bare/",
    ],
)  # fmt: skip
def test_what_is_no_file_below_the_root_is_absent(root, path):
    assert open_below(str(root), path) is Unopened.ABSENT


def test_a_directory_without_its_slash_is_told_apart(root):
    assert open_below(str(root), "sub") is Unopened.FOLDER


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_forbidden(root):
    (root / "locked").write_text("x")
    (root / "locked").chmod(0)
    assert open_below(str(root), "locked") is Unopened.FORBIDDEN


def test_the_first_directory_that_has_the_file_gives_it(root):
    folders = ((str(root / "bare"), "index.html"), (str(root / "nowhere"), "x"), (str(root), "sub/"))
    assert open_first(folders).body == b"sub"
    assert open_first(()) is Unopened.ABSENT


@given(
    st.lists(
        st.sampled_from(["..", ".", "sub", "up", "www", "out", "", "secret", "\\", "%2e%2e", "index.html"]),
        max_size=8,
    )
)
def test_no_path_leads_out_of_the_root(root, parts):
    found = open_below(str(root), "/".join(parts))
    if isinstance(found, OpenFile):
        assert found.path.startswith(str(root) + "/")
        assert found.body in (b"root", b"sub")


def test_files_that_were_not_changed_are_told_from_those_that_were(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    for name in ("same", "edited", "gone", "linked", "hidden", "index.html"):
        (second / name).write_text(name)
    asked = [
        ((str(first), name), (str(second), name))
        for name in ("same", "edited", "gone", "linked", "hidden", "")
    ]
    files = {folders: open_first(folders) for folders in asked}
    assert same_files(files) == asked
    (second / "edited").write_text("another")
    (second / "gone").unlink()
    (second / "linked").unlink()
    (second / "linked").symlink_to("/etc/passwd")
    (first / "hidden").write_text("hidden")
    assert same_files(files) == [asked[0], asked[5]]
