"""The way through a tree that all errands have in common: what is done on it is each one's own."""

import os
from errno import EACCES, ELOOP, ENOENT, ENOTDIR, EPERM, ESTALE
from stat import S_ISDIR

from walker.descriptors import (
    ENTRY,
    expect_ours,
    holds_mounts,
    identity,
    is_closed,
    is_root,
    is_taken,
    mount_of,
    open_above,
    open_folder,
    reopen,
)

# What the names in a tree come to that is in use meanwhile; a user's own file system (FUSE) is closed to root.
PASSING = (EACCES, EPERM, ENOENT, ENOTDIR, ELOOP, ESTALE)
# Of the folders that lie above the one at hand so many stay open, however deep the tree is.
MOST_OPEN = 64


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


def pair(text):
    return None if text is None else tuple(int(number) for number in text.split(":"))
