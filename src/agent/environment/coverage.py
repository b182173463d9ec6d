"""Says what of a tree an installer can reach through requirements, by the grammar of pip's own parser.

Standard input: {"files": [{"path", "text"}, …]}, the first of which is installed. Standard output: what
coverage.ts takes. The installer runs in the folder of the first file. Where pip and uv read a line differently, what either of them reaches counts; where neither is
sure, the whole tree does. Nothing is read but pip itself.
"""

import json
import os
import re
import sys
from posixpath import dirname, join, normpath
from urllib.parse import unquote

# What belongs to this program is looked for behind Python's own, which it hides nothing of. Nothing is written beside it.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
from pip_parser import is_archive_file, req_file  # noqa: E402

MOST = 1000
MOST_LINES = 5000
LONGEST_LINE = 64 * 1024
# Beyond one between two words: pip's own expressions take the square of them in time.
MOST_BLANKS = 256

parse_line = req_file.get_line_parser(None)

REMOTES = (
    r"(https?|ftps?)://",
    r"(git|hg|svn|bzr)(\+(https?|ssh|git|sftp|lp))?://",
    r"git\+ssh:",
)
REMOTE = re.compile("|".join(REMOTES), re.I)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]+:", re.I)
NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*@\s*(.+)", re.S)
EXTRAS = re.compile(r"([^\[]+)\[([^\[\]]*)\]")
# Whoever writes others than these may mean an escape, a pattern or a home.
PLAIN = re.compile(r"[\w./+@=, -]+")
EXOTIC = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]")
CLIMBS_BACK = re.compile(r"[^/.]/(?:\.?/)*\.\.(?:/|$)")
OPTION = re.compile(r"(-[a-z]|--[a-z-]+)(?:\s*=\s*|\s+|$)(.*)", re.S)
# As uv takes them, each on a line of its own.
OF_UV = {
    "-r", "--requirement", "-c", "--constraint", "-e", "--editable", "-f", "--find-links", "-i", "--index-url",
    "--extra-index-url", "--no-index", "--no-binary", "--only-binary", "--pre", "--prefer-binary",
    "--require-hashes", "--trusted-host", "--use-feature",
}  # fmt: skip
INCLUDES = {"-r", "--requirement", "-c", "--constraint"}
LINKS = {"-f", "--find-links"}


class Line:
    """
    One line as pip joins it, with the numbers of the first and the last that it stands on. `is_cut`: to uv it is
    several, because a comment in it ends one.
    """

    def __init__(self, path, first, last, text, is_cut):
        self.path, self.first, self.last, self.text, self.is_cut = path, first, last, text, is_cut

    def where(self):
        return {"path": self.path, "line": self.first}


def unquoted(words):
    return re.sub(r"\\(.)|[\"']", r"\1", words).strip()


class TooLarge(Exception):
    def __init__(self, path, line, message):
        self.where, self.message = {"path": path, "line": line}, message


def lines_of(path, text):
    reached = 0
    cut = -1

    def numbered():
        nonlocal reached, cut
        joined = 0
        for reached, line in enumerate(text.splitlines(), start=1):
            joined += len(line)
            if joined > LONGEST_LINE:
                raise TooLarge(path, reached, f"the line is longer than {LONGEST_LINE // 1024} KiB")
            if len(line) > len(" ".join(line.split())) + MOST_BLANKS:
                raise TooLarge(path, reached, f"the line has more than {MOST_BLANKS} blanks")
            if line.endswith("\\") and req_file.COMMENT_RE.search(line):
                cut = reached
            yield reached, line
            if not line.endswith("\\"):
                joined = 0

    for first, joined in req_file.join_lines(numbered()):
        last, is_cut = reached, first <= cut < reached
        for _, line in req_file.ignore_comments([(first, joined)]):
            yield Line(path, first, last, line, is_cut)


