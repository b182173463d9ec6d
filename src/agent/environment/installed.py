"""Looks through what is installed in an environment, before and after the installer. Runs in the box, as the builder.

    installed.py take NEW BASIS NOTES TREE [COMMAND...]   standard input: what must not be taken over, a name a line
    installed.py check NEW NOTES [COMMAND...]             fails where something is not as if nothing had been taken over
    installed.py survey TREE NOTES [COMMAND...]           standard input: what git says of the commit
    installed.py settle NEW TREE RELEASE NOTES [COMMAND...]    prints why packages cannot be edited in RELEASE, if they cannot
    installed.py run VARIABLES COMMAND...                 with what a file of JSON says in its environment

A command comes next, in the same box: a box of its own for each would cost more than most of them do.

take, before the installer: all of another environment, the basis, stands at NEW by hard links that nobody can write
to. A distribution is taken over where its RECORD accounts for it: what it lists is there and belongs to no other one.
Everything else goes, so that the installer makes it anew: what came from an address or the tree, what uv makes for
every environment, what nobody accounts for. TREE is empty where requirements find no archives in the tree; else what
came from a file goes as well, and what there is an archive of by now, maybe of the same version. check, after it, has the rest go, and
bytecode whose source is another one by now: uv leaves it where a package is replaced, and Python takes it for the new
source's if both were written in one second and are as long.

settle: packages of the tree were built in TREE, a copy that goes. They name RELEASE from now on, where the copy's files
stay as they were. One whose build left or changed files in the copy cannot be edited there: then no command comes next.

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

ARCHIVE = re.compile(r"-.*\.(whl|zip|tar|tar\.\w+|t\w?z\w*)$", re.I)


class Distribution:
    """
    An installed one, by its folder of metadata. `files`: the paths that its RECORD lists, with their sizes; or with
    the inodes that were noted, where the RECORD is the one that was read then.
    """

    def __init__(self, site, metadata, noted):
        self.record = os.path.join(site, metadata, "RECORD")
        self.metadata = os.path.join(site, metadata)
        self.name = normalized(metadata.rsplit(".", 1)[0].split("-")[0])
        self.site = site
        self.is_noted = noted is not None and noted["record"] == look_of(self.record)
        self.files = noted["files"] if self.is_noted else self.read()

    def read(self):
        files = {}
        try:
            with open(self.record, newline="", encoding="utf-8") as rows:
                for row in csv.reader(rows):
                    path = path_below(self.site, row[0])
                    has_size = len(row) > 2 and row[2] and path != self.record
                    files[path] = int(row[2]) if has_size else None
        except (OSError, ValueError, IndexError, csv.Error):
            return {}
        return files

    def is_whole(self, root, tree):
        """Whether all that it lists is there, in the environment, and the same as it was, or as large."""
        if self.record not in self.files:
            return False
        if all(path in tree and self.is_same(path, root, tree[path]) for path in self.files):
            return True
        if not self.is_noted:
            return False
        self.is_noted, self.files = False, self.read()
        return self.is_whole(root, tree)

    def is_same(self, path, root, entry):
        known = self.files[path]
        # A script names its environment, whose path may have another length.
        if known is None or path.startswith(f"{root}/bin/"):
            return True
        return known == (entry.inode() if self.is_noted else entry.stat(follow_symlinks=False).st_size)

    def note(self, tree):
        """For whoever looks again. An inode that a basis has as well is no other file's meanwhile."""
        inodes = {path: None if size is None else tree[path].inode() for path, size in self.files.items()}
        return {"record": look_of(self.record), "files": inodes}

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


def archived_in(tree, names):
    """Those of which the tree may have an archive, by whatever version."""
    found = set()
    for _, entries in folders_below(tree):
        for entry in entries:
            if ARCHIVE.search(entry.name):
                words = normalized(entry.name).split("-")
                found |= {name for end in range(1, len(words)) if (name := "-".join(words[:end])) in names}
    return found


def look_of(path):
    """What changes when a file is written or another one comes to its name."""
    look = os.lstat(path)
    return [look.st_ino, look.st_ctime_ns, look.st_size]


def path_below(folder, listed):
    """As os.path has it, which takes its time for each of some thousand."""
    path = f"{folder}/{listed}"
    is_plain = not listed.startswith("/") and "//" not in listed and "/." not in path[len(folder) :]
    return path if is_plain else os.path.normpath(os.path.join(folder, listed))


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions_in(root, noted={}):
    found = []
    for site in glob.glob(glob.escape(root) + "/lib/python*/site-packages"):
        for name in sorted(os.listdir(site)):
            if name.endswith(".dist-info"):
                found.append(Distribution(site, name, noted.get(os.path.join(site, name))))
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


