"""Extensions, and the pages that npm builds; everything else about the package is in pyproject.toml."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

sys.path.insert(0, str(Path(__file__).parent / "tools"))

import pages

TRACE = os.environ.get("FASTFLV_TRACE") == "1"
CORES = os.cpu_count() or 1
SANITIZE = os.environ.get("FASTFLV_SANITIZE", "")

macros = [("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if TRACE else []
cflags = ["-O2", "-Wall", "-Wno-unused-function", "-fvisibility=hidden"]
ldflags = ["-pthread"]
SANITIZERS = {
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    # The sanitizer does not follow fences. Those of the log order atomics alone, which are no race in any order.
    "thread": ["-fsanitize=thread", "-Wno-tsan"],
}
if SANITIZE:
    cflags = ["-O1", "-g", "-fno-omit-frame-pointer", *SANITIZERS[SANITIZE]]
    ldflags += SANITIZERS[SANITIZE][:1]

directives = {
    "language_level": 3,
    # Functions that know their signatures and annotations take 0.6 MB of code; the stubs have both.
    "binding": False,
    "embedsignature": False,
    "auto_pickle": False,
    "boundscheck": TRACE,
    "wraparound": False,
    "cdivision": True,
    "linetrace": TRACE,
}


# All modules of `_ext` are in one shared object: in 73 of their own they take 2 MB more of memory, of tables and of pages begun.
compiled = Extension(
    "fastflv._ext.compiled",
    [str(pyx) for pyx in sorted(Path("fastflv/_ext").rglob("*.pyx"))],
    define_macros=macros,
    extra_compile_args=cflags,
    extra_link_args=ldflags,
)


def module(pyx: str) -> Extension:
    """One module as Cython takes it."""
    return Extension(".".join(Path(pyx).with_suffix("").parts), [pyx])


class BuildExt(build_ext):
    """Runs Cython when something is compiled, not when a tool only asks for metadata or an sdist."""

    def run(self) -> None:
        made = cythonize(
            [module(pyx) for pyx in compiled.sources],
            compiler_directives=directives,
            annotate=os.environ.get("FASTFLV_ANNOTATE") == "1",
            build_dir=None if TRACE else "build/cython",
            nthreads=CORES,
        )
        compiled.sources = [ready.sources[0] for ready in made]
        super().run()

    def build_extensions(self) -> None:
        """Compile what has changed, on all cores; setuptools would compile all, one after the other."""
        compile_all = self.compiler.compile

        def compile_one(source: str, options: dict[str, Any]) -> str:
            made = self.compiler.object_filenames([source], output_dir=options.get("output_dir"))[0]
            if self.force or not os.path.exists(made) or os.path.getmtime(made) < os.path.getmtime(source):
                compile_all([source], **options)
            return made

        def compile_changed(sources: list[str], **options: Any) -> list[str]:
            with ThreadPoolExecutor(CORES) as threads:
                return list(threads.map(lambda source: compile_one(source, options), sources))

        self.compiler.compile = compile_changed
        super().build_extensions()


def build_pages() -> None:
    """Build the pages where they are out of date. Without npm the package goes without: the server says what is missing."""
    why = "" if pages.is_current() else pages.build()
    if why:
        print(f"warning: fastflv is built without its pages (player, console): {why}", file=sys.stderr)


class BuildPy(build_py):
    """Puts the pages into the wheel, where they are not a package: Python would list their folders as such."""

    def run(self) -> None:
        build_pages()
        super().run()
        if not self.editable_mode and pages.BUILT.is_dir():
            self.copy_tree(str(pages.BUILT), os.path.join(self.build_lib, "fastflv", "console"))


class Sdist(sdist):
    """Puts the pages into the sdist, so that who installs it needs no npm."""

    def run(self) -> None:
        build_pages()
        super().run()


setup(
    ext_modules=[compiled],
    cmdclass={"build_ext": BuildExt, "build_py": BuildPy, "sdist": Sdist},
)
