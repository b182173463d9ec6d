"""Copies a tree."""

import os
import sys
from stat import S_ISLNK, S_ISREG

from walker.data import copy_data, dress, send
from walker.descriptors import FILE, FOLDER, expect_ours, open_above, open_same
from walker.errand import Errand


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
