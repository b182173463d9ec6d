"""What stands at a name, opened and told from what somebody may have put there meanwhile."""

import os
from errno import EPERM, ESTALE
from stat import S_ISVTX

ENTRY = os.O_PATH | os.O_NOFOLLOW
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# For an opening that waited, its former owner could have a lease on it.
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
OTHERS_WRITE = 0o022

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


def is_taken(look):
    return look.st_uid == 0 and not look.st_mode & OTHERS_WRITE
