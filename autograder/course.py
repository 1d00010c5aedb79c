"""Where everything in a course folder is, and its public address."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from autograder.errors import CourseError

CONFIG_NAME = "nbgrader_config.py"
PACKAGE = Path(__file__).resolve().parent
"""The whole of this package; the sandbox hides it."""


@dataclass
class Course:
    """A course folder: `root` holds `nbgrader_config.py` and `notebooks/`.

    data: data sets, which are not committed, and what our trainings have given, which is.
    """

    root: Path

    def __post_init__(self) -> None:
        self.notebooks = self.root / "notebooks"  # lesson texts, of which all else is generated
        self.pictures = self.notebooks / "pictures"  # of the texts: what draws them, and the PNGs
        self.source = self.root / "source"  # instructor notebooks, with solutions and hidden tests
        self.release = self.root / "release"  # student notebooks
        self.solutions = self.root / "solutions"  # executed solutions, the pages of the book
        self.submitted = self.root / "submitted"  # <student>/<lesson>/<lesson>.ipynb, as handed in
        self.autograded = self.root / "autograded"  # the same after grading, with all outputs
        self.feedback = self.root / "feedback"  # pages for students
        self.reports = self.root / "reports"  # on a class, for teachers
        self.data = self.root / "data"
        self.book = self.root / "_build" / "book"  # as it was built

    @classmethod
    def find(cls, start: Path | str | None = None) -> Course:
        """Return the course around `start` (default: the working directory), else this package's.

        Raises CourseError if there is neither.
        """
        here = Path(start if start is not None else Path.cwd()).resolve()
        for folder in (here, *here.parents, PACKAGE.parent):
            if (folder / CONFIG_NAME).is_file() and (folder / "notebooks").is_dir():
                return cls(folder)
        raise CourseError(
            f"{here} is not inside a course: change to the folder that holds {CONFIG_NAME} "
            "and notebooks/, and run the command again"
        )

    def results_table(self, name: str) -> Path:
        """A table that a benchmark has written, for `{{measured name}}` in a lesson."""
        return self.data / "results" / f"{name}.md"

    def network(self, name: str) -> Path:
        """The weights of a network that we have trained, for `{{sha256 name}}` in a lesson."""
        return self.data / "networks" / f"{name}.pt"

    @property
    def turning(self) -> Path:
        """What the networks say of the home page's digits at every angle."""
        return self.data / "results" / "turn.json"

    def data_folder(self) -> Path:
        """Folder of the data sets: what COURSE_DATA names, else the course's own."""
        return Path(os.environ.get("COURSE_DATA") or self.data).resolve()

    def lesson_path(self, stem: str) -> Path:
        """Path of a lesson's text."""
        return self.notebooks / f"{stem}.py"

    def source_notebook(self, stem: str) -> Path:
        """Path of a lesson's instructor notebook."""
        return self.source / stem / f"{stem}.ipynb"

    def release_notebook(self, stem: str) -> Path:
        """Path of a lesson's student notebook."""
        return self.release / stem / f"{stem}.ipynb"

    def solutions_notebook(self, stem: str) -> Path:
        """Path of a lesson's executed solutions."""
        return self.solutions / f"{stem}.ipynb"

    def submitted_notebook(self, student: str, stem: str) -> Path:
        """Path of what `student` handed in for a lesson."""
        return self.submitted / student / stem / f"{stem}.ipynb"

    def autograded_notebook(self, student: str, stem: str) -> Path:
        """Path of the executed copy of a submission, where nbgrader expects it."""
        return self.autograded / student / stem / f"{stem}.ipynb"

    def lessons(self) -> list[str]:
        """Return the stems of all lessons in order."""
        return sorted(
            path.stem for path in self.notebooks.glob("*.py") if not path.name.startswith("_")
        )

    def known_lesson(self, stem: str) -> str:
        """Return `stem`; raise CourseError naming the known lessons if there is no such lesson."""
        if stem not in self.lessons():
            known = ", ".join(self.lessons()) or "none yet"
            raise CourseError(f"no lesson is called {stem!r}; the lessons are: {known}")
        return stem

    @property
    def repository_url(self) -> str:
        """The repository's public address, from `[project.urls] Repository` in pyproject.toml.

        Raises CourseError if it does not stand there.
        """
        url = self._setting("project", "urls", "Repository", what="the repository's address")
        return url.rstrip("/").removesuffix(".git")

    @property
    def edition(self) -> str:
        """The edition of the course, such as 2026.1, from `[tool.course] edition`.

        Raises CourseError if it does not stand there.
        """
        return self._setting("tool", "course", "edition", what="the edition of the course")

    @property
    def timezone(self) -> str:
        """The zone of times that say none, from `[tool.course] timezone`; "" if not named."""
        try:
            return self._setting("tool", "course", "timezone", what="the time zone").strip()
        except CourseError:
            return ""

    @property
    def class_list(self) -> Path:
        """The table of who takes the course, which a teacher edits; not committed."""
        return self.root / "class.csv"

    @property
    def edition_url(self) -> str:
        """Address of the repository's files as they are in this edition, by its tag."""
        return f"{self.repository_url}/raw/v{self.edition}"

    def _setting(self, *keys: str, what: str) -> str:
        path = self.root / "pyproject.toml"
        try:
            value = tomllib.loads(path.read_text(encoding="utf-8"))
            for key in keys:
                value = value[key]
            return str(value)
        except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
            raise CourseError(
                f"{path}: give {what} as `{keys[-1]}` under [{'.'.join(keys[:-1])}]"
            ) from error

    @property
    def book_url(self) -> str:
        """Address of the published book (GitHub Pages of the repository)."""
        owner, name = urlsplit(self.repository_url).path.strip("/").split("/")
        return f"https://{owner}.github.io/{name}/"

    def colab_url(self, stem: str) -> str:
        """Address that opens a lesson's student notebook in Colab."""
        repository = f"https://colab.research.google.com/github{urlsplit(self.repository_url).path}"
        return f"{repository}/blob/main/release/{stem}/{stem}.ipynb"
