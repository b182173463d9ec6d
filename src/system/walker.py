"""Goes through trees that somebody else owns, or may still hold open, and through no name that they could swap.

Standard input: errands, each a run of words that end in NUL, with an empty word behind it. The first word says
what to do: give, copy, remove, sweep, measure. The others are "name=value" (src/system/walker.ts).

A folder is opened below its parent's descriptor and never by a link. It is taken, so that it is root's and nobody
else's to enter, before it is listed: whoever holds it open changes nothing in it any more. What is in it is looked at
without following it, opened where it changes, and changed by that descriptor, which must be of what was looked at. A
folder gets its owner and mode after what it holds.
Nothing behind a mount is touched. The folder that holds what is changed must be root's, or of whoever runs this.
"""

import os
import sys
from fcntl import F_RDLCK, F_SETLEASE, fcntl
from errno import (
    EACCES, EBUSY, EINVAL, ELOOP, ENOENT, ENOSYS, ENOTDIR, ENOTEMPTY, ENOTSUP, ENXIO, EPERM, ESTALE, EXDEV,
)  # fmt: skip
from stat import S_ISDIR, S_ISLNK, S_ISREG, S_ISVTX

ENTRY = os.O_PATH | os.O_NOFOLLOW
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# For an opening that waited, its former owner could have a lease on it.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
OTHERS_WRITE = 0o022
# So many files with several names are told apart: what a set of them takes in memory has an end.
MOST_COUNTED = 1_000_000
# What the names in a tree come to that is in use meanwhile; a user's own file system (FUSE) is closed to root.
PASSING = (EACCES, EPERM, ENOENT, ENOTDIR, ELOOP, ESTALE)
# Of the folders that lie above the one at hand so many stay open, however deep the tree is.
MOST_OPEN = 64

own_user = os.geteuid()
is_root = own_user == 0


def by_descriptor(descriptor):
    """Leads to what the descriptor is of, a link included, for calls that take no O_PATH descriptor."""
    return f"/proc/self/fd/{descriptor}"


def identity(look):
    return look.st_dev, look.st_ino


def mount_of(descriptor):
    info = os.open(f"/proc/self/fdinfo/{descriptor}", os.O_RDONLY)
    try:
        return next(line for line in os.read(info, 4096).split(b"\n") if line.startswith(b"mnt_id:"))
    finally:
        os.close(info)


def holds_mounts(descriptor):
    """
    Whether anything is mounted here or below. Without, what comes meanwhile is root's own or another file system: only
    root can show a part of the same one in another place.
    """
    path = os.readlink(os.fsencode(by_descriptor(descriptor)))
    with open("/proc/self/mountinfo", "rb") as lines:
        points = [line.split(b" ", 5)[4].decode("unicode_escape").encode("latin-1") for line in lines]
    return any(point == path or point.startswith(path + b"/") for point in points)


def is_ours(look):
    """Whether nobody else can swap the names in this folder; in a sticky one they cannot swap ours."""
    if is_root and look.st_mode & OTHERS_WRITE and not look.st_mode & S_ISVTX:
        return False
    return look.st_uid in (0, own_user)


def open_above(path):
    """The folder that holds the tree: every link on the way to it lies where only root could lay it."""
    *above, name = path.split("/")[1:]
    folder = os.open("/", os.O_PATH)
    for step in above:
        way = 0 if is_ours(os.fstat(folder)) else os.O_NOFOLLOW
        below = os.open(step, os.O_PATH | os.O_DIRECTORY | way, dir_fd=folder)
        os.close(folder)
        folder = below
    return folder, name


def expect_ours(folder):
    if not is_ours(os.fstat(folder)):
        raise OSError(EPERM, "the folder that holds it can be changed by others")


class Folder:
    """One that is being walked. `copy` is open where it is copied to."""

    def __init__(self, name, descriptor, look, copy=None):
        self.name = name
        self.descriptor = descriptor
        self.look = look
        self.copy = copy
        self.copy_identity = None
        self.names = []

    def set_aside(self):
        """It is opened again from what it holds."""
        if self.copy is not None:
            self.copy_identity = identity(os.fstat(self.copy))
        self.close()

    def close(self):
        for descriptor in (self.descriptor, self.copy):
            if descriptor is not None:
                os.close(descriptor)
        self.descriptor = self.copy = None

    def reopen_from(self, child):
        self.descriptor = reopen(child.descriptor, identity(self.look))
        if child.copy is not None:
            self.copy = reopen(child.copy, self.copy_identity)


