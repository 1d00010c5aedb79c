"""Where everything in a course folder is, and its public address."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from autograder.errors import CourseError

CONFIG_NAME = "nbgrader_config.py"
PACKAGE = Path(__file__).resolve().parent
"""The whole of this package; the sandbox hides it."""


@dataclass(frozen=True)
class Course:
    """A course folder: `root` holds `nbgrader_config.py` and `notebooks/`."""

    root: Path

    @classmethod
    def find(cls, start: Path | str | None = None) -> Course:
        """Return the course around `start` (default: the working directory).

        Walks up to the first folder that holds `nbgrader_config.py` and `notebooks/`; failing
        that, takes the folder that holds this package. Raises CourseError if neither is a course.
        """
        here = Path(start if start is not None else Path.cwd()).resolve()
        for folder in (here, *here.parents, PACKAGE.parent):
            if (folder / CONFIG_NAME).is_file() and (folder / "notebooks").is_dir():
                return cls(folder)
        raise CourseError(
            f"{here} is not inside a course: change to the folder that holds {CONFIG_NAME} "
            "and notebooks/, and run the command again"
        )

    @property
    def notebooks(self) -> Path:
        """Lesson texts, the one source of everything generated."""
        return self.root / "notebooks"

    @property
    def source(self) -> Path:
        """Generated instructor notebooks, with solutions and hidden tests."""
        return self.root / "source"

    @property
    def release(self) -> Path:
        """Generated student notebooks."""
        return self.root / "release"

    @property
    def solutions(self) -> Path:
        """Executed solutions, the pages of the book."""
        return self.root / "solutions"

    @property
    def submitted(self) -> Path:
        """What students hand in: `submitted/<student>/<lesson>/<lesson>.ipynb`."""
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        """Submissions after grading, with the outputs of all tests."""
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        """Feedback pages for students."""
        return self.root / "feedback"

    @property
    def reports(self) -> Path:
        """Reports on a class, for teachers."""
        return self.root / "reports"

    @property
    def data(self) -> Path:
        """Cache of data sets (not committed)."""
        return self.root / "data"

    def results_table(self, name: str) -> Path:
        """A table that a benchmark has written, for `{{measured name}}` in a lesson."""
        return self.data / "results" / f"{name}.md"

    def network(self, name: str) -> Path:
        """The weights of a network that we have trained, for `{{sha256 name}}` in a lesson."""
        return self.data / "networks" / f"{name}.pt"

    @property
    def book(self) -> Path:
        """The built book."""
        return self.root / "_build" / "book"

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
        repository = urlsplit(self.repository_url).path
        return (
            "https://colab.research.google.com/github"
            f"{repository}/blob/main/release/{stem}/{stem}.ipynb"
        )
