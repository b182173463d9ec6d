"""Looks through what is installed in an environment, before and after the installer. Runs in the box, as the builder.

    installed.py take NEW BASIS NOTES all|indexed    standard input: what must not be taken over, a name a line
    installed.py check NEW NOTES                     prints what is not as if nothing had been taken over
    installed.py survey TREE NOTES                   standard input: what git says of the commit
    installed.py settle NEW TREE RELEASE NOTES       prints why packages cannot be edited in RELEASE, if they cannot
    installed.py run VARIABLES COMMAND...            with what a file of JSON says in its environment

take, before the installer: all of another environment, the basis, stands at NEW by hard links that nobody can write
to. A distribution is taken over where its RECORD accounts for it: what it lists is there and belongs to no other one.
Everything else goes, so that the installer makes it anew: what came from an address or the tree (and from a file, with
"indexed"), what uv makes for every environment, what nobody accounts for. check, after it, has the rest go.

settle: packages of the tree were built in TREE, a copy that goes. They name RELEASE from now on, where the copy's files
stay as they were. One whose build left or changed files in the copy cannot be edited there.

Nothing is written in place: a file that changes is replaced.
"""

import base64
import csv
import glob
import hashlib
import io
import json
import os
import re
import sys
from urllib.parse import quote, unquote, urlsplit

LONGEST_SCRIPT = LONGEST_TEXT = 1 << 20
# Installers write these: `#!/path/bin/python`, or a line for the shell where the path is a long one.
SCRIPT = re.compile(rb"#!(?!/usr/bin/|/bin/env |/bin/bash)")


class Distribution:
    """An installed one, by its folder of metadata. `files`: the paths that its RECORD lists, with their sizes."""

    def __init__(self, site, metadata):
        self.record = os.path.join(site, metadata, "RECORD")
        self.metadata = os.path.join(site, metadata)
        self.name = normalized(metadata.rsplit(".", 1)[0].split("-")[0])
        self.files = {}
        try:
            with open(self.record, newline="", encoding="utf-8") as rows:
                for row in csv.reader(rows):
                    path = os.path.normpath(os.path.join(site, row[0]))
                    has_size = len(row) > 2 and row[2] and path != self.record
                    self.files[path] = int(row[2]) if has_size else None
        except (OSError, ValueError, IndexError, csv.Error):
            self.files = {}

    def is_whole(self, root):
        """Whether all that it lists is there, in the environment, and as large as it was."""
        if self.record not in self.files:
            return False
        return all(path.startswith(f"{root}/") and is_as_large(path, size, root) for path, size in self.files.items())

    def came_by_address(self):
        return os.path.lexists(os.path.join(self.metadata, "direct_url.json"))

    def origin(self):
        """The path that it came from, where it is one, and whether it is edited there."""
        try:
            with open(os.path.join(self.metadata, "direct_url.json"), encoding="utf-8") as file:
                told = json.load(file)
            url = urlsplit(told["url"])
            is_editable = told.get("dir_info", {}).get("editable") is True
            return (os.path.normpath(unquote(url.path)) if url.scheme == "file" else None), is_editable
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None, False


    def came_from_file(self):
        """As uv notes it, which looks at the file's time."""
        try:
            with open(os.path.join(self.metadata, "uv_cache.json"), encoding="utf-8") as file:
                return json.load(file).get("timestamp") is not None
        except (OSError, ValueError, AttributeError):
            return False


def is_as_large(path, size, root):
    try:
        look = os.lstat(path)
    except OSError:
        return False
    # A script names its environment, whose path may have another length.
    return size is None or size == look.st_size or path.startswith(f"{root}/bin/")


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions_in(root):
    found = []
    for site in glob.glob(glob.escape(root) + "/lib/python*/site-packages"):
        for name in sorted(os.listdir(site)):
            if name.endswith(".dist-info"):
                found.append(Distribution(site, name))
    return found


def shared_by_several(distributions):
    """The names of those that have a file in common: which one's it is depends on who came last."""
    owners = {}
    shared = set()
    for distribution in distributions:
        for path in distribution.files:
            other = owners.setdefault(path, distribution.name)
            if other != distribution.name:
                shared.update((other, distribution.name))
    return shared


def source_of(path):
    """Of bytecode, where Python looks for it."""
    folder, name = os.path.split(path)
    above, cache = os.path.split(folder)
    if cache != "__pycache__" or not name.endswith(".pyc"):
        return None
    return os.path.join(above, name.split(".")[0] + ".py")


def remove_unaccounted(folder, accounted):
    """Removes every file that is not accounted for, and the folders that this empties."""
    for here, folders, files in os.walk(folder, topdown=False):
        links = [name for name in folders if os.path.islink(os.path.join(here, name))]
        for name in files + links:
            path = os.path.join(here, name)
            if path not in accounted and source_of(path) not in accounted:
                os.unlink(path)
        if (files or folders) and here != folder and not os.listdir(here):
            os.rmdir(here)


def replace(path, content):
    """A new file in its place, with the modes of the one before."""
    mode = os.lstat(path).st_mode & 0o777
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode | 0o200)
    os.replace(new, path)


def scripts_of(distribution, root):
    return [path for path in distribution.files if path.startswith(f"{root}/bin/")]


