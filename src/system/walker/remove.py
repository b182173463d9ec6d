"""Removes a tree."""

import os
from errno import EBUSY

from walker.descriptors import mount_of
from walker.errand import Errand


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
