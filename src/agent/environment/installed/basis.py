"""take and check: what an environment keeps of the one that it began with."""

import glob
import json
import os
import re
import sys

from installed.command import go_on
from installed.distribution import distributions_in, normalized, record_with
from installed.files import folders_below, note, replace

LONGEST_SCRIPT = 1 << 20
# Installers write these: `#!/path/bin/python`, or a line for the shell where the path is a long one.
SCRIPT = re.compile(rb"#!(?!/usr/bin/|/bin/env |/bin/bash)")

ARCHIVE = re.compile(r"-.*\.(whl|zip|tar|tar\.\w+|t\w?z\w*)$", re.I)


def take(root, basis, notes, archives, files, *command):
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
        and not (files and distribution.came_from_file())
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


def archived_in(tree, names):
    """Those of which the tree may have an archive, by whatever version."""
    found = set()
    for _, entries in folders_below(tree):
        for entry in entries:
            if ARCHIVE.search(entry.name):
                words = normalized(entry.name).split("-")
                found |= {name for end in range(1, len(words)) if (name := "-".join(words[:end])) in names}
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
