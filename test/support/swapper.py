"""Somebody who owns a tree, or holds it open, while root goes through it.

Arguments: a file and a folder of somebody else's. Its working folder is the tree. It opens every folder in it, says
"ready", and for each line that it reads it swaps names for a link to one of the two, or back, and moves a folder of
its own in and out. It answers with how many names it swapped. What it may not do any more it lets be. The third
argument is a number: which names it swaps when is another for each, and always the same for the same.
"""

import os
import random
import sys

file, folder, seed = sys.argv[1:]
chance = random.Random(int(seed))
held = []
for path, _, _ in os.walk("."):
    held.append(os.open(path, os.O_RDONLY))
outside = os.path.join(os.getcwd(), "..", "aside")
swapped = 0


def attempt(act, *arguments, **options):
    global swapped
    try:
        act(*arguments, **options)
        swapped += 1
        return True
    except OSError:
        return False


def swap(held_folder, name):
    names = {"src_dir_fd": held_folder, "dst_dir_fd": held_folder}
    if os.path.islink(f"/proc/self/fd/{held_folder}/{name}"):
        attempt(os.rename, name + ".own", name, **names)
        return
    target = folder if os.path.isdir(f"/proc/self/fd/{held_folder}/{name}") else file
    if attempt(os.rename, name, name + ".own", **names):
        attempt(os.symlink, target, name, dir_fd=held_folder)


def own_names(held_folder):
    try:
        names = os.listdir(held_folder)
    except OSError:
        return []
    return [name for name in names if not name.endswith(".own") and name != "guest"]


print("ready", flush=True)
for _ in sys.stdin:
    swapped = 0
    for held_folder in held:
        # A folder cannot be renamed over a link: the link goes first.
        for name in own_names(held_folder):
            if chance.random() < 0.7:
                continue
            path = f"/proc/self/fd/{held_folder}/{name}"
            if os.path.islink(path) and os.path.isdir(path + ".own"):
                attempt(os.unlink, name, dir_fd=held_folder)
            swap(held_folder, name)
        attempt(os.rename, os.path.join(outside, "guest"), "guest", dst_dir_fd=held_folder)
        attempt(os.rename, "guest", os.path.join(outside, "guest"), src_dir_fd=held_folder)
    print(swapped, flush=True)
