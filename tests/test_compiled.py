"""The compiled modules, which are in one shared object."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import fastflv._ext
from fastflv._ext import CompiledModules

FOLDER = Path(fastflv._ext.__file__).parent
SOURCES = sorted((Path(__file__).parent.parent / "fastflv/_ext").rglob("*.pyx"))


def test_every_module_comes_from_the_one_shared_object():
    names = [f"fastflv._ext.{source.parent.name}.{source.stem}" for source in SOURCES]
    assert len(names) > 50
    assert {Path(str(import_module(name).__file__)).parent for name in names} == {FOLDER}


def test_no_two_modules_share_a_name():
    # The initialiser of a module is found by the last part of its name.
    stems = [source.stem for source in SOURCES]
    assert len(set(stems)) == len(stems)


def test_what_is_not_compiled_is_not_found():
    with pytest.raises(ImportError):
        import_module("fastflv._ext.log.nothing")
    with pytest.raises(ModuleNotFoundError):
        import_module("fastflv._ext.nothing")
    assert find_spec("fastflv._ext.log") is not None


def test_packages_and_others_are_left_to_others():
    finder = CompiledModules("/nowhere.so")
    assert finder.find_spec("fastflv._ext.log") is None
    assert finder.find_spec("fastflv.limits.rtmp.x") is None
    assert finder.find_spec("fastflv._ext.log.page") is not None
