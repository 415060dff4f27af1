"""The command line: one target for some seconds, or one input that was kept.

With atheris (`pip install atheris`) the inputs follow the coverage of the Python code. Without it, and where the
parser is compiled, they come from chance. The input of a finding is kept in `build/fuzz`, and the exit status is 1 or that of libFuzzer.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

from fuzzing.mutation import BYTES_MAX, inputs
from fuzzing.target import NAMES, Target, load

try:
    import atheris
except ImportError:
    atheris = None

KEPT = Path("build/fuzz")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="length of the run (60)")
    parser.add_argument("--seed", type=int, default=1, help="seed of chance (1)")
    parser.add_argument("--plain", action="store_true", help="chance alone, although atheris is installed")
    parser.add_argument("--input", type=Path, help="check this file alone")
    asked = parser.parse_args()
    if asked.input is not None:
        load(asked.name).check(asked.input.read_bytes())
        print(f"{asked.name}: {asked.input} is well")
    elif atheris is None or asked.plain:
        run_plain(asked.name, load(asked.name), asked.seconds, asked.seed)
    else:
        with atheris.instrument_imports(include=["fastflv"]):
            target = load(asked.name)
        run = run_plain if getattr(target, "COMPILED", False) else run_guided
        run(asked.name, target, asked.seconds, asked.seed)


def run_plain(name: str, target: Target, seconds: int, seed: int) -> None:
    """Check inputs of chance until the time is over."""
    begun = time.monotonic()
    count = 0
    for data in inputs(target, seed):
        if time.monotonic() - begun > seconds:
            break
        count += 1
        try:
            target.check(data)
        except BaseException:
            KEPT.mkdir(parents=True, exist_ok=True)
            path = KEPT / f"{name}-crash-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"{name}: a finding after {count} executions, kept in {path}", file=sys.stderr)
            raise
    print(f"{name}: {count} executions in {seconds} s, no finding")


def run_guided(name: str, target: Target, seconds: int, seed: int) -> None:
    """Let libFuzzer choose the inputs; it ends the process."""
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for data in target.SEEDS:
        (corpus / hashlib.sha1(data).hexdigest()).write_bytes(data)
    words = KEPT / f"{name}.dict"
    quoted = ("".join(f"\\x{byte:02x}" for byte in word) for word in target.WORDS)
    words.write_text("".join(f'"{word}"\n' for word in quoted))
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": BYTES_MAX,
        "timeout": 10,
        "dict": words,
        "artifact_prefix": f"{KEPT}/{name}-",
        "print_final_stats": 1,
        "verbosity": 1,
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([f"fuzzing {name}", *flags, str(corpus)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
