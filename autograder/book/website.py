"""Make the rendered solutions in solutions/ a website, the book, with Sphinx and MyST-NB.

Nothing is executed: the notebooks carry their results. What Sphinx reads is written beside the
finished pages: `solutions/` itself holds one notebook for each lesson, the book a page for each
section. A warning of Sphinx is an error.
"""

import argparse
import functools
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from autograder.book import sections
from autograder.book.finish import finish
from autograder.book.pages import present_lesson, without_badges
from autograder.course import Course
from autograder.errors import CourseError
from autograder.texts import write_text

LINK = re.compile(r"(?<=\]\()(?!\w+:|[#<])([^)\s#]+)(#[^)\s]*)?(?=\))")
"""The target of a Markdown link that is a path: `[text](path#anchor)`."""

_MARKUP = re.compile(r"`[^`]*`|(\||\*(?=\S)|(?<=\w)_(?!\w))")

_INCLUDED = re.compile(r"(?<=^```\{include\} )(\S+)$", re.MULTILINE)

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
    for module in ("sphinx", "myst_nb", "sphinx_book_theme"):
        if importlib.util.find_spec(module) is None:
            raise CourseError(f'{module} is not installed; run: python -m pip install -e ".[book]"')
    pages = output.with_name(output.name + "-pages")
    doctrees = output.with_name(output.name + "-doctrees")
    write_pages(Course.find(source), pages)
    if (output / "objects.inv").is_file():  # pages of an earlier build that are no more
        shutil.rmtree(output)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "--fresh-env"]
    command += ["-c", str(source), "-d", str(doctrees), str(pages), str(output)]
    if subprocess.run(command, check=False).returncode != 0:
        raise CourseError("the book was not built: mend what Sphinx reports above and run it again")
    finish(output, Course.find(source).book_url)
    return output / "index.html"


def write_pages(course: Course, folder: Path) -> None:
    """Write into `folder` what Sphinx makes pages of: texts, and each lesson's sections.

    Raises CourseError if a lesson's student notebook is missing or does not fit.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for path in sorted(course.solutions.rglob("*.md")):
        page = folder / path.relative_to(course.solutions)
        text = resolve_links(without_badges(path.read_text(encoding="utf-8")), path, course)
        included = functools.partial(_included, document=path, page=page)
        write_text(page, _INCLUDED.sub(included, text))
    for stem in course.lessons():
        sections.write_pages(present_lesson(stem, course, folder), stem, folder)


def _included(target: re.Match[str], document: Path, page: Path) -> str:
    """Return the path of what a document includes, as it is from the page made of it."""
    return Path(os.path.relpath((document.parent / target[1]).resolve(), page.parent)).as_posix()


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