def reopen(child, expected):
    folder = os.open("..", FOLDER, dir_fd=child)
    if identity(os.fstat(folder)) != expected:
        raise OSError(ESTALE, "it was moved meanwhile")
    return folder


def open_same(parent, name, look, way):
    """What was looked at, and nothing else that has come to its name."""
    descriptor = os.open(name, way, dir_fd=parent.descriptor)
    if identity(os.fstat(descriptor)) != identity(look):
        os.close(descriptor)
        raise OSError(ESTALE, "it was swapped meanwhile")
    return descriptor


def is_closed(look, needed):
    """Whether whoever runs this owns it and has not the bits that are needed; with root none are missed."""
    return not is_root and look.st_uid == own_user and look.st_mode & needed != needed


def open_folder(parent, name, look, needed):
    """Also one that its owner has closed to itself: it gets the bits that are needed."""
    if not is_closed(look, needed):
        return open_same(parent, name, look, FOLDER)
    entry = open_same(parent, name, look, ENTRY)
    try:
        os.chmod(by_descriptor(entry), look.st_mode & 0o7777 | needed)
        return os.open(".", FOLDER, dir_fd=entry)
    finally:
        os.close(entry)


class Errand:
    # The owner's bits of a folder without which it cannot be done.
    needed = 0o700

    def __init__(self, words):
        self.path = words["path"]
        self.owner = pair(words.get("owner"))
        self.clear = int(words.get("clear", "0"), 8)
        self.add = int(words.get("add", "0"), 8)
        self.share = int(words.get("share", "0"), 8)
        self.top = int(words["top"], 8) if "top" in words else None

    def mode_of(self, look):
        owners = (look.st_mode >> 6 & 7) * 0o111
        return look.st_mode & 0o7777 & ~self.clear | self.add | owners & self.share

    def final_mode(self, folder, is_top):
        return self.top if is_top and self.top is not None else self.mode_of(folder.look)

    def run(self):
        try:
            above, name = open_above(self.path)
            entry = os.open(name, ENTRY, dir_fd=above)
        except FileNotFoundError:
            return self.find_nothing()
        top = Folder("", above, os.fstat(above), self.open_target(above))
        self.mount = self.mount_for(above, entry)
        self.has_mounts = holds_mounts(entry)
        os.close(entry)
        self.stack = [top]
        self.look_at(top, name)
        while len(self.stack) > 1:
            folder = self.stack[-1]
            if folder.names:
                self.look_at(folder, folder.names.pop())
            else:
                self.end(self.stack.pop())
        top.close()

    def look_at(self, folder, name):
        try:
            look = os.lstat(name, dir_fd=folder.descriptor)
        except FileNotFoundError:
            # Without root whoever runs it may still remove what is in it.
            return
        is_folder = S_ISDIR(look.st_mode)
        may_be_mounted = is_folder and self.has_mounts or look.st_dev != folder.look.st_dev
        if may_be_mounted and self.is_mounted(folder, name):
            self.meet_mount(name)
        elif not is_folder:
            self.visit(folder, name, look)
        elif self.enters(look):
            self.go_into(folder, name, look)

    def is_mounted(self, folder, name):
        entry = os.open(name, ENTRY, dir_fd=folder.descriptor)
        try:
            return mount_of(entry) != self.mount
        finally:
            os.close(entry)

    def go_into(self, parent, name, look):
        try:
            descriptor = open_folder(parent, name, look, self.needed)
        except FileNotFoundError:
            return
        folder = Folder(name, descriptor, look)
        self.enter(parent, folder)
        self.stack.append(folder)
        folder.names = os.listdir(descriptor)
        if len(self.stack) > MOST_OPEN:
            self.stack[-MOST_OPEN].set_aside()

    def end(self, folder):
        parent = self.stack[-1]
        if parent.descriptor is None:
            parent.reopen_from(folder)
        self.leave(parent, folder, len(self.stack) == 1)
        folder.close()

    def where(self):
        """For people: what was at hand when it failed."""
        return "/".join([self.path, *(folder.name for folder in getattr(self, "stack", [])[2:])])

    def close_again(self, folder):
        """After reading: its owner's modes are as they were."""
        if is_closed(folder.look, self.needed):
            os.fchmod(folder.descriptor, folder.look.st_mode & 0o7777)

    def take(self, folder, group=-1, mode=0o700):
        if is_root and not is_taken(folder.look):
            os.fchown(folder.descriptor, 0, group)
            os.fchmod(folder.descriptor, mode)

    def enters(self, look):
        return True

    def find_nothing(self):
        raise FileNotFoundError(ENOENT, "there is nothing")

    def open_target(self, above):
        """The folder of a copy, where it is another one than that of the tree."""
        expect_ours(above)

    def mount_for(self, above, entry):
        return mount_of(entry)

    def meet_mount(self, name):
        pass


