"""The grammar of configuration files: round trips, the model, places in errors, includes."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from model import conf as model

from fastflv import limits
from fastflv.config.grammar.directive import Directive
from fastflv.config.grammar.parse import parse, parse_file
from fastflv.errors import ConfigError, ConfigFileError, ConfigSyntaxError

WORDS = st.text(
    st.characters(blacklist_characters="\r\n\ufeff\0", blacklist_categories=["Cs"]), min_size=1, max_size=8
).filter(lambda word: not ("'" in word and '"' in word) and word != "include")


def tree(children):
    return st.builds(
        lambda name, args, inner: Directive(name, tuple(args), tuple(inner or ()), inner is not None),
        WORDS,
        st.lists(WORDS, max_size=3),
        st.none() | st.lists(children, max_size=3),
    )


STATEMENTS = st.recursive(
    st.builds(lambda name, args: Directive(name, tuple(args)), WORDS, st.lists(WORDS, max_size=3)),
    tree,
    max_leaves=12,
)
ROOTS = st.lists(STATEMENTS, max_size=5).map(lambda children: Directive("", (), tuple(children), True))
SCRAPS = st.lists(
    st.sampled_from([*"ab #;;{}\"'\n\n\r\t", "listen 1;", "play{", " }\n", "'a b'", '""', "a#b", "# c\n"]),
    max_size=24,
).map("".join)


def shape(text):
    root = parse(text)
    return [(child.name, child.args, child.block) for child in root.children]


@given(ROOTS, st.sampled_from(["\n", "\r\n", '\n\n# said in between: ; { } "\n']))
def test_what_is_written_out_is_read_back(root, newline):
    assert parse(model.render(root, newline=newline)) == root


@given(SCRAPS)
@example('"" ;')
@example('""{}')
@example('a "b"c;')
@example("a 'b\n';")
def test_any_scraps_are_read_or_refused_as_the_model_does(text):
    try:
        expected = model.parse(text)
    except model.Refused:
        with pytest.raises(ConfigSyntaxError):
            parse(text)
    else:
        assert parse(text) == expected


@given(st.text(max_size=40).filter(lambda text: "include" not in text))
def test_any_text_is_read_or_refused_with_its_line(text):
    try:
        parse(text, "a.conf")
    except ConfigSyntaxError as error:
        assert error.file == "a.conf"
        lines = text.split("\n")
        for each in error.problems:
            assert 1 <= each.line <= len(lines) and 1 <= each.column <= len(lines[each.line - 1]) + 1
            assert each.hint


FORMS = {
    "a statement": ("listen 1935;", [("listen", ("1935",), False)]),
    "several on a line": ("a 1; b 2;", [("a", ("1",), False), ("b", ("2",), False)]),
    "no blank before a block": ("play{\n}", [("play", (), True)]),
    "an empty block": ("vhost a.b {}", [("vhost", ("a.b",), True)]),
    "a closing bracket on the same line": ("rtc { enabled on; } x;", [("rtc", (), True), ("x", (), False)]),
    "a block with arguments": ("transcode live/a { }", [("transcode", ("live/a",), True)]),
    "tabs": ("\tlisten\t1935\t;", [("listen", ("1935",), False)]),
    "CRLF": ("listen 1935;\r\npid x;\r\n", [("listen", ("1935",), False), ("pid", ("x",), False)]),
    "a comment after a statement": ("listen 8000; # UDP; {", [("listen", ("8000",), False)]),
    "a hash inside of a word": ("url a#b;", [("url", ("a#b",), False)]),
    "no comments but the hash": ("url http://a/*b*/;", [("url", ("http://a/*b*/",), False)]),
    "semicolons in quotes": ("vf 'split [a]; [b] crop, x';", [("vf", ("split [a]; [b] crop, x",), False)]),
    "the other quote in quotes": ("a \"it's\" '\"';", [("a", ("it's", '"'), False)]),
    "a quote inside of a word": ('a b"c d";', [("a", ('b"c', 'd"'), False)]),
    "no escapes": (r'a "b\n";', [("a", (r"b\n",), False)]),
    "an empty string is no argument": ('device_id "";', [("device_id", (), False)]),
    "a bracket inside of a word": ("a b}c;", [("a", ("b}c",), False)]),
    "a URL with a question mark and an at": (
        "url rtsp://u:p@10.0.0.1:554/a?b=c;",
        [("url", ("rtsp://u:p@10.0.0.1:554/a?b=c",), False)],
    ),
    "nothing": ("", []),
    "comments alone": ("# a\n  # b", []),
}


@pytest.mark.parametrize(("text", "expected"), FORMS.values(), ids=FORMS)
def test_the_grammar_takes(text, expected):
    assert shape(text) == expected


WRONG = {
    "a line that ends inside of a statement": ("listen 1935\npid x;", 1, 1),
    "a line that ends after the name": ("\nlisten\n1935;", 2, 1),
    "a comment inside of a statement": ("listen 1935 # ;\n;", 1, 1),
    "a statement without an end": ("a 1;\nlisten 1935", 2, 1),
    "an end without a statement": ("a 1;\n;", 2, 1),
    "a block without a name": ("\n\n{ }", 3, 1),
    "a block that is never closed": ("a 1;\nvhost x {\n b 1;\n", 2, 1),
    "a bracket that closes nothing": ("a 1;\n}\n", 2, 1),
    "a bracket inside of a statement": ("vhost x {\n  enabled on }\n", 2, 3),
    "a quote that is never closed": ("a 'b;\nc 'd';", 1, 3),
    "a word right after a quote": ('a "b"c;', 1, 6),
    "a bracket right after a quote": ("x { a 'b'} ", 1, 5),
    "an empty string for a name": ('"" ;', 1, 1),
    "a byte order mark": ("\ufefflisten 1935;", 1, 1),
    "blocks without end": ("a{" * (limits.CONFIG_DEPTH_MAX + 2), 1, 67),
    "an include of nothing": ("a 1;\ninclude;", 2, 1),
    "an include with a block": ("include a.conf {\n}", 1, 1),
}


@pytest.mark.parametrize(("text", "line", "column"), WRONG.values(), ids=WRONG)
def test_the_grammar_refuses(text, line, column):
    with pytest.raises(ConfigSyntaxError) as caught:
        parse(text, "a.conf")
    assert (caught.value.file, caught.value.line, caught.value.column) == ("a.conf", line, column)
    assert str(caught.value).startswith(f"a.conf:{line}:{column}: ")


def test_every_directive_knows_its_file_and_line():
    root = parse("a 1;\n\nb {\n  # c\n  c 'x'; d 2;\n}\n", "a.conf")
    (a, b), (c, d) = root.children, root.children[1].children
    assert [(each.file, each.line) for each in (a, b, c, d)] == [("a.conf", line) for line in (1, 3, 5, 5)]


def test_of_duplicates_the_first_is_found_and_all_are_kept():
    root = parse("a 1; b 2; a 3;")
    assert root.first("a").args == ("1",)
    assert [each.args for each in root.every("a")] == [("1",), ("3",)]
    assert root.first("c") is None


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write files into an empty working directory."""
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for name, text in files.items():
            path = tmp_path / f"{name}.conf"
            path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return write


