"""Changes whose a tree is, and who may what in it."""

import os
from fcntl import F_RDLCK, F_SETLEASE, fcntl
from stat import S_ISLNK, S_ISREG

from walker.data import copy_data, dress
from walker.descriptors import ENTRY, FILE, OTHERS_WRITE, by_descriptor, is_root, is_taken, open_same
from walker.errand import Errand


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