def is_taken(look):
    return look.st_uid == 0 and not look.st_mode & OTHERS_WRITE


class Give(Errand):
    """
    Changes owner and mode. "of": only what is that user's changes hands, "group": only what is that group's; a file
    with a second name may be somebody else's as well, and does so only where it is known whose it was.
    "others=remove": what is not that user's has no place in the tree; "others=sealed": unless it is what this errand
    would make of it, as are the links that a tree was begun with. "only=folders": files stay as they are.
    "live=1": its readers are in it meanwhile.
    """

    def __init__(self, words):
        super().__init__(words)
        self.of = int(words["of"]) if "of" in words else None
        self.group = int(words["group"]) if "group" in words else None
        self.removes_others = "others" in words
        self.keeps_sealed = words.get("others") == "sealed"
        self.only_folders = words.get("only") == "folders"
        self.is_live = "live" in words

    def concerns(self, look):
        if self.of is not None and look.st_uid != self.of:
            return False
        return self.group is None or look.st_gid == self.group

    def is_sealed(self, look):
        if self.owner != (look.st_uid, look.st_gid):
            return False
        return S_ISLNK(look.st_mode) or S_ISREG(look.st_mode) and self.mode_of(look) == look.st_mode & 0o7777

    def enters(self, look):
        is_top = len(self.stack) == 1
        return not is_root or is_top or self.concerns(look) or self.removes_others or is_taken(look)

    def enter(self, parent, folder):
        if self.is_live:
            mode = self.final_mode(folder, len(self.stack) == 1) & ~OTHERS_WRITE
            self.take(folder, self.owner[1] if self.owner else -1, mode)
        else:
            self.take(folder)

    def visit(self, parent, name, look):
        if self.removes_others and not self.concerns(look):
            if not (self.keeps_sealed and self.is_sealed(look)):
                os.unlink(name, dir_fd=parent.descriptor)
            return
        is_known = self.of is not None or self.group is not None
        if self.only_folders or not self.concerns(look) or look.st_nlink > 1 and not is_known:
            return
        changes_hands = bool(self.owner) and self.owner != (look.st_uid, look.st_gid)
        changes_mode = not S_ISLNK(look.st_mode) and self.mode_of(look) != look.st_mode & 0o7777
        if changes_hands or changes_mode:
            self.change(parent, name, look, changes_hands)

    def change(self, parent, name, look, changes_hands):
        is_sealed = self.removes_others and changes_hands and S_ISREG(look.st_mode)
        file = open_same(parent, name, look, FILE if is_sealed else ENTRY)
        try:
            known = file if is_sealed else by_descriptor(file)
            if changes_hands:
                os.chown(known, *self.owner)
            # Until it changed hands its owner, who may hold it open, could change its mode as well.
            if not S_ISLNK(look.st_mode):
                os.chmod(known, self.mode_of(look))
            if is_sealed and is_written(file):
                self.replace(parent, name, file, look)
        finally:
            os.close(file)

    def replace(self, parent, name, file, look):
        """Whoever has it open for writing, its former owner's accomplice, keeps the file; here a copy stands for it."""
        os.unlink(name, dir_fd=parent.descriptor)
        copy = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent.descriptor)
        try:
            copy_data(file, copy, os.fstat(file).st_size)
            dress(copy, look, self.owner, self.mode_of(look))
        finally:
            os.close(copy)

    def leave(self, parent, folder, is_top):
        if not (self.concerns(folder.look) or self.removes_others or is_top):
            return
        os.fchmod(folder.descriptor, self.final_mode(folder, is_top))
        if self.owner:
            os.fchown(folder.descriptor, *self.owner)


