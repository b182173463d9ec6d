"""Files and folders of an environment or a tree: looked through, read, and replaced, never written in place."""

import json
import os

LONGEST_TEXT = 1 << 20


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


def look_of(path):
    """What changes when a file is written or another one comes to its name."""
    look = os.lstat(path)
    return [look.st_ino, look.st_ctime_ns, look.st_size]


def content_of(path):
    try:
        if not os.path.islink(path) and os.stat(path).st_size <= LONGEST_TEXT:
            with open(path, "rb") as file:
                return file.read()
    except OSError:
        pass
    return b""


def replace(path, content):
    """A new file in its place, with the modes of the one before."""
    mode = os.lstat(path).st_mode & 0o777
    new = f"{path}.new"
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode | 0o200)
    os.replace(new, path)


def note(path, what):
    with open(path, "w", encoding="utf-8") as file:
        # json.dump goes through it in Python.
        file.write(json.dumps(what))
