"""`fastflv config sample NAME`: write a sample configuration to stdout; without a name, list them."""

from __future__ import annotations

import difflib
import sys
from importlib import resources


def samples() -> dict[str, str]:
    """The texts of the samples by name, as `hls.disk`."""
    folder = resources.files("fastflv.config").joinpath("samples")
    files = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".conf")), key=lambda each: each.name
    )
    return {each.name.removesuffix(".conf"): each.read_text("utf-8") for each in files}


def write_sample(name: str | None) -> int:
    """Write the sample, or the list of them, to stdout; return the exit status: 1 for a name that there is not."""
    texts = samples()
    if name is None:
        width = max(map(len, texts))
        for each, text in texts.items():
            print(f"{each:{width}}  {text.partition(chr(10))[0].removeprefix('# ')}")
        return 0
    text = texts.get(name.removesuffix(".conf"), "")
    if not text:
        near = difflib.get_close_matches(name, texts, 1)
        hint = f"is it {near[0]}?" if near else "`fastflv config sample` lists them"
        print(f"fastflv config: there is no sample {name}; {hint}", file=sys.stderr)
        return 1
    sys.stdout.write(text)
    return 0
