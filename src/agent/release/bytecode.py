"""Brings the .pyc files of the tree it runs in up to date with the sources.

Standard input: names separated by NUL; "+name" is compiled, "-name" is forgotten, "*" stands for every
source that has no bytecode of its own.
A .pyc holds the hash of its source (PEP 552): one that was left by another source is never taken for it.
A source that does not compile is left alone: it fails when it is imported, with its own words.
Links are never followed: they could lead out of the tree.
"""

import os
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from py_compile import PycInvalidationMode, compile

CHECKED_HASH = b"\3\0\0\0"


def cache_folder(source):
    return os.path.join(os.path.dirname(source), "__pycache__")


def leads_out(folder):
    """Whether a part of the path is a link: a folder's name may belong to a link by now."""
    return os.path.realpath(folder) != os.path.join(os.getcwd(), folder)


def is_compiled(source):
    try:
        with open(cache_from_source(source), "rb") as cache, open(source, "rb") as text:
            return cache.read(16) == MAGIC_NUMBER + CHECKED_HASH + source_hash(text.read())
    except OSError:
        return False


def compile_source(source):
    if os.path.islink(source) or leads_out(cache_folder(source)) or is_compiled(source):
        return
    try:
        # Written aside and renamed: the former release shares this file by a hard link.
        compile(source, doraise=True, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
    except Exception:
        pass


def forget(folder, stems):
    """Forgets sources of one folder, which is looked through once, however many they are."""
    if leads_out(folder) or not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        # "shop.cpython-311.pyc", "shop.cpython-311.opt-1.pyc"
        stem = name.removesuffix(".pyc").rpartition(".")[0]
        if name.endswith(".pyc") and (stem in stems or stem.rpartition(".")[0] in stems):
            os.unlink(os.path.join(folder, name))
    # A folder that is left with nothing but its cache would still be imported, as a namespace.
    try:
        os.removedirs(folder)
    except OSError:
        pass


def all_sources():
    for folder, _, names in os.walk("."):
        for name in names:
            if name.endswith(".py"):
                yield os.path.normpath(os.path.join(folder, name))


def main():
    names = [name for name in sys.stdin.buffer.read().split(b"\0") if name]
    names = [os.fsdecode(name) for name in names]
    forgotten = {}
    for name in names:
        if name[0] == "-":
            stem = os.path.splitext(os.path.basename(name[1:]))[0]
            forgotten.setdefault(cache_folder(name[1:]), set()).add(stem)
    for folder, stems in forgotten.items():
        forget(folder, stems)
    sources = list(all_sources()) if names == ["*"] else [name[1:] for name in names if name[0] == "+"]
    if len(sources) < 100:
        for source in sources:
            compile_source(source)
        return
    # Costs more to import than most deploys take.
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor() as pool:
        for _ in pool.map(compile_source, sources, chunksize=50):
            pass


main()
