"""Pythons without a sandbox: forked where that is safe, started ahead of need elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from autograder.sandbox.limits import Limits
from autograder.sandbox.pythons import PlainStarter, PlainWarmStarter, Starter, make_starter

LOOK = """
import json, os, socket, sys
address = {address!r}
if isinstance(address, int):
    grader = socket.socket(fileno=address)
else:
    grader = socket.create_connection(("127.0.0.1", address[0]))
    grader.sendall(address[1].encode())
seen = [os.getcwd(), os.environ.get("MINE"), os.environ.get("HOME"), "colorsys" in sys.modules]
grader.sendall(json.dumps([os.getpid(), *seen, sys.stdin.read()]).encode() + b"\\n")
{then}
"""
FOR_EVER = """
import subprocess, time
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
try:
    grader.sendall(b"%d\\n" % other.pid)
    time.sleep(1000)
except KeyboardInterrupt:
    grader.sendall(b"interrupted\\n")
time.sleep(1000)
"""
KINDS = [PlainStarter] + ([PlainWarmStarter] if sys.platform == "linux" else [])


@pytest.fixture(scope="module", params=KINDS)
def starter(request: pytest.FixtureRequest) -> Iterator[Starter]:
    with request.param(Limits(), modules=["colorsys", "no_such_module"], env={"MINE": "1"}) as made:
        yield made


@pytest.mark.slow
def test_each_has_the_modules_the_environment_and_its_folder(starter: Starter) -> None:
    pids = set()
    for folder in (starter.own_folder(), None, starter.own_folder()):
        channel = starter.channel()
        running = starter.start(LOOK.format(address=channel.address, then=""), channel, folder)
        with channel.connection(60).makefile() as file:
            pid, place, mine, home, imported, words = json.loads(file.readline())
        assert place == os.path.realpath(folder or starter.folder)
        assert (mine, home, imported, words) == ("1", os.environ.get("HOME"), True, "")
        pids.add(pid)
        running.end()
        channel.close()
    assert len(pids) == 3 and os.getpid() not in pids


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_one_is_interrupted_and_ends_with_all_that_it_has_started(starter: Starter) -> None:
    channel = starter.channel()
    running = starter.start(LOOK.format(address=channel.address, then=FOR_EVER), channel)
    with channel.connection(60).makefile() as file:
        pid = json.loads(file.readline())[0]
        other = psutil.Process(int(file.readline()))
        running.interrupt()
        assert file.readline() == "interrupted\n"
        assert running.alive()
        running.end()
    assert not running.alive()
    assert psutil.wait_procs([other], timeout=20)[1] == []
    end = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not psutil.pid_exists(pid)


@pytest.mark.slow
def test_nothing_is_left_when_a_starter_is_closed() -> None:
    for kind in KINDS:
        before = {process.pid for process in psutil.Process().children(recursive=True)}
        with kind(Limits()) as starter:
            channel = starter.channel()
            starter.start("import time; time.sleep(1000)", channel).end()
            channel.close()
            folder = starter.folder
        left = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
        assert psutil.wait_procs(left, timeout=20)[1] == [] and not folder.exists()


def test_what_starts_pythons_without_a_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform, forked, kind in (
        ("linux", True, PlainWarmStarter),
        ("linux", False, PlainStarter),
        ("darwin", True, PlainStarter),
        ("win32", True, PlainStarter),
    ):
        monkeypatch.setattr(sys, "platform", platform)
        with make_starter(Limits(), sandboxed=False, forked=forked) as starter:
            assert type(starter) is kind
