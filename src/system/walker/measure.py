"""Says how large a tree is."""

from walker.descriptors import identity
from walker.errand import PASSING, Errand

# So many files with several names are told apart: what a set of them takes in memory has an end.
MOST_COUNTED = 1_000_000


class Measure(Errand):
    """
    Prints how many bytes of the disk what is at the path takes, its folders too, of a file with several names once.
    "only=inside": not the folder at the path itself. "live=1": it is in use; what goes or is swapped before it is
    counted is left out.
    """

    needed = 0o500

    def __init__(self, words):
        super().__init__(words)
        self.only_inside = words.get("only") == "inside"
        self.is_live = "live" in words

    def run(self):
        self.bytes = 0
        self.counted = set()
        super().run()
        print(self.bytes, flush=True)

    def find_nothing(self):
        pass

    def look_at(self, folder, name):
        try:
            super().look_at(folder, name)
        except OSError as error:
            if not self.is_live or error.errno not in PASSING:
                raise

    def enter(self, parent, folder):
        is_top = len(self.stack) == 1
        if not is_top or not self.only_inside:
            self.bytes += folder.look.st_blocks * 512

    def visit(self, parent, name, look):
        if look.st_nlink > 1:
            if identity(look) in self.counted:
                return
            if len(self.counted) < MOST_COUNTED:
                self.counted.add(identity(look))
        self.bytes += look.st_blocks * 512

    def leave(self, parent, folder, is_top):
        self.close_again(folder)
