"""What is installed, as its own metadata says."""

import base64
import csv
import glob
import hashlib
import io
import json
import os
import re
from urllib.parse import unquote, urlsplit

from installed.files import look_of


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
