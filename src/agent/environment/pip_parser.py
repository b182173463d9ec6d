"""pip's own parser of requirements, as `req_file`, and what it takes for an archive; without the rest of pip."""

import glob
import importlib.machinery
import os
import sys
import sysconfig
import types

# What pip's parser brings along and does not use; these cost six times what the rest does.
UNUSED = (
    "pip._internal.configuration",
    "pip._internal.network",
    "pip._internal.utils.logging",
    "pip._vendor.cachecontrol",
    "pip._vendor.certifi",
    "pip._vendor.pyproject_hooks",
    "pip._vendor.requests",
    "pip._vendor.rich",
    "pip._vendor.tenacity",
    "pip._vendor.urllib3",
    "urllib.request",
)


class Hollow(types.ModuleType):
    """Stands for a module of which only names are needed: classes, decorators and what makes some."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {"__init__": lambda *any, **more: None, "__call__": lambda self, what: what})


class HollowFinder:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(UNUSED):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        return Hollow(spec.name)

    def exec_module(self, module):
        pass


def find_pip():
    """The one that this interpreter puts into a virtualenv; else one that is installed."""
    # Only where it is: what it imports costs as much as pip's parser.
    ensurepip = importlib.machinery.PathFinder.find_spec("ensurepip")
    folders = [sysconfig.get_config_var("WHEEL_PKG_DIR") or "/usr/share/python-wheels"]
    if ensurepip:
        folders.append(os.path.join(os.path.dirname(ensurepip.origin), "_bundled"))
    for folder in folders:
        for wheel in sorted(glob.glob(os.path.join(folder, "pip-*.whl"))):
            return wheel


def load_parser():
    wheel = find_pip()
    if wheel:
        sys.path.insert(0, wheel)
    else:
        import site

        # It is started without them: what files in there have Python import takes its time.
        sys.path += site.getsitepackages()
    import pip

    sys.meta_path.insert(0, HollowFinder())
    # Without what its own __init__ brings along, which installs.
    package = types.ModuleType("pip._internal.req")
    package.__path__ = [os.path.join(path, "_internal", "req") for path in pip.__path__]
    sys.modules[package.__name__] = package
    from pip._internal.req import req_file

    return req_file


req_file = load_parser()
from pip._internal.utils.filetypes import is_archive_file  # noqa: E402
