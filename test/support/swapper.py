"""Somebody who owns a tree, or holds it open, while root goes through it.

Arguments: the tree, a folder of its own outside, a file and a folder of somebody else's, and a number. It opens every
folder that it may, says "ready", and for each line that it reads it swaps names for a link to one of the two, or back.
Its own folder it moves in and out, and leaves it where a folder has changed hands and lets it in all the same: a
second walk would meet it there. It answers with how many names it swapped. What it may not do any more it lets be.
Which names it swaps when is another for each number, and always the same for the same; for 0 it is all of them.
"""

import os
import random
import sys

tree, own, file, folder, seed = sys.argv[1:]
chance = random.Random(int(seed))
held = {}
swapped = 0


def hold():
    for path, _, _ in [*os.walk(own), *os.walk(tree)]:
        try:
            if path not in held and not os.path.islink(path):
                held[path] = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            pass


def attempt(act, *arguments, **options):
    global swapped
    try:
        act(*arguments, **options)
        swapped += 1
        return True
    except OSError:
        return False


def swap(descriptor, name):
    path = f"/proc/self/fd/{descriptor}/{name}"
    names = {"src_dir_fd": descriptor, "dst_dir_fd": descriptor}
    if os.path.islink(path):
        # A folder cannot be renamed over a link: the link goes first.
        if os.path.lexists(path + ".own") and attempt(os.unlink, name, dir_fd=descriptor):
            attempt(os.rename, name + ".own", name, **names)
        return
    target = folder if os.path.isdir(path) else file
    if attempt(os.rename, name, name + ".own", **names):
        attempt(os.symlink, target, name, dir_fd=descriptor)


def own_names(descriptor):
    try:
        names = sorted(os.listdir(descriptor))
    except OSError:
        return []
    return [name for name in names if not name.endswith(".own") and name != "guest"]


hold()
print("ready", flush=True)
for _ in sys.stdin:
    swapped = 0
    hold()
    for descriptor in list(held.values()):
        for name in own_names(descriptor):
            if seed == "0" or chance.random() < 0.3:
                swap(descriptor, name)
        if attempt(os.rename, own, "guest", dst_dir_fd=descriptor):
            if os.fstat(descriptor).st_uid == os.getuid():
                attempt(os.rename, "guest", own, src_dir_fd=descriptor)
    print(swapped, flush=True)
