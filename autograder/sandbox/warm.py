"""A warm parent: a Python that has imported the libraries, and forks.

Each child is one student's Python. In the sandbox it has namespaces of its own (processes, files,
network, System V IPC), a fresh /tmp, home and shared memory, limits, and no capability; when it
ends, the kernel ends everything in its process namespace with it. So nothing of one student's is
left for the next, and none of them sees the parent. Without a sandbox it has nothing of all that.

The parent runs nothing of a student's. It asks for no more than bubblewrap has given to it: its
capabilities count inside of its sandbox only.

This file is self-contained, for in the sandbox there is no `autograder` to import.
"""

import contextlib
import ctypes
import errno
import functools
import importlib
import json
import os
import signal
import socket
import struct
import sys
import traceback

# Where the sandbox shows what; bubblewrap.py takes these places from here.
HOME, WORK = "/home/student", "/home/student/work"
SHARED, OWN = "/kernels", "/kernel"
PIPE = 3  # the open socket to the grader in every child
LARGEST = 2**17  # bytes of a request

# <linux/sched.h>, <sys/mount.h>, <linux/prctl.h>, <linux/capability.h>, <net/if.h>
CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x8000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 1 << 12, 1 << 14, 1 << 18
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 24, 38, 47, 4
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
CAPABILITY_VERSION_3 = 0x20080522
SIOCSIFFLAGS, IFF_UP, IFF_RUNNING = 0x8914, 0x1, 0x40


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> None:
    """Call a function of the C library; raise OSError if it fails."""
    if getattr(_libc(), name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """Mount something, as mount(2) does."""
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    _call("mount", *texts, ctypes.c_ulong(flags), options.encode())


def isolate(shared: str, scratch: int) -> None:
    """Give the calling process, the first of its namespaces, files of its own.

    Args:
        shared: its folder in SHARED, which the grader sees, too; "" for none.
        scratch: bytes that each place which can be written to may take.
    """
    import fcntl  # Linux only, as all this is; the grader reads this file's names elsewhere, too

    mount(None, "/", None, MS_REC | MS_PRIVATE)
    if shared:
        mount(f"{SHARED}/{shared}", OWN, None, MS_BIND)
    mount("tmpfs", SHARED, "tmpfs", MS_NOSUID | MS_NODEV | MS_RDONLY, "size=4k")
    for folder in ("/tmp", HOME, "/dev/shm"):
        options = f"size={scratch},nr_inodes=20000,mode=0755"
        mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options)
    own_processes()
    os.mkdir(WORK)
    os.chdir(WORK)
    with socket.socket() as any_socket:
        request = struct.pack("16sh", b"lo", IFF_UP | IFF_RUNNING)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


def own_processes() -> None:
    """Show the process namespace's own processes in /proc, or none.

    Where a part of /proc is covered, as bubblewrap does it for root, Linux allows no new one.
    """
    flags = MS_NOSUID | MS_NODEV | MS_NOEXEC
    facts = {}
    for name in ("cpuinfo", "meminfo"):
        with open(f"/proc/{name}", encoding="utf-8") as file:
            facts[name] = file.read()
    try:
        mount("proc", "/proc", "proc", flags)
    except OSError:
        mount("tmpfs", "/proc", "tmpfs", flags, "size=1m")
        for name, text in facts.items():
            with open(f"/proc/{name}", "w", encoding="utf-8") as file:
                file.write(text)


def give_up_capabilities() -> None:
    """Drop all capabilities, for this process and whatever it starts."""
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    number = 0
    while _libc().prctl(PR_CAPBSET_DROP, number, 0, 0, 0) == 0:
        number += 1
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    _call("capset", header, bytes(24))
    _call("capget", header, held := ctypes.create_string_buffer(24))
    if any(held.raw):
        raise OSError("capabilities are left")


# System calls by machine: its architecture's number (see seccomp(2)), then the calls' numbers:
# add_key, request_key, keyctl; inotify_init1, inotify_add_watch, fanotify_init; fadvise64, mincore,
# preadv2, cachestat, io_uring_setup; and inotify_init, which is an old one.
REFUSED = {
    "x86_64": (0xC000003E, 248, 249, 250, 294, 254, 300, 221, 27, 327, 451, 425, 253),
    "aarch64": (0xC00000B7, 217, 218, 219, 26, 27, 262, 223, 232, 286, 451, 425),
}


