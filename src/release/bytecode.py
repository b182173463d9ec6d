"""Brings the .pyc files of the tree it runs in up to date with the sources.

Standard input: names separated by NUL; "+name" is compiled, "-name" is forgotten.
A source that does not compile is left alone: it fails when it is imported, with its own words.
Links are never followed: they could lead out of the tree.
"""

import os
import sys
from importlib.machinery import SourceFileLoader


def cache_folder(source):
    return os.path.join(os.path.dirname(source), "__pycache__")


def leads_out(folder):
    """Whether a part of the path is a link: a folder's name may belong to a link by now."""
    return os.path.realpath(folder) != os.path.join(os.getcwd(), folder)


def compile_source(source):
    if os.path.islink(source) or os.path.islink(cache_folder(source)):
        return
    stem = os.path.splitext(os.path.basename(source))[0]
    name = stem + "." + sys.implementation.cache_tag + ".pyc"
    try:
        # An import trusts the .pyc of a source with the same size and second, which may be another one.
        os.unlink(os.path.join(cache_folder(source), name))
    except OSError:
        pass
    try:
        # What an import does: compiles the source and writes its .pyc.
        SourceFileLoader("source", source).get_code("source")
    except Exception:
        pass


def forget(source):
    folder = cache_folder(source)
    stem = os.path.splitext(os.path.basename(source))[0]
    if leads_out(folder) or not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        if name.startswith(stem + ".") and name.endswith(".pyc"):
            os.unlink(os.path.join(folder, name))
    # A folder that is left with nothing but its cache would still be imported, as a namespace.
    try:
        os.removedirs(folder)
    except OSError:
        pass


def main():
    names = [name for name in sys.stdin.buffer.read().split(b"\0") if name]
    names = [os.fsdecode(name) for name in names]
    for name in names:
        if name[0] == "-":
            forget(name[1:])
    sources = [name[1:] for name in names if name[0] == "+"]
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