def is_written(file):
    """
    Whether it is open for writing anywhere, or mapped so: then the kernel grants no lease (fcntl(2), F_SETLEASE). One
    that was granted goes as the file is closed.
    """
    try:
        fcntl(file, F_SETLEASE, F_RDLCK)
    except OSError:
        # So it is for a file system that knows no leases.
        return True
    return False


class Copy(Errand):
    """
    Copies a tree that nobody else can change to a path where nothing is; times are kept, and what is neither file,
    folder nor link is left out. "by=links": files are the same ones, and only folders get an owner and a mode.
    "scripts=1": those that name an interpreter in the tree name the copy's.
    """

    needed = 0o500

    def __init__(self, words):
        super().__init__(words)
        self.to = words["to"]
        self.by_links = words.get("by") == "links"
        self.interpreters = None
        if "scripts" in words:
            self.interpreters = [f"#!{path}/".encode() for path in (self.path, self.to)]

    def open_target(self, above):
        target, self.copy_name = open_above(self.to)
        expect_ours(target)
        return target

    def enter(self, parent, folder):
        name = self.name_of(folder.name)
        os.mkdir(name, 0o700, dir_fd=parent.copy)
        folder.copy = os.open(name, FOLDER, dir_fd=parent.copy)

    def name_of(self, name):
        return self.copy_name if len(self.stack) == 1 else name

    def visit(self, parent, name, look):
        to = self.name_of(name)
        if S_ISREG(look.st_mode) or S_ISLNK(look.st_mode):
            if self.by_links:
                os.link(name, to, src_dir_fd=parent.descriptor, dst_dir_fd=parent.copy, follow_symlinks=False)
            elif S_ISREG(look.st_mode):
                self.copy_file(parent, name, to, look)
            else:
                self.copy_link(parent, name, to)

    def copy_link(self, parent, name, to):
        os.symlink(os.readlink(name, dir_fd=parent.descriptor), to, dir_fd=parent.copy)
        if self.owner:
            os.chown(to, *self.owner, dir_fd=parent.copy, follow_symlinks=False)

    def copy_file(self, parent, name, to, look):
        source = open_same(parent, name, look, FILE)
        target = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent.copy)
        try:
            if not self.copy_script(source, target):
                copy_data(source, target, look.st_size)
            dress(target, look, self.owner or (-1, -1), self.mode_of(look))
        finally:
            os.close(source)
            os.close(target)

    def copy_script(self, source, target):
        if self.interpreters is None:
            return False
        former, own = self.interpreters
        if os.pread(source, len(former), 0) != former:
            return False
        os.write(target, own)
        send(source, target, len(former), sys.maxsize)
        return True

    def leave(self, parent, folder, is_top):
        os.fchmod(folder.copy, self.final_mode(folder, is_top))
        if self.owner:
            os.fchown(folder.copy, *self.owner)
        self.close_again(folder)


def dress(file, look, owner, mode):
    os.fchown(file, *owner)
    os.fchmod(file, mode)
    # Bytecode tells by its source's time whether it is of it.
    os.utime(file, ns=(look.st_atime_ns, look.st_mtime_ns))