class Reader:
    def __init__(self, files):
        self.texts = {file["path"]: file["text"] for file in files}
        self.folder = dirname(next(iter(self.texts), ""))
        self.met = {}
        self.local = []
        self.reads = {}
        self.outside = {}
        self.forms = []
        self.problems = []
        self.whole = False
        self.climbs = False
        self.count = 0

    def read(self, path, constraint):
        waiting = [(path, constraint)]
        while waiting:
            current = waiting.pop()
            if current in self.met:
                continue
            self.met[current] = True
            path, constraint = current
            found = len(self.local)
            for line in lines_of(path, self.texts[path]):
                self.count += 1
                if self.count > MOST_LINES:
                    raise TooLarge(path, line.first, f"there are more than {MOST_LINES} requirements")
                waiting += self.line(line, constraint)
            if EXOTIC.search(self.texts[path]):
                self.whole = True
                if len(self.local) > found:
                    self.problem(
                        {"path": path, "line": self.local[found]["first"]},
                        "pip and uv end lines differently in this file: take out form feeds and the like",
                    )

    def line(self, line, constraint):
        """Notes what the line reaches; gives the files that it includes."""
        try:
            args, opts = parse_line(line.text)
        except Exception:
            # pip will say what is wrong; uv may see something in it.
            self.whole = True
            args, opts = "", None
        name, rest = self.option(line)
        self.whole = self.whole or line.is_cut
        if name in INCLUDES or (opts and (opts.requirements or opts.constraints)):
            # Of a line that names a package as well, pip reads that and no file.
            self.whole = self.whole or bool(opts and (args or opts.editables))
            return list(self.includes(line, opts, name, rest))
        if opts is None:
            return []
        if args:
            self.requirement(line, args, False, constraint)
        for value in opts.editables:
            # A marker behind it is uv's to judge, which pip leaves out.
            self.requirement(line, rest if rest.startswith(value) else value, True, constraint)
        for value in self.folders(opts, name, rest):
            self.links(line, value)
        for value in [opts.index_url, *opts.extra_index_urls]:
            if value:
                self.index(value)
        if not self.is_of_uv(line, args, opts, name, rest):
            self.forms.append({**line.where(), "text": line.text[:200]})
        return []

    def option(self, line):
        """The option that a line starts with and all that is behind it, as uv reads it."""
        found = OPTION.match(line.text)
        return found.groups() if found else (None, "")

    def is_of_uv(self, line, args, opts, name, rest):
        if line.first != line.last and not re.search(r"\s--hash", line.text):
            return False
        if args:
            return re.fullmatch(r"(\s*--hash[=\s]\S+)*", line.text[len(args) :]) is not None
        if name not in OF_UV or re.search(r"\s-", rest):
            return False
        if opts.editables:
            # What else stands behind it, a marker or a quote, is another path to one of them.
            path = rest.split(" ;")[0].strip()
            self.whole = self.whole or path != opts.editables[0]
            return path == opts.editables[0] and not REMOTE.match(path)
        return True

    def folders(self, opts, name, rest):
        """Of several words uv takes all, where pip takes the first; and no `=` that stands behind a letter."""
        alone = name in LINKS and not re.search(r"\s-", rest)
        return {*opts.find_links, *([unquoted(rest)] if alone else [])}

    def includes(self, line, opts, name, rest):
        is_constraint = name in ("-c", "--constraint")
        readings = []
        if opts:
            readings += [(value, False) for value in opts.requirements]
            readings += [(value, True) for value in opts.constraints]
        if name in INCLUDES:
            readings += [(value, is_constraint) for value in (rest.strip(), unquoted(rest))]
        found = False
        for value, constraint in readings:
            if SCHEME.match(value):
                # It may hold whatever is there when it is fetched.
                self.whole = found = True
                if value.lower().startswith("file:"):
                    self.outside[value] = True
                continue
            path = normpath(join(dirname(line.path), value))
            if path in self.texts:
                found = True
                # Behind a link in the tree it would be another one.
                self.climbs = self.climbs or ".." in value
                # Where a folder comes before, that has to be there, as nothing is of a tree that is not needed.
                self.whole = self.whole or CLIMBS_BACK.search(value) is not None
                yield path, constraint
        if found:
            if len({normpath(join(dirname(line.path), value)) for value, _ in readings}) > 1:
                self.forms.append({**line.where(), "text": line.text[:200]})
            return
        value = readings[0][0]
        path = normpath(join(dirname(line.path), value))
        if value.startswith("/") or path.startswith("../") or path == "..":
            self.problem(line.where(), f"includes {value[:1000]}, which is outside the repository")
        else:
            self.problem(
                line.where(),
                f"includes {path[:1000]}: there is no such file in the repository, or it is larger than 1 MiB",
            )

    def requirement(self, line, text, editable, constraint):
        if REMOTE.match(text):
            return
        target, semicolon, _ = text.partition(";")
        named = NAMED.match(target)
        if named:
            # To pip the folder `libs@2` is one, where there is such a file.
            if is_archive_file(target.strip()) and PLAIN.fullmatch(target) and not re.search(r"\s", target.strip()):
                self.read_as("archive", join(self.folder, target.strip()))
            target = named.group(2)
        target = target.strip()
        if REMOTE.match(target):
            return
        target, _, fragment = target.partition("#")
        # A file may be called so, or a folder.
        self.whole = self.whole or "/" in fragment or is_archive_file(fragment)
        target = target.rstrip()
        with_extras = EXTRAS.fullmatch(target)
        extras = ""
        if with_extras:
            target, extras = with_extras.groups()
        is_file = target.lower().startswith("file:")
        if not (is_file or editable or named or "/" in target or target.startswith(".") or is_archive_file(target)):
            # A name of an index; what a variable stands for may be anything.
            self.whole = self.whole or "${" in text or "\\" in text
            return
        path = self.path(target)
        if path is None:
            return
        if is_archive_file(path or target) and not editable:
            if path:
                self.read_as("archive", path)
        elif constraint:
            self.whole = True
        else:
            spans = {"file": line.path, "first": line.first, "last": line.last}
            self.local.append({**spans, "path": normpath(path), "editable": editable, "text": text, "extras": self.list(extras)})

    def list(self, extras):
        return [extra.strip() for extra in extras.split(",") if extra.strip()]

    def path(self, target):
        """A path of the tree; None where it is none, empty where nobody can say which one it is."""
        if target.lower().startswith("file:"):
            target = unquote(target[5:])
            if target.startswith("//"):
                host, slash, rest = target[2:].partition("/")
                target = slash + rest if host in ("", "localhost") else "~"
        elif SCHEME.match(target):
            target = "~"
        if target.startswith("/") and PLAIN.fullmatch(target):
            self.outside[target] = True
            return None
        path = join(self.folder, target)
        if not PLAIN.fullmatch(target) or self.leads_out(path):
            self.whole = True
            return ""
        return path

    def leads_out(self, path):
        return normpath(path).split("/")[0] == ".."

    def read_as(self, kind, path):
        """Where it climbs it counts as it is written as well: what is behind a link is git's to say, by names alone."""
        self.reads[normpath(path)] = kind
        if ".." in path:
            self.reads["/".join(step for step in path.split("/") if step not in ("", "."))] = kind

    def links(self, line, value):
        if REMOTE.match(value):
            return
        beside = join(dirname(line.path), value)
        if not SCHEME.match(value) and PLAIN.fullmatch(value) and self.leads_out(join(self.folder, value)):
            # From where the installer runs there is nothing; from the file that says so there may be.
            path = beside
        else:
            path = self.path(value)
        if not path:
            return
        if path.lower().endswith((".html", ".htm")):
            # A page may name any file of the tree.
            self.whole = True
            return
        # From the file that says so, else from where the installer runs.
        self.read_as("folder", path)
        if not SCHEME.match(value):
            self.whole = self.whole or self.leads_out(beside)
            self.read_as("folder", beside)

    def index(self, value):
        if not REMOTE.match(value) and self.path(value) is not None:
            self.whole = True

    def problem(self, where, message):
        if len(self.problems) < 5:
            self.problems.append({**where, "message": message})

    def answer(self):
        named = len(self.local) + len(self.reads) + len(self.outside)
        if named > MOST:
            self.problem({"path": next(iter(self.texts)), "line": 1}, f"names more than {MOST} paths")
            self.local, self.reads, self.outside = [], {}, {}
        read = {path for path, _ in self.met}
        return {
            "version": 4,
            "files": [path for path in self.texts if path in read],
            "local": self.local,
            "reads": [{"path": path, "as": kind} for path, kind in sorted(self.reads.items())],
            "outside": sorted(self.outside),
            "whole": self.whole or (self.climbs and bool(self.reads)),
            "forms": self.forms[:5],
            "problems": self.problems,
        }


def main():
    files = json.load(sys.stdin)["files"]
    reader = Reader(files)
    try:
        if files:
            reader.read(files[0]["path"], False)
    except TooLarge as error:
        reader.problem(error.where, error.message)
    json.dump(reader.answer(), sys.stdout)


main()