def readdress(distribution, root, basis):
    """Has its scripts name this environment. False where one names neither."""
    changed = {}
    for path in scripts_of(distribution, root):
        if os.path.islink(path) or os.lstat(path).st_size > LONGEST_SCRIPT:
            continue
        with open(path, "rb") as file:
            content = file.read()
        if not SCRIPT.match(content):
            continue
        if f"{basis}/".encode() not in content:
            return False
        changed[path] = content.replace(f"{basis}/".encode(), f"{root}/".encode())
    for path, content in changed.items():
        replace(path, content)
    if changed:
        replace(distribution.record, record_with(distribution, changed))
    return True


def record_with(distribution, changed):
    site = os.path.dirname(distribution.metadata)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    with open(distribution.record, newline="", encoding="utf-8") as rows:
        for row in csv.reader(rows):
            content = changed.get(os.path.normpath(os.path.join(site, row[0])))
            if content is not None:
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                row = [row[0], f"sha256={digest}", str(len(content))]
            writer.writerow(row)
    return out.getvalue().encode()


def take(root, basis, notes, what):
    unwanted = {normalized(line.strip()) for line in sys.stdin}
    distributions = distributions_in(root)
    unwanted |= shared_by_several(distributions)
    kept = [
        distribution
        for distribution in distributions
        if distribution.name not in unwanted
        and not distribution.came_by_address()
        and (what == "all" or not distribution.came_from_file())
        and distribution.is_whole(root)
        and readdress(distribution, root, basis)
    ]
    accounted = {path for distribution in kept for path in distribution.files}
    remove_unaccounted(root, accounted)
    with open(notes, "w", encoding="utf-8") as file:
        json.dump([distribution.metadata for distribution in kept], file)


def check(root, notes):
    with open(notes, encoding="utf-8") as file:
        taken = set(json.load(file))
    distributions = distributions_in(root)
    shared = shared_by_several(distributions)
    for distribution in distributions:
        if distribution.metadata in taken and (distribution.name in shared or not distribution.is_whole(root)):
            print(distribution.name)
    accounted = {path for distribution in distributions for path in distribution.files}
    for site in glob.glob(glob.escape(root) + "/lib/python*/site-packages"):
        remove_unaccounted(site, accounted)


# What a build leaves beside the sources and nothing that runs looks for; a name with a star ends so.
REMAINS = ("build", "dist", ".eggs", "__pycache__", "*.egg-info", "*.dist-info", "*.pyc")


def is_remains(path):
    return any(step in REMAINS or f"*{os.path.splitext(step)[1]}" in REMAINS for step in path.split("/"))


def listing_of(tree):
    """Every path below it, with what changes when a file is written."""
    listing = {".": None}
    for here, folders, files in os.walk(tree):
        for name in folders + files:
            path = os.path.join(here, name)
            look = os.lstat(path)
            is_folder = name in folders and not os.path.islink(path)
            listing[os.path.relpath(path, tree)] = None if is_folder else [look.st_mtime_ns, look.st_size, look.st_ino]
    return listing


def survey(tree, notes):
    describe(tree, sys.stdin.read())
    with open(notes, "w", encoding="utf-8") as file:
        json.dump(listing_of(tree), file)


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


def settle(root, tree, release, notes):
    with open(notes, encoding="utf-8") as file:
        before = json.load(file)
    products = [path for path, look in listing_of(tree).items() if look != before.get(path) and not is_remains(path)]
    for distribution in distributions_in(root):
        path, is_editable = distribution.origin()
        if path is None or f"{path}/".startswith(f"{tree}/") is False:
            continue
        if is_editable and (products or not names_only(distribution, tree, before)):
            print("a build leaves files beside its sources, in " + os.path.relpath(path, tree))
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


def forget_bytecode(source):
    folder, name = os.path.split(source)
    for path in glob.glob(os.path.join(glob.escape(folder), "__pycache__", glob.escape(name[:-3]) + ".*.pyc")):
        os.unlink(path)


def in_url(path):
    return quote(path).encode()


def content_of(path):
    try:
        if not os.path.islink(path) and os.stat(path).st_size <= LONGEST_TEXT:
            with open(path, "rb") as file:
                return file.read()
    except OSError:
        pass
    return b""


def names_only(distribution, tree, before):
    """Whether all that it names of the tree was there before it was built, and in texts, where it can be replaced."""
    for name in distribution.files:
        content = content_of(name)
        places = {tree.encode(), in_url(tree)}
        if not any(place in content for place in places):
            continue
        if b"\0" in content:
            return False
        for place in places:
            for found in re.finditer(re.escape(place) + rb"[^\"'\s:;,)\]}>]*", content):
                named = unquote(found.group().decode(errors="surrogateescape"))
                if os.path.relpath(os.path.normpath(named), tree) not in before:
                    return False
    return True


def run(variables, *command):
    """What the installer is told otherwise counts more."""
    with open(variables, encoding="utf-8") as file:
        os.execve(command[0], command, {**json.load(file), **os.environ})


def main():
    what, *words = sys.argv[1:]
    {"take": take, "check": check, "survey": survey, "settle": settle, "run": run}[what](*words)


main()
