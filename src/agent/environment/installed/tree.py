"""survey and settle: packages that are built in a copy of the tree, and edited in the release."""

import glob
import json
import os
import re
import sys
from urllib.parse import quote, unquote

from installed.command import go_on
from installed.distribution import distributions_in, record_with
from installed.files import content_of, folders_below, note, replace

# What a build leaves beside the sources and nothing that runs looks for, as in any folder with a dot before its name;
# a name with a star ends so.
REMAINS = ("build", "dist", ".eggs", "__pycache__", "*.egg-info", "*.dist-info", "*.pyc")


def survey(tree, notes, *command):
    describe(tree, sys.stdin.read())
    note(notes, listing_of(tree))
    go_on(command)


def describe(tree, text):
    """Tells builds what git would tell them of the commit, in the file that `git archive` fills in for the same end."""
    path = os.path.join(tree, ".git_archival.txt")
    if text == "" or os.path.islink(path):
        return
    if not os.path.exists(path) or b"$Format:" in content_of(path):
        if os.path.exists(path):
            os.unlink(path)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def settle(root, tree, release, notes, *command):
    with open(notes, encoding="utf-8") as file:
        before = json.load(file)
    products = [path for path, look in listing_of(tree).items() if look != before.get(path) and not is_remains(path)]
    are_editable = True
    for distribution in distributions_in(root):
        path, is_editable = distribution.origin()
        if path is None or f"{path}/".startswith(f"{tree}/") is False:
            continue
        if is_editable and (products or not names_only(distribution, tree, before)):
            print("not editable: a build leaves files beside its sources, in " + os.path.relpath(path, tree))
            are_editable = False
            continue
        changed = {}
        for name in distribution.files if is_editable else [os.path.join(distribution.metadata, "direct_url.json")]:
            content = content_of(name)
            moved = content.replace(tree.encode(), release.encode()).replace(in_url(tree), in_url(release))
            if moved != content:
                changed[name] = moved
                replace(name, moved)
                forget_bytecode(name)
        if changed:
            replace(distribution.record, record_with(distribution, changed))
    if are_editable:
        go_on(command)


def is_remains(path):
    steps = path.split("/")
    is_hidden = any(step.startswith(".") for step in steps[:-1])
    return is_hidden or any(step in REMAINS or f"*{os.path.splitext(step)[1]}" in REMAINS for step in steps)


def listing_of(tree):
    """Every path below it, with what changes when a file is written."""
    listing = {".": None}
    for _, entries in folders_below(tree):
        for entry in entries:
            look = entry.stat(follow_symlinks=False)
            is_folder = entry.is_dir(follow_symlinks=False)
            listing[os.path.relpath(entry.path, tree)] = (
                None if is_folder else [look.st_mtime_ns, look.st_size, look.st_ino]
            )
    return listing


def forget_bytecode(source):
    folder, name = os.path.split(source)
    for path in glob.glob(os.path.join(glob.escape(folder), "__pycache__", glob.escape(name[:-3]) + ".*.pyc")):
        os.unlink(path)


def in_url(path):
    return quote(path).encode()


def names_only(distribution, tree, before):
    """Whether all that it names of the tree was there before it was built, and in texts, where it can be replaced."""
    real = os.path.realpath(tree)
    for name in distribution.files:
        content = content_of(name)
        places = {tree.encode(), in_url(tree)}
        if not any(place in content for place in places):
            continue
        if b"\0" in content:
            return False
        for place in places:
            for found in re.finditer(re.escape(place) + rb"[^\"'\s:;,)\]}>]*", content):
                named = present(unquote(found.group().decode(errors="surrogateescape")))
                if os.path.relpath(os.path.realpath(named), real) not in before:
                    return False
    return True


def present(path):
    """As much of it as there is: setuptools names a module without its `.py`."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    return path
