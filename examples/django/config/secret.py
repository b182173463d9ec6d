import os
import secrets
import tempfile


def read_or_create(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        pass
    # mkstemp creates with O_EXCL and mode 0600. Only one worker can link its
    # file to the final name, and nobody can read a half-written key there.
    fd, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
    try:
        with open(fd, 'w') as file:
            file.write(secrets.token_urlsafe(50))
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)
    return path.read_text()
