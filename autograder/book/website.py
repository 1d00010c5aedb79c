"""Make the rendered solutions in solutions/ a website, the book, with Sphinx and MyST-NB.

Nothing is executed: the notebooks carry their results. A warning of Sphinx is an error.
"""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from autograder.course import Course
from autograder.errors import CourseError

LINK = re.compile(r"(?<=\]\()(?!\w+:|[#<])([^)\s#]+)(#[^)\s]*)?(?=\))")
"""The target of a Markdown link that is a path: `[text](path#anchor)`."""

_MARKUP = re.compile(r"`[^`]*`|(\||\*(?=\S)|(?<=\w)_(?!\w))")

PAGES = {"CONTRIBUTING.md": "contributing.md", "STYLE_GUIDE.md": "style-guide.md"}
"""Documents of the repository that are pages of the book as well."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `book`."""
    help = "folder for the finished pages (default: _build/book)"
    parser.add_argument("--output", type=Path, help=help)


def run(args: argparse.Namespace) -> int:
    """Build the book and say where it is."""
    course = Course.find()
    page = build_book(course.solutions, args.output or course.book)
    print(f"The book is ready: open {page} in a browser.")
    return 0


def build_book(source: Path, output: Path) -> Path:
    """Build the pages of `source` (holding conf.py) into `output` and return the first page.

    Raises CourseError if Sphinx is missing or reports any warning or error.
    """
    for module in ("sphinx", "myst_nb", "sphinx_book_theme", "sphinx-mathjax-offline"):
        if importlib.util.find_spec(module) is None:
            raise CourseError(f'{module} is not installed; run: python -m pip install -e ".[book]"')
    if (output / "objects.inv").is_file():  # pages of an earlier build that are no more
        shutil.rmtree(output)
    doctrees = output.with_name(output.name + "-doctrees")
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "--fresh-env"]
    command += ["-d", str(doctrees), str(source), str(output)]
    if subprocess.run(command, check=False).returncode != 0:
        raise CourseError("the book was not built: mend what Sphinx reports above and run it again")
    return output / "index.html"


def escape_docstring(lines: list[str]) -> list[str]:
    """Return a docstring's lines in which reStructuredText finds no markup but `code` and lists.

    Our docstrings are plain text: |H|, *arguments and names_ stand for themselves in them.
    """
    return [
        _MARKUP.sub(lambda match: "\\" + match[1] if match[1] else match[0], line) for line in lines
    ]


def resolve_links(text: str, document: Path, course: Course) -> str:
    """Return Markdown text in which links to files outside the book lead to where they are online.

    A link in `document` to CONTRIBUTING.md or STYLE_GUIDE.md becomes one to that page of the book,
    one to another file or folder of the repository becomes an address below the public one. Links
    to what is in `solutions/` become relative to the page, which for a document from elsewhere
    stands right there; web addresses stay as they are.
    """
    inside = document.is_relative_to(course.solutions)
    page_folder = document.parent if inside else course.solutions

    def resolve(match: re.Match[str]) -> str:
        path, anchor = match[1], match[2] or ""
        target = Path(os.path.normpath(document.parent / path))
        if not target.is_relative_to(course.root):
            return match[0]
        name = target.relative_to(course.root).as_posix()
        if name in PAGES:
            target = course.solutions / PAGES[name]
        if target.is_relative_to(course.solutions):
            return Path(os.path.relpath(target, page_folder)).as_posix() + anchor
        kind = "tree" if target.is_dir() else "blob"
        return f"{course.repository_url}/{kind}/main/{name}{anchor}"

    return LINK.sub(resolve, text)