def test_an_include_is_spliced_in_place_with_its_own_file_and_lines(folder):
    folder(main="a 1;\nv {\n include x.conf y.conf;\n z 1; }", x="\nx 1;", y="y { include x.conf; }")
    root = parse_file("main.conf")
    inner = root.children[1].children
    assert [each.name for each in inner] == ["x", "y", "z"]
    assert (inner[0].file, inner[0].line) == ("x.conf", 2)
    assert inner[1].children == (Directive("x", ("1",)),)


def test_an_include_is_found_from_the_working_directory_not_from_the_including_file(folder, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "main.conf").write_text("include x.conf;")
    folder(x="x 1;")
    assert parse_file("conf/main.conf").children == (Directive("x", ("1",)),)


def test_files_that_include_each_other_are_refused_where_the_circle_closes(folder):
    folder(main="include x.conf;", x="a 1;\ninclude ./main.conf;")
    with pytest.raises(ConfigFileError) as caught:
        parse_file("main.conf")
    assert (caught.value.file, caught.value.line) == ("x.conf", 2)


def test_includes_that_double_at_each_level_come_to_an_end(folder):
    files = {f"f{n}": f"include f{n + 1}.conf f{n + 1}.conf;" for n in range(limits.INCLUDE_DEPTH_MAX - 2)}
    folder(**files, **{f"f{limits.INCLUDE_DEPTH_MAX - 2}": "a 1;"})
    with pytest.raises(ConfigFileError, match="too many includes"):
        parse_file("f0.conf")


def test_an_included_file_that_is_missing_is_named_with_the_include(folder):
    folder(main="a 1;\ninclude gone.conf;")
    with pytest.raises(ConfigFileError) as caught:
        parse_file("main.conf")
    assert (caught.value.file, caught.value.line) == ("main.conf", 2)
    assert "gone.conf" in caught.value.detail
    assert "relative to" in caught.value.hint


def test_an_included_file_cannot_close_the_block_around_it(folder):
    folder(main="v {\n include x.conf;", x="a 1; }")
    with pytest.raises(ConfigSyntaxError) as caught:
        parse_file("main.conf")
    assert caught.value.file == "x.conf"


@pytest.mark.parametrize("path", ["gone.conf", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_a_file_error(folder, path):
    with pytest.raises(ConfigFileError) as caught:
        parse_file(path)
    assert caught.value.file == path
    assert isinstance(caught.value, ConfigError)


def test_a_file_beyond_the_bound_is_refused_unread(folder, monkeypatch):
    monkeypatch.setattr(limits, "CONFIG_FILE_BYTES_MAX", 10)
    folder(main="a 1;" * 3)
    with pytest.raises(ConfigFileError):
        parse_file("main.conf")


def test_bytes_that_are_not_utf_8_pass_in_comments_and_not_in_words(folder):
    folder(main=b"# \xce\xd2\na b \xff;")
    with pytest.raises(ConfigSyntaxError, match="not UTF-8") as caught:
        parse_file("main.conf")
    assert (caught.value.line, caught.value.column, caught.value.others) == (2, 5, ())


def test_the_words_know_their_columns():
    root = parse("a 1  'b c';\n\tx { d 2; }\r\n  e 3;")
    (a, x, e), (d,) = root.children, root.children[1].children
    assert [each.columns for each in (a, x, d, e)] == [(1, 3, 6), (2,), (6, 8), (3, 5)]
