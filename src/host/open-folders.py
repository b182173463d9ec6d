"""Lists the folders in which any user of the machine may leave a file, each with NUL behind it.

They are found, on every file system that can be written, and not known beforehand: which there are is the machine's
affair. What lies below one of them is not listed. Only names are read here, and nothing is changed but POSIX message
queues, which are in no folder where nothing is mounted for them: those of the user whose number is given go at once.
"""

import ctypes
import os
import sys
from stat import S_ISDIR

# The kernel's words about itself, in which nobody keeps a file, and what is mounted when somebody looks.
MADE_UP = frozenset(
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts efivarfs fusectl nsfs proc pstore rpc_pipefs"
    " securityfs selinuxfs sysfs tracefs".split()
)
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
EVERYBODY_WRITES, EVERYBODY_ENTERS = 0o002, 0o001


def mounts():
    with open("/proc/self/mountinfo", "rb") as lines:
        for line in lines:
            before, after = line.split(b" - ", 1)
            path, options = before.split(b" ")[4:6]
            kind, _, super_options = after.split(b" ", 2)
            is_writable = b"ro" not in options.split(b",") + super_options.strip().split(b",")
            yield path.decode("unicode_escape").encode("latin-1"), kind.decode(), is_writable


def walk(top, seen):
    """Without the file systems that are mounted below: each has its turn."""
    try:
        device = os.lstat(top).st_dev
    except OSError:
        return
    paths = [top]
    while paths:
        path = paths.pop()
        try:
            look = os.lstat(path)
            if not S_ISDIR(look.st_mode) or look.st_dev != device or (device, look.st_ino) in seen:
                continue
            seen.add((device, look.st_ino))
            if look.st_mode & EVERYBODY_WRITES:
                yield path
            elif look.st_mode & EVERYBODY_ENTERS:
                with os.scandir(path) as entries:
                    paths.extend(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            # It is gone, closed to root (FUSE), or too deep for a name: below a folder that is not everybody's to write.
            continue


def remove_queues(user):
    """Mounts them where nobody else sees it."""
    libc = ctypes.CDLL(None)
    if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None):
        return
    if libc.mount(b"none", b"/proc", b"mqueue", 0, None):
        return
    for name in os.listdir(b"/proc"):
        queue = b"/proc/" + name
        if os.lstat(queue).st_uid == user:
            os.unlink(queue)


def main():
    mounted = list(mounts())
    seen = set()
    for path, kind, is_writable in mounted:
        if kind in MADE_UP or not is_writable:
            continue
        for folder in walk(path, seen):
            sys.stdout.buffer.write(folder + b"\0")
    if os.geteuid() == 0 and not any(kind == "mqueue" for _, kind, _ in mounted):
        remove_queues(int(sys.argv[1]))


main()
