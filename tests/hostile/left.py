"""What an attack may leave behind: files, processes, and what runs in a page."""

from __future__ import annotations

import contextlib
import os
import sys
from html.parser import HTMLParser
from pathlib import Path

import psutil


def planted() -> set[str]:
    """Return files of attacks that stand where they would have an effect."""
    found = set()
    for folder in [Path.home() / ".ipython", *map(Path, ("/tmp", *sys.path, "/usr/bin"))]:
        for pattern in ("planted*", "sitecustomize.py", "hoard-*"):
            found |= {str(path) for path in folder.glob(pattern)}
    startup = Path.home() / ".ipython" / "profile_default" / "startup"
    return found | {str(path) for path in startup.glob("*.py")}


def strays() -> set[int]:
    """Return the processes that descend from this one, or from a sandbox nobody waits for."""
    found = set()
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            # multiprocessing keeps a process of its own until the end.
            if "resource_tracker" not in " ".join(child.cmdline()):
                found.add(child.pid)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            outside = [one for one in process.parents() if not _in_sandbox(one.pid)]
            if _in_sandbox(process.pid) and [one.pid for one in outside] == [1]:
                found.add(process.pid)
    return found


def _in_sandbox(pid: int) -> bool:
    """Whether a process is in another process namespace than this one."""
    return os.stat(f"/proc/{pid}/ns/pid").st_ino != os.stat("/proc/self/ns/pid").st_ino


class Page(HTMLParser):
    """Collects what could run in a page."""

    ACTIVE = {"script", "iframe", "object", "embed", "applet", "base", "form", "frame", "portal"}
    LINKS = {"href", "src", "xlink:href", "action", "formaction", "data", "srcdoc", "poster"}

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.active: set[str] = set()
        self.inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note elements that run something, and attributes that do."""
        if tag in self.ACTIVE or (tag == "meta" and "http-equiv" in dict(attrs)):
            self.active.add(f"<{tag} {sorted(map(str, attrs))}>")
        for name, value in attrs:
            scheme = "".join((value or "").split()).lower().partition(":")[0]
            if name.startswith("on") or name == "srcdoc":
                self.active.add(f"<{tag} {name}={value}>")
            elif name in self.LINKS and scheme in ("javascript", "vbscript", "data"):
                picture = "".join((value or "").split()).lower().startswith("data:image/")
                if not (tag == "img" and picture):
                    self.active.add(f"<{tag} {name}={value}>")
        self.inside = tag

    def handle_data(self, data: str) -> None:
        """Note what scripts hold."""
        if self.inside == "script":
            self.active.add(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave the element."""
        self.inside = ""
