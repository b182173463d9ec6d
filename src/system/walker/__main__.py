"""Goes through trees that somebody else owns, or may still hold open, and through no name that they could swap.

Standard input: errands, each a run of words that end in NUL, with an empty word behind it. The first word says
what to do: give, copy, remove, sweep, measure. The others are "name=value" (src/system/walker.ts).

A folder is opened below its parent's descriptor and never by a link. It is taken, so that it is root's and nobody
else's to enter, before it is listed: whoever holds it open changes nothing in it any more. What is in it is looked at
without following it, opened where it changes, and changed by that descriptor, which must be of what was looked at. A
folder gets its owner and mode after what it holds.
Nothing behind a mount is touched. The folder that holds what is changed must be root's, or of whoever runs this.
"""

import os
import sys

# What belongs to this program is looked for behind Python's own, which it hides nothing of. It lies where the program
# does: whoever could change the one could change the other. Nothing is written beside it.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True


def kind_of(what):
    """Only what is asked for is read: to compile the others took longer than most walks do."""
    if what == "give":
        from walker.give import Give as Kind
    elif what == "copy":
        from walker.copy import Copy as Kind
    elif what == "remove":
        from walker.remove import Remove as Kind
    elif what == "sweep":
        from walker.sweep import Sweep as Kind
    elif what == "measure":
        from walker.measure import Measure as Kind
    else:
        raise ValueError(f"there is no errand {what}")
    return Kind


def read_errands():
    words = sys.stdin.buffer.read().split(b"\0")
    errand = []
    for word in map(os.fsdecode, words):
        if word:
            errand.append(word)
        elif errand:
            what, *values = errand
            yield kind_of(what)(dict(value.split("=", 1) for value in values))
            errand = []


def main():
    # Modes are as they are said.
    os.umask(0)
    for errand in list(read_errands()):
        try:
            errand.run()
        except OSError as error:
            message = f"{errand.where()[:4000]}: {error.strerror}\n"
            sys.stderr.buffer.write(os.fsencode(message))
            sys.exit(1)


main()