def filter_of_calls() -> bytes:
    """Return what forbids system calls by which one student's Python could leave something.

    The kernel's keyrings belong to the user, whatever else a namespace separates. And all see the
    same files of the system: who is told when they are opened, or which parts of them are in
    memory, can be told anything. (See seccomp(2).) Raises OSError for a machine whose calls are
    not known.
    """
    if os.uname().machine not in REFUSED:
        raise OSError(errno.ENOSYS, f"the system calls of {os.uname().machine} are not known")
    architecture, *calls = REFUSED[os.uname().machine]
    load, equal, at_least, end = 0x20, 0x15, 0x35, 0x06
    allowed, refused = 0x7FFF0000, 0x00050000 | errno.EPERM
    steps = [
        (load, 0, 0, 4),  # the architecture that the call is of, which may be an older one
        (equal, 0, len(calls) + 3, architecture),
        (load, 0, 0, 0),  # the number of the call
        (at_least, len(calls) + 1, 0, 0x40000000),
        *((equal, len(calls) - index, 0, call) for index, call in enumerate(calls)),
        (end, 0, 0, allowed),
        (end, 0, 0, refused),
    ]
    return b"".join(struct.pack("HBBI", *step) for step in steps)


def give_up_calls() -> None:
    """Forbid this process, and whatever it starts, what the filter forbids."""
    steps = filter_of_calls()
    code = ctypes.create_string_buffer(steps)
    program = struct.pack("HP", len(steps) // struct.calcsize("HBBI"), ctypes.addressof(code))
    _call("prctl", PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(program), 0, 0)


def run_child(request: dict, pipes: list[int]) -> None:
    """Become a student's Python; never returns.

    `pipes` are the socket that says how the start went, and the one to the grader.
    """
    import resource

    code = 1
    os.setsid()  # signals to its process group would reach the parent, from any namespace
    try:
        report = socket.socket(fileno=pipes[0])
        try:
            if "place" in request:  # without a sandbox
                os.chdir(request["place"])
            else:
                isolate(request["folder"], request["scratch"])
                for kind, value in request["limits"].items():
                    resource.setrlimit(int(kind), (value, value))
                give_up_capabilities()
                give_up_calls()
        except BaseException as error:
            report.send(f"{type(error).__name__}: {error}".encode()[:1000])
            raise
        report.send(b"ready")  # the kernel adds who sent it
        report.close()
        os.dup2(pipes[1], PIPE, inheritable=True)
        os.closerange(PIPE + 1, 4096)
        if "env" in request:
            os.environ.clear()
            os.environ.update(request["env"])
        signal.signal(signal.SIGINT, signal.default_int_handler)
        exec(compile(request["code"], "<start>", "exec"), {"__name__": "__main__"})
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def fork(request: dict, pipes: list[int], control: socket.socket) -> None:
    """Start a child in namespaces of its own, which does not inherit `control`."""
    if os.fork() != 0:
        return
    # In between, a process that waits for the first one of the new process namespace.
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if "place" in request:
        run_child(request, pipes)
    try:
        _call("unshare", CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET)
        child = os.fork()
    except BaseException as error:
        os.write(pipes[0], f"{type(error).__name__}: {error}".encode()[:1000])
        os._exit(1)
    if child == 0:
        run_child(request, pipes)
    for number in pipes:
        os.close(number)
    os.waitpid(child, 0)
    os._exit(0)


def serve(control: socket.socket) -> None:
    """Fork a child for each request, until the grader is gone."""
    while True:
        data, pipes, _, _ = socket.recv_fds(control, LARGEST, 2)
        if not data:
            return
        fork(json.loads(data), pipes, control)
        for number in pipes:
            os.close(number)


def main(argv: list[str]) -> None:
    """Import the named modules, say so on the socket of this number, and serve."""
    control = socket.socket(fileno=int(argv[1]))
    for name in argv[2:]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that ended children vanish by themselves
    with open("/proc/self/status", encoding="utf-8") as file:
        threads = next(line.split()[1] for line in file if line.startswith("Threads:"))
    if threads != "1":  # a fork would take locks along that nobody could open
        control.send(f"the libraries have started {threads} threads".encode())
        return
    control.send(b"warm")
    serve(control)


if __name__ == "__main__":
    main(sys.argv)
