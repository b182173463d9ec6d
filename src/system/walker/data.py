"""What is in a file, and what there is to say about it, brought into another one."""

import os
from errno import EINVAL, ENOSYS, ENOTSUP, ENXIO, EXDEV


def dress(file, look, owner, mode):
    os.fchown(file, *owner)
    os.fchmod(file, mode)
    # Bytecode tells by its source's time whether it is of it.
    os.utime(file, ns=(look.st_atime_ns, look.st_mtime_ns))


def copy_data(source, target, size):
    """Holes stay holes, and where the file system can, both share their blocks."""
    os.ftruncate(target, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(source, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == ENXIO:
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        copy_range(source, target, start, end)


def copy_range(source, target, start, end):
    try:
        while start < end:
            copied = os.copy_file_range(source, target, end - start, start, start)
            if copied == 0:
                return
            start += copied
    except OSError as error:
        if error.errno not in (EXDEV, EINVAL, ENOSYS, ENOTSUP):
            raise
        os.lseek(target, start, os.SEEK_SET)
        send(source, target, start, end)


def send(source, target, start, end):
    while start < end:
        sent = os.sendfile(target, source, start, min(end - start, 1 << 30))
        if sent == 0:
            return
        start += sent
