"""Tries what an app must not be able to do: cases X1 to X22. It changes nothing where it succeeds.

`run(facts)` resolves each case to a list of attempts, each with how it ended: "open", or the name of the error.
The facts say where the victim and the server are; they hold no secret.
"""

import ctypes
import errno
import json
import os
import pwd
import signal
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
ATTACH_WITHOUT_STOPPING = 0x4206
DETACH = 17


def run(facts):
    return {case: [[name, outcome(attempt)] for name, attempt in attempts] for case, attempts in cases(facts).items()}


def outcome(attempt):
    try:
        attempt()
        return "open"
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except Denied as denied:
        return str(denied)


class Denied(Exception):
    """What is looked for is not there."""


def cases(facts):
    home, victim, own, former = facts["home"], facts["victim"], facts["own"], facts["former"]
    at = lambda *parts: os.path.join(home, *parts)
    processes = {**facts["server"], "victim": victim["pid"]}
    return {
        "X1": [reading(victim["release"]), reading(at("srv/victim/releases")), reading(victim["code"])],
        "X2": [reading(victim["environment"]), reading(victim["environment"] + "/pyvenv.cfg"), reading(at("srv/victim/envs"))],
        "X3": [
            reading(at("etc/apps/victim/variables")),
            reading(at("etc/apps/victim/variables/SECRET")),
            reading(at("etc/apps/victim.toml")),
            reading(at("srv/victim/data")),
            reading(at("srv/victim/requirements.txt")),
        ],
        "X4": [reading(at("log", name)) for name in facts["logs"]],
        "X5": [connecting(at("run/sockets/victim.sock")), connecting(at("lib/links/victim/socket")), reading(at("run/sockets"))],
        "X6": [
            reading("/proc/%d/%s" % (pid, name), "%s of %s" % (name, who))
            for who, pid in processes.items()
            for name in ("environ", "maps", "fd", "mem", "root", "cwd")
        ],
        "X7": [attempt for who, pid in processes.items() for attempt in touching(who, pid)],
        "X8": [reading(at("lib/repositories")), reading(at("lib/repositories/victim.git/HEAD")), reading(at("lib/repositories/%s.git" % own))],
        "X9": [connecting(at("run/agent/agent.sock")), making(at("run/agent"))],
        "X10": [connecting(at("run/front/http.sock")), connecting(at("run/control/control.sock")), making(at("run/front"))],
        "X11": [
            making(at("etc/vassals")),
            writing(at("etc/vassals/%s.ini" % own)),
            chmodding(at("etc/vassals/%s.ini" % own)),
            moving(at("etc/vassals/%s.ini" % own)),
            making(at("etc/apps/%s" % own)),
            making(at("etc/apps")),
        ],
        "X12": [
            making(at("etc/nginx")),
            making(at("etc/nginx/sites-available")),
            making(at("etc/nginx/sites-enabled")),
            writing(at("etc/nginx/nginx.conf")),
            writing(at("etc/nginx/sites-available/%s.conf" % own)),
        ],
        "X13": [reading(at("lib/front/ssh_host_ed25519_key")), reading("/etc/ssl/private"), reading("/etc/shadow")],
        "X14": [
            reading(at(name))
            for name in (
                "lib/front/authorized_keys",
                "lib/front/token",
                "lib/front/front.db",
                "lib/agent/agent.db",
                "etc/server.toml",
            )
        ],
        "X15": [attempt for path in releases(at("srv", own, "releases")) for attempt in (making(path), writing(path + "/app.py"), chmodding(path + "/app.py"), moving(path))]
        + [making(at("srv", own)), making(at("srv", own, "releases")), making(at("srv", own, "envs")), moving(at("srv", own, "app"))],
        "X16": [
            making(at("run/sockets")),
            moving(at("run/sockets/%s.sock" % own)),
            making(at("lib/links")),
            moving(at("lib/links/%s" % own)),
            making(at("lib/links", own)),
            moving(at("lib/links", own, "socket")),
        ],
        "X17": [binding(facts["port"]), binding(facts["port"], socket.SO_REUSEPORT), binding(facts["sshPort"])],
        "X18": [
            ("what is open to writing under %s: %s" % (folder, open_to_writing(folder, facts["mine"])), nothing(open_to_writing(folder, facts["mine"])))
            for folder in (home, "/run", "/etc")
        ],
        "X19": [("signal the Emperor", lambda: os.kill(processes["Emperor"], 0)), connecting(at("run/emperor.stats")), writing(at("run/emperor.pid"))],
        "X20": [
            ("attach to shared memory", lambda: attach(victim["shared"])),
            reading("/dev/shm/%s" % victim["posix"]),
            ("sockets without a file", nothing(abstract_sockets())),
        ],
        "X21": [
            ("the same number", nothing([former["uid"]] if os.getuid() == former["uid"] else [])),
            ("its user", nothing(users_with(former["uid"]))),
            ("its processes", nothing(processes_of(former["uid"]))),
            ("its files", nothing(files_of(former["uid"], (home, "/tmp", "/var/tmp", "/dev/shm")))),
        ],
        "X22": [
            ("its data", nothing([name for name in entries(at("srv", own, "data")) if name == "former"])),
            ("its variables", nothing([name for name in entries(at("etc/apps", own, "variables")) if name == "FORMER"])),
            ("its environment", nothing([name for name in os.environ if name == "FORMER"])),
            ("its log", nothing(lines_with(at("log/apps/%s.log" % own), "the former one was here"))),
        ],
    }


