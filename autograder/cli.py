"""The command line: `python -m autograder COMMAND`, also installed as `gcnn-course`."""

from __future__ import annotations

import argparse
import ast
import importlib
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

from autograder.course import PACKAGE
from autograder.errors import CourseError

# Where each command stands. Its module explains it, declares its arguments and runs it.
COMMANDS = {
    "new": "build.new",
    "build": "build.command",
    "train": "book.train",
    "render": "book.render",
    "book": "book.website",
    "class": "exchange.members",
    "collect": "exchange.collect",
    "grade": "grading.grade",
    "mark": "pages.marking",
    "feedback": "pages.feedback",
    "export": "exchange.export",
    "report": "pages.report",
    "check": "submissions.check",
    "demo": "demo",
    "env": "env",
}
DESCRIPTION = "Build the course's notebooks, grade submissions, and make the book."
EPILOG = """Each command explains itself: python -m autograder build --help

authors:      new, build, train, render, book
instructors:  class, collect, grade, mark, feedback, export, report, demo
students:     check, env
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 1 after an error, 2 for wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a letter shows another in its place instead of failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        args = _make_parser(words).parse_args(words)
        return args.run(args)
    except CourseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the module of the command that is named is imported.

    The others, some of which take seconds, are read for their first line alone; and so is the one
    that is named if it shall only explain itself.
    """
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m autograder",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=layout,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        text = _docstring(name)
        command = commands.add_parser(
            name, help=text.split("\n")[0], description=text, formatter_class=layout
        )
        if name in words[:1] and not {"-h", "--help"}.isdisjoint(words):
            _declaration(name)(command)
        elif name in words[:1]:
            module = _import(name)
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def _import(name: str) -> ModuleType:
    """Return a command's module; raise CourseError if a package that it needs is not there."""
    try:
        return importlib.import_module(f"autograder.{COMMANDS[name]}")
    except ModuleNotFoundError as error:
        raise CourseError(
            f"this Python has no package {error.name} ({sys.executable}): activate the course's "
            "environment .venv, or run in the course's folder: python tasks.py env"
        ) from error


def _tree(name: str) -> ast.Module:
    path = PACKAGE / f"{COMMANDS[name].replace('.', '/')}.py"
    return ast.parse(path.read_text(encoding="utf-8"))


def _docstring(name: str) -> str:
    """Return what a command's module says of itself."""
    return ast.get_docstring(_tree(name)) or ""


def _declaration(name: str) -> Callable[[argparse.ArgumentParser], None]:
    """Return a command's add_arguments, run with no more of its module than it needs.

    Importing all of a module that grades takes seconds, for PyTorch and nbgrader.
    """
    tree, needed, chosen = _tree(name), {"annotations", "add_arguments"}, set[int]()
    for _ in tree.body:  # as often as a name can lead to another
        for at, node in enumerate(tree.body):
            if at not in chosen and needed & set(_defined(node)):
                chosen.add(at)
                inside = [] if isinstance(node, ast.Import | ast.ImportFrom) else ast.walk(node)
                needed |= {item.id for item in inside if isinstance(item, ast.Name)}
    body = [node for at, node in enumerate(tree.body) if at in chosen]
    for node in body:
        if isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if (alias.asname or alias.name) in needed]
    space: dict[str, Any] = {}
    exec(compile(ast.Module(body, []), COMMANDS[name], "exec"), space)
    return space["add_arguments"]


def _defined(node: ast.stmt) -> list[str]:
    """Return the names that a statement of a module defines."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]
