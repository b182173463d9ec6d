"""Lists the folders in which a user, whose number is given, may leave a file, each with NUL behind it.

They are found, on every file system that can be written, and not known beforehand: which there are is the machine's
affair. They are open to everybody, or to this user by an access list; the spools are written by others for the user.
What lies below one of them is not listed. Only names are read here, and nothing is changed but what lies in no
folder: POSIX message queues where nothing is mounted for them, and what System V has. The user's go at once.
"""

import ctypes
import os
import struct
import sys
from stat import S_ISDIR

# The kernel's words about itself, in which nobody keeps a file, and what is mounted when somebody looks.
MADE_UP = frozenset(
    "autofs binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts efivarfs fusectl nsfs proc pstore rpc_pipefs"
    " securityfs selinuxfs sysfs tracefs".split()
)
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
IPC_RMID = 0
WRITES, ENTERS = 0o002, 0o001
# By programs that are more than who starts them: crontab(1), at(1), and whoever brings mail.
SPOOLS = b"/var/spool/cron/crontabs", b"/var/spool/cron/atjobs", b"/var/mail"
# acl(5), as the kernel keeps it (linux/posix_acl_xattr.h): a tag, rights, and whose they are. The group of one of our
# users has the user's number.
ACL, ACL_HEAD, ACL_ENTRY, ACL_NAMED = "system.posix_acl_access", 4, "<HHI", (0x02, 0x08)


def mounts():
    with open("/proc/self/mountinfo", "rb") as lines:
        for line in lines:
            before, after = line.split(b" - ", 1)
            path, options = before.split(b" ")[4:6]
            kind, _, super_options = after.split(b" ", 2)
            is_writable = b"ro" not in options.split(b",") + super_options.strip().split(b",")
            yield path.decode("unicode_escape").encode("latin-1"), kind.decode(), is_writable


def rights(path, mode, user):
    """What everybody may, and what an access list gives to the user; its mask may take some of that away again."""
    found = mode & 0o007
    try:
        acl = os.getxattr(path, ACL, follow_symlinks=False)
    except OSError:
        return found
    for tag, given, who in struct.iter_unpack(ACL_ENTRY, acl[ACL_HEAD:]):
        if tag in ACL_NAMED and who == user:
            found |= given
    return found


def walk(top, seen, user):
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
            may = rights(path, look.st_mode, user)
            if may & WRITES:
                yield path
            elif may & ENTERS:
                with os.scandir(path) as entries:
                    paths.extend(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
        except OSError:
            # It is gone, closed to root (FUSE), or too deep for a name: below a folder that is not the user's to write.
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


def remove_objects(user):
    """As the user, whom the kernel lets remove what it owns or made, whatever the modes, and nobody else's."""
    libc = ctypes.CDLL(None)
    os.seteuid(user)
    removals = {
        "shm": lambda number: libc.shmctl(number, IPC_RMID, None),
        "sem": lambda number: libc.semctl(number, 0, IPC_RMID),
        "msg": lambda number: libc.msgctl(number, IPC_RMID, None),
    }
    for kind, remove in removals.items():
        with open("/proc/sysvipc/" + kind) as lines:
            head, *rows = [line.split() for line in lines]
        for row in rows:
            fields = dict(zip(head, row))
            if str(user) in (fields["uid"], fields["cuid"]):
                # proc(5): its number stands second, and is called otherwise in each.
                remove(int(row[1]))
    os.seteuid(0)


def main():
    user = int(sys.argv[1])
    mounted = list(mounts())
    seen = set()
    for path, kind, is_writable in mounted:
        if kind in MADE_UP or not is_writable:
            continue
        for folder in walk(path, seen, user):
            sys.stdout.buffer.write(folder + b"\0")
    for folder in SPOOLS:
        # A unit may have it mounted so that nobody can write there.
        if os.path.isdir(folder) and os.access(folder, os.W_OK):
            sys.stdout.buffer.write(os.path.realpath(folder) + b"\0")
    if os.geteuid() != 0:
        return
    remove_objects(user)
    if not any(kind == "mqueue" for _, kind, _ in mounted):
        remove_queues(user)


main()
