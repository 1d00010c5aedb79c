"""The class report: what it says, for classes of any size, and that it is harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from browser import launch, visit
from bs4 import BeautifulSoup
from conftest import ROOT, TINY
from markupsafe import Markup

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.grade import grade_lesson
from autograder.lesson import Lesson
from autograder.marks.gradebook import Mark, open_api
from autograder.marks.records import Record
from autograder.marks.results import Result
from autograder.pages import plots
from autograder.pages.feedback import feedback_page
from autograder.pages.report import report_page, similar_pairs
from autograder.pages.similar import Pair
from autograder.pages.survey import Survey, lateness, read_graded, survey, verdicts
from autograder.submissions.made import BROKEN_JSON, fill_in, mistake, write_submission
from autograder.submissions.reading import read_notebook

PATH = ROOT / "tests" / "lessons" / f"{TINY}.py"
LESSON = Lesson.parse(PATH.read_text(encoding="utf-8"), PATH, Course(ROOT))
DAY = datetime(2026, 10, 5, 12, tzinfo=UTC)
HOSTILE = "<img src=x onerror=\"ran('name')\">"
TESTED = [exercise for exercise in LESSON.exercises if not exercise.manual]
NAMES = {"double": ("positive numbers", "negative numbers"), "inverse": ("all numbers",)}
NAMES["evens"] = ("a short list",)


def output(exercise, wrong: Mapping[str, str], before: str = "") -> dict:
    """Return what a tests cell puts out: a report in which these properties fail, and why."""
    lines = [f"Hidden tests of {exercise.label}, {exercise.title}:"]
    for name in NAMES[exercise.id]:
        sign = "✗" if name in wrong else "✓"
        lines += [f"{sign} {name} ({'0' if name in wrong else '1'} of 1)"]
        lines += [f"    {line}" for line in wrong.get(name, "").split("\n") if line]
    text = before + "\n".join(lines) + "\n"
    return {"output_type": "stream", "name": "stdout", "text": [text]}


def notebook(wrong: Mapping[str, str] | None = None, before: str = "", code: str = "x = 1") -> dict:
    """Return a graded notebook as JSON."""
    cells = [
        {
            "cell_type": "code",
            "source": "assert True",
            "metadata": {"nbgrader": {"grade_id": exercise.test_cell_id}},
            "outputs": [output(exercise, wrong or {}, before)],
        }
        for exercise in TESTED
    ]
    answers = {exercise.answer_cell_id for exercise in TESTED}
    cells += [
        {
            "cell_type": "code",
            "source": code.split("\n") if not code.count("\n") else code,
            "metadata": {"nbgrader": {"grade_id": name}},
            "outputs": [],
        }
        for name in sorted(answers)
    ]
    return {"cells": cells, "metadata": {}}


def result(student: str, score: float = 1, *, open_: bool = False, **more) -> Result:
    """Return a result in which each exercise has `score` points."""
    marks = {ex.test_cell_id: Mark(score, score, False) for ex in TESTED}
    marks["why-answer"] = Mark(None, 0, open_)
    values = {"notes": [], "problem": None} | more
    return Result(student, TINY, LESSON.exercises, marks, values["notes"], values["problem"], 1)


def record(seconds: float = 1, **more) -> Record:
    return Record("", "", "1", 1, "", DAY.isoformat(), seconds, **more)


def made(results: list[Result], notebooks=None, records=None, late=None) -> Survey:
    """Return a survey of these results."""
    names = [one.student for one in results]
    return Survey(
        LESSON,
        results,
        records if records is not None else {name: record() for name in names},
        notebooks if notebooks is not None else {name: notebook() for name in names},
        late or {},
    )


def page(found: Survey, pairs: list[Pair] | None = None, root: Path = Path("nowhere")) -> str:
    course = Course(root)
    return report_page(course, found, course.reports / "page.html", pairs, DAY)


def text_of(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())


# ------------------------------------------------------------------------------- properties


def test_the_last_report_counts_whatever_a_submission_prints() -> None:
    exercise = TESTED[0]
    fake = f"Hidden tests of {exercise.label}, {exercise.title}:\n✓ negative numbers (1 of 1)\n"
    found = verdicts(notebook({"negative numbers": "expected -8,\ngot 8"}, fake), exercise)
    assert [(one.name, one.holds) for one in found] == [
        ("positive numbers", True),
        ("negative numbers", False),
    ]
    assert found[1].message == "expected -8, got 8"


def test_names_of_code_look_like_code() -> None:
    one = notebook({"negative numbers": "`shift` <b>is</b> not defined"})
    html = page(made([result("ada")], {"ada": one}))
    assert "<code>shift</code> &lt;b&gt;is&lt;/b&gt; not defined" in html
    assert "`shift`" not in html


def test_properties_are_counted_and_the_same_mistake_is_one() -> None:
    wrong = [
        {"negative numbers": "expected -8, got 8"},
        {"negative numbers": "expected -3, got 3.5"},
        {"negative numbers": "✎ Exercise 1 is waiting for you"},
        {"negative numbers": "something else"},
        {},
    ]
    names = "abcde"
    notebooks = {name: notebook(one) for name, one in zip(names, wrong, strict=True)}
    found = made([result(name) for name in names], notebooks)
    by_name = {item.name: item for item in found.properties}
    item = by_name["negative numbers"]
    assert (item.held, item.wrong, item.open, item.tried) == (1, 3, 1, 5)
    assert item.message == "expected -8, got 8"
    assert by_name["positive numbers"].failed == 0
    shown = text_of(page(found))
    assert "Exercise 1 · negative numbers expected -8, got 8 3 1 5" in shown
    assert "positive numbers" not in shown


def test_a_lesson_without_named_properties_says_so() -> None:
    found = made([result("ada"), result("ben")], {"ada": {"cells": []}, "ben": {"cells": []}})
    assert "The tests of this lesson name no properties." in text_of(page(found))
    assert "Every property holds" in text_of(page(made([result("ada"), result("ben")])))


# ---------------------------------------------------------------------- sizes of a class, looks


def test_a_class_of_one_has_no_distribution() -> None:
    html = page(made([result("ada")]))
    assert "<svg" not in html
    assert "There is one graded submission." in text_of(html)
    assert "Nobody: all submissions were graded" in text_of(html)


def test_a_class_in_which_nothing_could_be_graded() -> None:
    broken = [result(name, problem="the file is cut off") for name in ("ada", "ben")]
    html = page(made(broken, {}), [])
    assert "<svg" not in html and "No submission could be graded" in text_of(html)
    assert text_of(html).count("Not graded. The file is cut off.") == 2


def test_points_come_from_the_tests_until_all_is_marked() -> None:
    waiting = text_of(page(made([result("ada", open_=True), result("ben")])))
    assert "points from tests, in the middle of the class 3 of 6" in waiting
    assert "1 written answer waits for a mark" in waiting
    done = text_of(page(made([result("ada"), result("ben")])))
    assert "points, in the middle of the class 3 of 8" in done


def test_who_needs_a_look_and_who_was_slow() -> None:
    changed = result("cleo")
    changed.marks["evens-test"] = Mark(0, 1, False)
    results = [
        result("ada", notes=["The cell double took too long and was stopped."]),
        result("ben"),
        changed,
        result("dan", problem="the file is cut off"),
        result("emmy"),
    ]
    records = {
        "ada": record(61, limits=["time of the cell double"]),
        "ben": record(5, limits=["memory"]),
        "cleo": record(2),
        "dan": record(90, problem="the file is cut off"),
        "emmy": record(3),
    }
    found = made(results, records=records, late={"emmy": 3 * 3600})
    looks = {look.student: list(look.reasons) for look in found.looks}
    assert looks == {
        "dan": ["The file is cut off."],
        "ada": ["The cell double took too long and was stopped."],
        "ben": ["A limit was hit: memory."],
        "cleo": ["A person has changed the tests' points of Exercise 3."],
        "emmy": ["Handed in 3 hours late."],
    }
    assert list(looks)[0] == "dan"
    assert [name for name, _ in found.slowest] == ["ada", "ben", "emmy", "cleo"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "1 minute"), (150, "2 minutes"), (7199, "120 minutes"), (7200, "2 hours")]
    + [(50 * 3600, "2 days"), (47 * 3600, "47 hours")],
)
def test_lateness(seconds: float, said: str) -> None:
    assert lateness(seconds) == said


# --------------------------------------------------------------------------------------- figures


def test_figures_have_texts_and_the_page_s_colours() -> None:
    found = made([result("ada", 0), result("ben", 1), result("cleo", 3)])
    soup = BeautifulSoup(page(found), "html.parser")
    figures = soup.select("figure > svg[role=img]")
    assert len(figures) == 2
    histogram, by_exercise = (figure["aria-label"] for figure in figures)
    assert "1 submission from 0 to 1; 1 submission from 3 to 4" in histogram
    assert "1 no points, 1 less than half, 0 half or more, 1 all points" in by_exercise
    for figure in figures:
        texts = [text.get_text() for text in figure.find_all("text")]
        assert "submissions" in texts and len(texts) > 5
        assert figure.find("metadata") is None
        assert not [code for code in plots.COLOURS if code in str(figure)]
    assert "xlink" not in page(found)


def test_two_figures_share_no_id() -> None:
    soup = BeautifulSoup(page(made([result("ada"), result("ben", 0)])), "html.parser")
    ids = [tag["id"] for tag in soup.select("svg [id]") if tag.name in ("clippath", "path")]
    assert len(ids) == len(set(ids))


def test_a_histogram_counts_everybody() -> None:
    figure = plots.histogram([0, 2.5, 30, 30, 31, -1], 30, "Points", "points")
    label = BeautifulSoup(figure, "html.parser").svg["aria-label"]
    assert sum(int(count) for count in re.findall(r"(\d+) submission", label)) == 6
    assert isinstance(figure, Markup)


# ------------------------------------------------------------------------------------- harmless


def hostile() -> str:
    """Return a page about students whose names, code and messages are attacks."""
    wrong = {"negative numbers": f"got {HOSTILE} </script>$x$ {{{{ 7 * 7 }}}}"}
    notebooks = {
        name: notebook(wrong, f"{HOSTILE}\n", f"x = '''{HOSTILE}</pre></details>'''")
        for name in (HOSTILE, "ben")
    }
    results = [result(HOSTILE, notes=[f"The cell {HOSTILE} is odd."]), result("ben", 0)]
    records = {name: record(limits=[HOSTILE]) for name in notebooks}
    pair = Pair(HOSTILE, "ben", 0.9, {"numbers": 12, "": 3})
    return page(made(results, notebooks, records, {HOSTILE: 1e5}), [pair])


def test_what_students_write_is_escaped() -> None:
    html = hostile()
    assert "<img" not in html and "<script" not in html and "</pre></details>'''" not in html
    assert html.count("&lt;img") >= 6
    assert "49" not in re.sub(r"<svg.*?</svg>|<style.*?</style>", "", html, flags=re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(scheme: str) -> None:
    """Nothing runs or is loaded, and nothing has to be scrolled sideways on a phone."""
    html = hostile()
    assert "default-src 'none'" in html
    with launch() as browser:
        seen = visit(browser, html, color_scheme=scheme)
        assert (seen.ran, seen.requests, seen.dialogs) == ([], [], [])
        for width in (360, 1280):
            shown = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
            shown.set_content(html)
            shown.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            colours = shown.evaluate(
                """() => [...document.querySelectorAll("svg.plot text")].map(
                    text => getComputedStyle(text).fill)"""
            )
            ink = {"light": "rgb(27, 36, 48)", "dark": "rgb(230, 233, 239)"}
            assert ink[scheme] in colours
            shown.close()


def test_pairs_are_places_to_look_and_show_both() -> None:
    found = made([result("ada"), result("ben")])
    shown = text_of(page(found, [Pair("ada", "ben", 0.83, {"numbers": 12})]))
    assert "Places to look, not a verdict." in shown
    assert "83 % · ada and ben Exercise 1, Exercise 2 ada x = 1 ben x = 1" in shown
    assert "No two submissions share much code" in text_of(page(found, []))
    assert "Places to look" not in text_of(page(found))


# ------------------------------------------------------------------------------------ the command


def test_an_empty_class_gets_a_sentence(
    built_course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(built_course.root)
    assert cli.main(["report"]) == 1
    assert "nobody has handed in 00_tiny yet" in capsys.readouterr().err
    release = read_notebook(built_course.release_notebook(TINY))
    write_submission(built_course, "ada", TINY, release)
    assert cli.main(["report"]) == 1
    assert "run `python -m autograder grade`" in capsys.readouterr().err
    assert not (built_course.root / "gradebook.db").exists()
    open_api(built_course).gradebook.close()
    assert cli.main(["report"]) == 1
    assert "00_tiny: no submission is graded yet" in capsys.readouterr().out
    assert not built_course.reports.exists()


@pytest.mark.slow
def test_a_report_on_a_graded_class(
    built_course: Course, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    lesson = Lesson.load(built_course.lesson_path(TINY))
    release = read_notebook(built_course.release_notebook(TINY))
    answers = {
        "ada": fill_in(release, lesson),
        "ben": fill_in(release, lesson, mistake(lesson, "numbers", "2 * a", "3 * a")),
        "cleo": BROKEN_JSON,
    }
    for student, content in answers.items():
        write_submission(built_course, student, TINY, content)
    grade_lesson(built_course, TINY)
    monkeypatch.chdir(built_course.root)
    assert cli.main(["report", "--similar"]) == 0
    out = capsys.readouterr().out
    path = built_course.reports / f"{TINY}.html"
    assert "2 of 3 submissions graded, 2 written answers to mark, 1 to look at" in out
    assert str(path) in out
    soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
    links = {link.text: link["href"] for link in soup.find_all("a")}
    assert set(links) == {"ada", "ben", "cleo"}
    for student, target in links.items():
        page_ = feedback_page(built_course, TINY, student)
        assert (path.parent / target).resolve() == page_.resolve()
    assert cli.main(["report", "--output", "mine.html"]) == 0
    assert (built_course.root / "mine.html").is_file()

    found = survey(open_api(built_course), built_course, lesson, ["ada", "ben"])
    assert set(found.notebooks) == {"ada", "ben"} and similar_pairs(found) == []
    broken = built_course.autograded / "ada" / TINY / f"{TINY}.ipynb"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(CourseError, match="grade it again"):
        read_graded(broken)