def folders_below(top):
    """Every folder with its entries, one after the one that holds it. No link is followed."""
    waiting = [top]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(here) as found:
                entries = list(found)
        except OSError:
            entries = []
        waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
        yield here, entries


def tree_of(folders):
    return {entry.path: entry for _, entries in folders for entry in entries}


def source_of(bytecode):
    """Where Python looks for it; none of what is no bytecode."""
    if not bytecode.endswith(".pyc"):
        return None
    folder, _, name = bytecode.rpartition("/")
    above, _, folder = folder.rpartition("/")
    return f"{above}/{name.split('.')[0]}.py" if folder == "__pycache__" else None


def remove_unaccounted(folders, accounted, stale=frozenset()):
    """
    Removes every file that is stale or not accounted for, and the folders that this empties, but for the first one.
    Bytecode is accounted for by its source.
    """
    left = {}
    emptied = set()
    for here, entries in folders:
        left[here] = len(entries)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                continue
            is_accounted = entry.path in accounted or source_of(entry.path) in accounted
            if entry.path in stale or not is_accounted:
                os.unlink(entry.path)
                left[here] -= 1
                emptied.add(here)
    for here, _ in reversed(folders[1:]):
        if here in emptied and left[here] == 0:
            os.rmdir(here)
            above = os.path.dirname(here)
            left[above] -= 1
            emptied.add(above)


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
    """Only rows that may be of these files are taken apart: there may be thousands of others."""
    names = ['"', *map(os.path.basename, changed)]
    rows = []
    with open(distribution.record, newline="", encoding="utf-8") as lines:
        for line in lines:
            row = next(csv.reader([line]), []) if any(name in line for name in names) else []
            content = changed.get(path_below(distribution.site, row[0])) if row else None
            if content is not None:
                digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                line = line_of([row[0], f"sha256={digest}", str(len(content))])
            rows.append(line)
    return "".join(rows).encode()


def line_of(row):
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerow(row)
    return out.getvalue()


def take(root, basis, notes, archives, *command):
    unwanted = {normalized(line.strip()) for line in sys.stdin}
    folders = list(folders_below(root))
    tree = tree_of(folders)
    distributions = distributions_in(root)
    unwanted |= shared_by_several(distributions)
    if archives:
        unwanted |= archived_in(archives, {distribution.name for distribution in distributions})
    kept = [
        distribution
        for distribution in distributions
        if distribution.name not in unwanted
        and not distribution.came_by_address()
        and not (archives and distribution.came_from_file())
        and distribution.is_whole(root, tree)
        and readdress(distribution, root, basis)
    ]
    accounted = {path for distribution in kept for path in distribution.files}
    remove_unaccounted(folders, accounted)
    bytecode = {
        path: [tree[path].inode(), tree[source].inode()] for path in tree if (source := source_of(path)) in accounted
    }
    distributions = {distribution.metadata: distribution.note(tree) for distribution in kept}
    note(notes, {"distributions": distributions, "bytecode": bytecode})
    go_on(command)


def check(root, notes, *command):
    with open(notes, encoding="utf-8") as file:
        noted = json.load(file)
    taken = noted["distributions"]
    folders = list(folders_below(root))
    tree = tree_of(folders)
    distributions = distributions_in(root, taken)
    shared = shared_by_several(distributions)
    spoiled = [
        distribution.name
        for distribution in distributions
        if distribution.metadata in taken and (distribution.name in shared or not distribution.is_whole(root, tree))
    ]
    if spoiled:
        sys.exit(f"not as it was taken over: {', '.join(spoiled)}")
    accounted = {path for distribution in distributions for path in distribution.files}

    def inode_of(path):
        return tree[path].inode() if path in tree else None

    stale = {
        path
        for path, (inode, source) in noted["bytecode"].items()
        if inode_of(path) == inode and inode_of(source_of(path)) != source
    }
    for site in glob.glob(glob.escape(root) + "/lib/python*/site-packages"):
        remove_unaccounted([one for one in folders if f"{one[0]}/".startswith(f"{site}/")], accounted, stale)
    go_on(command)


def note(path, what):
    with open(path, "w", encoding="utf-8") as file:
        # json.dump goes through it in Python.
        file.write(json.dumps(what))


def go_on(command, environment=os.environ):
    if command:
        os.execve(command[0], command, environment)


# What a build leaves beside the sources and nothing that runs looks for, as in any folder with a dot before its name;
# a name with a star ends so.
REMAINS = ("build", "dist", ".eggs", "__pycache__", "*.egg-info", "*.dist-info", "*.pyc")


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


def run(variables, *command):
    """What the installer is told otherwise counts more."""
    with open(variables, encoding="utf-8") as file:
        variables = json.load(file)
    go_on(command, {**variables, **os.environ})


def main():
    what, *words = sys.argv[1:]
    {"take": take, "check": check, "survey": survey, "settle": settle, "run": run}[what](*words)


main()
