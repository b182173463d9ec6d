"""Removes one user's files from a folder of everybody's."""

import os
from errno import ENOTEMPTY

from walker.errand import PASSING, Errand


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