def reading(path, name=None):
    def attempt():
        if os.path.isdir(path) and not os.path.islink(path):
            os.listdir(path)
        elif os.path.islink(path) and path.startswith("/proc/"):
            os.readlink(path)
        else:
            with open(path, "rb") as file:
                file.read(0)

    return "read " + (name or path), attempt


def writing(path):
    def attempt():
        with open(path, "ab"):
            pass

    return "write " + path, attempt


def making(folder):
    def attempt():
        path = os.path.join(folder, ".probe.tmp")
        os.symlink("/nowhere", path)
        os.unlink(path)

    return "make something in " + folder, attempt


def moving(path):
    def attempt():
        os.rename(path, path + ".probe")
        os.rename(path + ".probe", path)

    return "move " + path, attempt


def chmodding(path):
    return "change the mode of " + path, lambda: os.chmod(path, os.stat(path).st_mode & 0o7777)


def connecting(path):
    def attempt():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)

    return "connect " + path, attempt


def binding(port, option=None):
    def attempt():
        with socket.socket() as server:
            if option is not None:
                server.setsockopt(socket.SOL_SOCKET, option, 1)
            server.bind(("127.0.0.1", port))

    return "bind port %d" % port, attempt


def touching(who, pid):
    return [
        ("signal " + who, lambda: os.kill(pid, 0)),
        ("trace " + who, lambda: trace(pid)),
    ]


def trace(pid):
    checked(libc.ptrace(ATTACH_WITHOUT_STOPPING, pid, None, None))
    libc.ptrace(DETACH, pid, None, None)


def attach(number):
    libc.shmat.restype = ctypes.c_void_p
    address = libc.shmat(number, None, 0)
    checked(-1 if address == ctypes.c_void_p(-1).value else 0)
    libc.shmdt(ctypes.c_void_p(address))


def checked(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), "refused")


def nothing(found):
    def attempt():
        if not found:
            raise Denied("nothing there")

    return attempt


def entries(folder):
    try:
        return os.listdir(folder)
    except OSError:
        return []


def releases(folder):
    return [os.path.join(folder, name) for name in entries(folder)]


def lines_with(path, text):
    try:
        with open(path, errors="replace") as file:
            return [line for line in file if text in line]
    except OSError:
        return []


def users_with(uid):
    try:
        return [pwd.getpwuid(uid).pw_name]
    except KeyError:
        return []


def processes_of(uid):
    return [name for name in os.listdir("/proc") if name.isdigit() and owner("/proc/" + name) == uid]


def files_of(uid, folders):
    return [path for folder in folders for path in walk(folder) if owner(path) == uid]


def owner(path):
    try:
        return os.lstat(path).st_uid
    except OSError:
        return None


def walk(folder):
    for parent, folders, files in os.walk(folder):
        yield parent
        for name in files:
            yield os.path.join(parent, name)


def open_to_writing(folder, mine):
    """What may be written in or replaced, apart from what is the app's own. A link's mode says nothing."""
    found = [path for path in walk(folder) if not os.path.islink(path) and os.access(path, os.W_OK)]
    outside = [path for path in found if not path.startswith(tuple(mine))]
    return [path for path in outside if not path.startswith(("/run/lock", "/run/shm", "/run/user"))]


def abstract_sockets():
    with open("/proc/net/unix") as table:
        return [line.split()[-1] for line in table if "@reeve" in line or "@uwsgi" in line]


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