def copy_data(source, target, size):
    """Holes stay holes, and where the file system can, both share their blocks."""
    os.ftruncate(target, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == ENXIO:
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        copy_range(source, target, start, end)


def copy_range(source, target, start, end):
    try:
        while start < end:
            copied = os.copy_file_range(source, target, end - start, start, start)
            if copied == 0:
                return
            start += copied
    except OSError as error:
        if error.errno not in (EXDEV, EINVAL, ENOSYS, ENOTSUP):
            raise
        os.lseek(target, start, os.SEEK_SET)
        send(source, target, start, end)


def send(source, target, start, end):
    while start < end:
        sent = os.sendfile(target, source, start, min(end - start, 1 << 30))
        if sent == 0:
            return
        start += sent


class Remove(Errand):
    """Removes what is at the path, with all that is in it."""

    def find_nothing(self):
        pass

    def enter(self, parent, folder):
        self.take(folder)

    def visit(self, parent, name, look):
        os.unlink(name, dir_fd=parent.descriptor)

    def leave(self, parent, folder, is_top):
        os.rmdir(folder.name, dir_fd=parent.descriptor)

    def mount_for(self, above, entry):
        return mount_of(above)

    def meet_mount(self, name):
        raise OSError(EBUSY, f"{name} is a mount of its own; unmount it first")


class Sweep(Errand):
    """
    Removes what a user that is gone left below a folder of everybody's. Folders of others are not taken: what can be
    swapped in them is what whoever swaps it could remove as well.
    """

    def __init__(self, words):
        super().__init__(words)
        self.of = int(words["of"])

    def find_nothing(self):
        pass

    def open_target(self, above):
        # Whoever can swap what is swept for another folder gains nothing: what goes is that user's, wherever it is.
        pass

    def look_at(self, folder, name):
        try:
            super().look_at(folder, name)
        except OSError as error:
            # Others go on removing and renaming what is theirs.
            if error.errno not in PASSING:
                raise

    def enter(self, parent, folder):
        if folder.look.st_uid == self.of:
            self.take(folder)

    def visit(self, parent, name, look):
        if look.st_uid != self.of:
            return
        try:
            os.unlink(name, dir_fd=parent.descriptor)
        except FileNotFoundError:
            pass

    def leave(self, parent, folder, is_top):
        if folder.look.st_uid != self.of or is_top:
            return
        try:
            os.rmdir(folder.name, dir_fd=parent.descriptor)
        except OSError as error:
            if error.errno != ENOTEMPTY:
                raise
            # Others' files are in it, which stay where they are found.
            os.fchmod(folder.descriptor, folder.look.st_mode & 0o1777)


class Measure(Errand):
    """
    Prints how many bytes of the disk what is at the path takes, its folders too, of a file with several names once.
    "only=inside": not the folder at the path itself. "live=1": it is in use; what goes or is swapped before it is
    counted is left out.
    """

    needed = 0o500

    def __init__(self, words):
        super().__init__(words)
        self.only_inside = words.get("only") == "inside"
        self.is_live = "live" in words

    def run(self):
        self.bytes = 0
        self.counted = set()
        super().run()
        print(self.bytes, flush=True)

    def find_nothing(self):
        pass

    def look_at(self, folder, name):
        try:
            super().look_at(folder, name)
        except OSError as error:
            if not self.is_live or error.errno not in PASSING:
                raise

    def enter(self, parent, folder):
        is_top = len(self.stack) == 1
        if not is_top or not self.only_inside:
            self.bytes += folder.look.st_blocks * 512

    def visit(self, parent, name, look):
        if look.st_nlink > 1:
            if identity(look) in self.counted:
                return
            if len(self.counted) < MOST_COUNTED:
                self.counted.add(identity(look))
        self.bytes += look.st_blocks * 512

    def leave(self, parent, folder, is_top):
        self.close_again(folder)


def pair(text):
    return None if text is None else tuple(int(number) for number in text.split(":"))


errands = {"give": Give, "copy": Copy, "remove": Remove, "sweep": Sweep, "measure": Measure}


def read_errands():
    words = sys.stdin.buffer.read().split(b"\0")
    errand = []
    for word in map(os.fsdecode, words):
        if word:
            errand.append(word)
        elif errand:
            what, *values = errand
            yield errands[what](dict(value.split("=", 1) for value in values))
            errand = []


def main():
    # Modes are as they are said.
    os.umask(0)
    for errand in list(read_errands()):
        try:
            errand.run()
        except OSError as error:
            message = f"{errand.where()[:4000]}: {error.strerror}\n"
            sys.stderr.buffer.write(os.fsencode(message))
            sys.exit(1)


main()
