"""`fastflv config`: the settings in force, and samples to start from."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from fastflv.config.effective import effective
from fastflv.config.model.server import Settings
from fastflv.errors import ConfigError, StartupError
from fastflv.net.peertext import printable
from fastflv.servers.api.configuration import setting_row
from fastflv.tools.configtest import load_checked, print_findings
from fastflv.tools.sample import write_sample


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 for a sample that there is not, and a file with problems."""
    args = _parser().parse_args(argv)
    if args.what == "sample":
        return write_sample(args.name)
    args.options, args.workers = {}, 1
    try:
        settings = load_checked(args, folder=os.getcwd(), stamps={})
    except (ConfigError, StartupError) as error:
        print_findings(error, (), as_json=args.json)
        return 1
    print_settings(settings, written=args.written, as_json=args.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastflv config", description="Look at configurations.")
    commands = parser.add_subparsers(dest="what", required=True, metavar="print|sample")
    show = commands.add_parser(
        "print", help="show the settings in force and where each comes from; secrets are hidden"
    )
    show.add_argument(
        "-c", metavar="FILE", dest="file", help="configuration file; without it, the built-in one"
    )
    show.add_argument(
        "-e", action="store_true", dest="env_only", help="configuration from SRS_* variables only"
    )
    show.add_argument("--written", action="store_true", help="only what is written, no defaults")
    show.add_argument("--json", action="store_true", help="write JSON")
    sample = commands.add_parser(
        "sample", help="write a sample, one use each: `fastflv config sample http.flv.live >live.conf`"
    )
    sample.add_argument("name", nargs="?", help="name of the sample; without it, the list")
    return parser


def print_settings(settings: Settings, *, written: bool, as_json: bool) -> None:
    """Write each setting with its value and source; *written*: only those that somebody has set."""
    found = [setting_row(each) for each in effective(settings) if each.written or not written]
    if as_json:
        print(json.dumps({"settings": found}, indent=2))
        return
    width = max((len(each["setting"]) for each in found), default=0)
    middle = max((len(each["value"]) for each in found if len(each["value"]) <= 40), default=0)
    for each in found:
        line = f"{each['setting']:{width}}  {each['value']:{middle}}  {each['source']}"
        sys.stdout.write(printable(line) + "\n")
