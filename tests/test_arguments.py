"""The command line's arguments, and what is said of those that there are not."""

from __future__ import annotations

import pytest

from fastflv.config.check import check_listeners
from fastflv.config.load import load
from fastflv.errors import ConfigValueError
from fastflv.tools.arguments import Arguments


def refused(capsys, *argv, **environ) -> str:
    with pytest.raises(SystemExit) as caught:
        Arguments().parse(argv, environ)
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["live.conf"], "write `fastflv -c live.conf`"),
        (["--config", "live.conf"], "write `fastflv -c live.conf`"),
        (["--config=live.conf"], "write `fastflv -c live.conf`"),
        (["--port", "80"], "`--http PORT` for HTTP"),
        (["--nonsense"], "see `fastflv -h`"),
        (["-c"], "expected one argument"),
        (["-c", "live.conf", "--http", "80"], "write the listeners into live.conf"),
        (["-e", "--http", "80"], "write the listeners into the environment"),
    ],
)
def test_an_argument_that_there_is_not_is_answered_by_the_one_that_there_is(capsys, argv, words):
    assert words in refused(capsys, *argv)


def test_options_beside_a_file_of_the_environment_are_refused(capsys):
    assert "into live.conf" in refused(capsys, "--listen", "1", SRS_CONFIG_FILE="live.conf")


def test_a_file_that_is_there_is_called_one(capsys, tmp_path):
    file = tmp_path / "a"
    file.write_text("")
    assert f"{file} is a file; write `fastflv -c {file}`" in refused(capsys, str(file))


def test_options_change_the_listeners_of_the_built_in_configuration_and_beat_variables():
    args = Arguments().parse(["--listen", "1936", "--http", "127.0.0.1:81", "--api", "0"], {})
    settings = load(None, environ={"SRS_LISTEN": "1937"}, options=args.options)
    assert [str(each) for each in settings.listen] == ["1936"]
    assert [str(each) for each in settings.http_server.listen] == ["127.0.0.1:81"]
    assert [str(each) for each in settings.http_api.listen] == ["0"]


def test_an_option_that_is_no_endpoint_is_named():
    options = {"listen": ("--listen", "foo")}
    with pytest.raises(ConfigValueError, match=r"^option --listen: listen cannot be 'foo'"):
        load(None, environ={}, options=options)


def test_a_start_from_nothing_says_that_it_listens_on_nothing_and_what_to_set():
    with pytest.raises(ConfigValueError, match=r"listens on nothing; set SRS_LISTEN=1935"):
        check_listeners(load(None, environ={}, env_only=True))
    # An HTTP server alone takes publishers too.
    check_listeners(load(None, environ={"SRS_HTTP_SERVER_ENABLED": "on"}, env_only=True))


@pytest.mark.parametrize("columns", [60, 150])
def test_help_is_as_wide_as_columns_says(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    widest = max(map(len, Arguments().format_help().splitlines()))
    assert columns - 15 < widest <= columns - 2
