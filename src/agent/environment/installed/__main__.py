"""Looks through what is installed in an environment, before and after the installer. Runs in the box, as the builder.

    take NEW BASIS NOTES TREE FILES [COMMAND...]   standard input: what must not be taken over, a name a line
    check NEW NOTES [COMMAND...]             fails where something is not as if nothing had been taken over
    survey TREE NOTES [COMMAND...]           standard input: what git says of the commit
    settle NEW TREE RELEASE NOTES [COMMAND...]    prints why packages cannot be edited in RELEASE, if they cannot
    run VARIABLES COMMAND...                 with what a file of JSON says in its environment

A command comes next, in the same box: a box of its own for each would cost more than most of them do.

take, before the installer: all of another environment, the basis, stands at NEW by hard links that nobody can write
to. A distribution is taken over where its RECORD accounts for it: what it lists is there and belongs to no other one.
Everything else goes, so that the installer makes it anew: what came from an address or the tree, what uv makes for
every environment, what nobody accounts for. TREE is empty where nothing finds archives in the tree; else what there is
an archive of by now, maybe of the same version, goes as well. So does what came from a file, unless FILES is empty. check, after it, has the rest go, and
bytecode whose source is another one by now: uv leaves it where a package is replaced, and Python takes it for the new
source's if both were written in one second and are as long.

settle: packages of the tree were built in TREE, a copy that goes. They name RELEASE from now on, where the copy's files
stay as they were. One whose build left or changed files in the copy cannot be edited there: then no command comes next.

Nothing is written in place: a file that changes is replaced.
"""

import os
import sys

# What belongs to this program is looked for behind Python's own, which it hides nothing of. Nothing is written beside it.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True


def errand_of(what):
    """Only what is asked for is read: to compile the rest takes its time."""
    if what in ("take", "check"):
        from installed import basis as errands
    elif what in ("survey", "settle"):
        from installed import tree as errands
    elif what == "run":
        from installed import command as errands
    else:
        raise ValueError(f"there is nothing called {what} to be done")
    return getattr(errands, what)


def main():
    what, *words = sys.argv[1:]
    errand_of(what)(*words)


main()
