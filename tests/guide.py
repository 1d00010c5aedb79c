"""Read a guide in Markdown and do what it says.

What a fenced block says is done in the order of the page:

- `console`: lines that begin with `$ ` are commands, the lines below one are what it prints. `…`
  stands for anything, alone in its line for any number of lines.
- a `{code-block}` with a `:caption:`, the path of a file: `diff` changes lines of it, anything else
  is a line for it, in the place of the one that sets the same name, or at its end.
- `python` without a caption: a script.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(
    r"^```(\{code-block\} )?(\w+)\n(:caption: ([^\n]+)\n\n?)?(.*?)^```$", re.M | re.S
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, the file it changes ("" if none), its text, and its section."""

    kind: str
    file: str
    text: str
    section: str


@dataclass(frozen=True)
class Command:
    """A command and what the page says that it prints; "" if nothing."""

    words: tuple[str, ...]
    output: str


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page; `section` is the heading of second order above them."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        headings = re.findall(r"^## (.+)$", text[: match.start()], re.MULTILINE)
        section = headings[-1] if headings else ""
        found.append(Block(match[2], match[4] or "", match[5], section))
    return found


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a block, each with its output."""
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)
    assert not parts[0].strip(), f"output without a command: {parts[0]!r}"
    for part in parts[1:]:
        line, _, output = part.partition("\n")
        yield Command(tuple(shlex.split(line)), output.strip("\n"))


class Reader:
    """Somebody who follows a guide; `folder` is where they are, `env` their environment."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder, self.env = folder, dict(env)
        self.done: list[str] = []

    def follow(self, block: Block) -> None:
        """Do what a block says; AssertionError if it does not work as the page says."""
        if block.kind == "console":
            for command in commands(block):
                self.run(command)
        elif block.kind == "diff":
            change(self.folder / block.file, block.text)
        elif block.file:
            put_line(self.folder / block.file, block.text)
        else:
            assert block.kind == "python", block
            self.run(Command(("python", "-c", block.text), ""))

    def run(self, command: Command) -> None:
        """Run a command and compare what it prints."""
        first, *rest = command.words
        if first == "cd":
            self.folder = self.folder / rest[0]
            assert self.folder.is_dir()
            return
        own = {"python": [sys.executable], "nbgrader": [sys.executable, "-m", "nbgrader"]}
        done = subprocess.run(
            [*own.get(first, [first]), *rest],
            cwd=self.folder,
            env=os.environ | self.env,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        shown = " ".join(command.words)
        self.done.append(shown)
        print(f"$ {shown}\n{done.stdout}")
        assert done.returncode == 0, f"$ {shown}\n{done.stdout}\n{done.stderr}"
        if command.output:
            said = "\n".join(line.rstrip() for line in done.stdout.split("\n")).strip("\n")
            assert agrees(said, command.output), f"$ {shown}\n{said}"


def agrees(said: str, output: str) -> bool:
    """Return whether a command has said what stands on the page as its output."""
    pattern = "".join(
        r"(?:.*\n)*?"
        if line.strip() == "…"
        else ".*".join(map(re.escape, line.rstrip().split("…"))) + "\n"
        for line in output.split("\n")
    )
    return re.fullmatch(pattern, f"{said}\n") is not None


def change(path: Path, diff: str) -> None:
    """Replace the lines that begin with a minus, which stand in the file once, by those with +."""
    text = path.read_text(encoding="utf-8")
    lines = [line for line in diff.split("\n") if line]
    old = "".join(f"{line[1:]}\n" for line in lines if line[0] in " -")
    new = "".join(f"{line[1:]}\n" for line in lines if line[0] in " +")
    assert text.count(old) == 1, f"{path}: the guide's lines are not there once:\n{old}"
    path.write_text(text.replace(old, new), encoding="utf-8", newline="\n")


def put_line(path: Path, line: str) -> None:
    """Put a line `name = value` in the place of the one for that name, or at the file's end."""
    text = path.read_text(encoding="utf-8")
    name = line.partition("=")[0].strip()
    new, count = re.subn(rf"^{re.escape(name)} *=.*\n", lambda match: line, text, flags=re.M)
    path.write_text(new if count else f"{text}\n{line}", encoding="utf-8", newline="\n")
