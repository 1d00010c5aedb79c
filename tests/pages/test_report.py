"""The class report: what it says, for classes of any size, and that it is harmless."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from browser import launch, visit
from bs4 import BeautifulSoup
from conftest import ROOT, TINY
from made import mistake
from nbformat import NotebookNode
from pages.contrast import contrast

from autograder import cli
from autograder.course import Course
from autograder.errors import CourseError
from autograder.grading.grade import grade_lesson
from autograder.lesson import Lesson
from autograder.marks.gradebook import Mark, open_api
from autograder.marks.records import Record
from autograder.marks.results import Result
from autograder.pages.feedback import feedback_page
from autograder.pages.report import histogram, report_page, similar_pairs
from autograder.pages.similar import SimilarPair
from autograder.pages.survey import Survey, lateness, read_graded, survey_class, verdicts
from autograder.submissions.made import BROKEN_JSON, fill_in, write_submission
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


def survey_of(results: list[Result], notebooks=None, records=None, late=None) -> Survey:
    """Return a survey of these results."""
    names = [result.student for result in results]
    return Survey(
        LESSON,
        results,
        records if records is not None else {name: record() for name in names},
        notebooks if notebooks is not None else {name: notebook() for name in names},
        late or {},
    )


def page(
    survey: Survey, pairs: list[SimilarPair] | None = None, root: Path = Path("nowhere")
) -> str:
    course = Course(root)
    return report_page(course, survey, course.reports / "page.html", pairs, DAY)


def text_of(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())


# ------------------------------------------------------------------------------- properties


def test_the_last_report_counts_whatever_a_submission_prints() -> None:
    exercise = TESTED[0]
    fake = f"Hidden tests of {exercise.label}, {exercise.title}:\n✓ negative numbers (1 of 1)\n"
    first, second = verdicts(notebook({"negative numbers": "expected -8,\ngot 8"}, fake), exercise)
    assert [(verdict.name, verdict.holds) for verdict in (first, second)] == [
        ("positive numbers", True),
        ("negative numbers", False),
    ]
    assert second.message == "expected -8, got 8"


def test_names_of_code_look_like_code() -> None:
    failing = notebook({"negative numbers": "`shift` <b>is</b> not defined"})
    html = page(survey_of([result("ada")], {"ada": failing}))
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
    notebooks = {name: notebook(reasons) for name, reasons in zip(names, wrong, strict=True)}
    survey = survey_of([result(name) for name in names], notebooks)
    by_name = {item.name: item for item in survey.properties}
    item = by_name["negative numbers"]
    assert (item.held, item.wrong, item.open, item.tried) == (1, 3, 1, 5)
    assert item.message == "expected -8, got 8"
    assert by_name["positive numbers"].failed == 0
    shown = text_of(page(survey))
    assert "Exercise 1 · negative numbers expected -8, got 8 3 1 5" in shown
    assert "positive numbers" not in shown


def test_a_lesson_without_named_properties_says_so() -> None:
    survey = survey_of([result("ada"), result("ben")], {"ada": {"cells": []}, "ben": {"cells": []}})
    assert "The tests of this lesson name no properties." in text_of(page(survey))
    assert "Every property holds" in text_of(page(survey_of([result("ada"), result("ben")])))


# ---------------------------------------------------------------------- sizes of a class, looks


def test_a_class_of_one_has_no_distribution() -> None:
    html = page(survey_of([result("ada")]))
    assert "<figure" not in html
    assert "There is one graded submission." in text_of(html)
    assert "Nobody: all submissions were graded" in text_of(html)


def test_a_class_in_which_nothing_could_be_graded() -> None:
    broken = [result(name, problem="the file is cut off") for name in ("ada", "ben")]
    html = page(survey_of(broken, {}), [])
    assert "<figure" not in html and "No submission could be graded" in text_of(html)
    assert text_of(html).count("Not graded. The file is cut off.") == 2


def test_points_come_from_the_tests_until_all_is_marked() -> None:
    waiting = text_of(page(survey_of([result("ada", open_=True), result("ben")])))
    assert "points from tests, in the middle of the class 3 of 6" in waiting
    assert "1 written answer waits for a mark" in waiting
    done = text_of(page(survey_of([result("ada"), result("ben")])))
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
    survey = survey_of(results, records=records, late={"emmy": 3 * 3600})
    looks = {look.student: list(look.reasons) for look in survey.looks}
    assert looks == {
        "dan": ["The file is cut off."],
        "ada": ["The cell double took too long and was stopped."],
        "ben": ["A limit was hit: memory."],
        "cleo": ["A person has changed the tests' points of Exercise 3."],
        "emmy": ["Handed in 3 hours late."],
    }
    assert list(looks)[0] == "dan"
    assert [name for name, _ in survey.slowest] == ["ada", "ben", "emmy", "cleo"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(1, "1 minute"), (150, "2 minutes"), (7199, "120 minutes"), (7200, "2 hours")]
    + [(50 * 3600, "2 days"), (47 * 3600, "47 hours")],
)
def test_lateness(seconds: float, said: str) -> None:
    assert lateness(seconds) == said


# --------------------------------------------------------------------------------------- figures


def test_figures_say_in_words_and_numbers_what_they_show() -> None:
    wrong = {"negative numbers": "expected -8, got 8"}
    notebooks = {"ada": notebook(wrong), "ben": notebook(wrong), "cleo": notebook()}
    results = [result("ada", 0), result("ben", 1), result("cleo", 3)]
    soup = BeautifulSoup(page(survey_of(results, notebooks)), "html.parser")
    figures = {figure.select("figcaption")[0].text: figure for figure in soup.select("figure")}
    assert list(figures) == [
        "How the points are distributed",
        "Points by exercise",
        "Properties that fail most often",
    ]
    distribution, by_exercise, failing = figures.values()
    axes = [axis.text for axis in distribution.select(".axis")]
    assert axes == ["submissions", "points, of 8"]
    (plot,) = distribution.select("[role=img]")
    assert plot["aria-label"] == (
        "Points and submissions: 1 submission from 0 to 1; 1 submission from 3 to 4; "
        "1 submission from 7 to 8"
    )
    columns = [column.text for column in plot.select(".columns > div")]
    assert columns == ["1", "", "", "1", "", "", "", "1"]
    assert [tick.text for tick in plot.select(".ticks > span")] == list("012345678")

    assert "submissions" in text_of(str(by_exercise.select(".axis")[0]))
    assert [name.text for name in by_exercise.select(".legend > li")] == [
        "no points",
        "less than half",
        "half or more",
        "all points",
    ]
    assert [label.text for label in by_exercise.select("dt")] == [
        "Exercise 1 · Twice",
        "Exercise 2 · The inverse",
        "Exercise 3 · Even numbers",
        "Question 1 · Why modulo?",
    ]
    bars = by_exercise.select("dd > [role=img]")
    second = "1 no points, 1 less than half, 0 half or more, 1 all points"
    assert bars[1]["aria-label"] == second
    assert [part.text for part in bars[1].select("span")] == ["1", "1", "1"]
    assert [part.text for part in bars[3].select("span")] == ["3"]

    assert [name.text for name in failing.select(".legend > li")] == ["wrong", "left open"]
    (row,) = failing.select("tbody > tr")
    assert [cell.text for cell in row.select("td")] == ["2", "0", "3"]
    assert [part["style"] for part in row.select(".meter > span")] == ["width: 66.7%"]


def test_figures_are_made_of_the_page_alone() -> None:
    soup = BeautifulSoup(page(survey_of([result("ada"), result("ben", 0)])), "html.parser")
    assert soup.find_all(["svg", "img", "canvas", "script", "link", "iframe"]) == []
    number = r"\d+(\.\d+)?(e-\d+)?"
    for tag in soup.find_all(style=True):
        assert re.fullmatch(rf"(width|left|flex-grow|--height): {number}%?", str(tag["style"]))


@pytest.mark.parametrize("most", [1, 8, 20, 30, 52, 99.5])
def test_a_histogram_counts_everybody_once(most: float) -> None:
    values = [0, 2.5, most, most, most + 1, -1]
    columns = histogram(values, most)
    assert sum(count for _, _, count in columns) == len(values)
    assert columns[-1][2] >= 3 and columns[0][2] >= 2
    assert columns[0][0] == 0 and columns[-1][1] == most and len(columns) <= 20
    assert all(left[1] == right[0] for left, right in itertools.pairwise(columns))


def test_a_histogram_of_no_points_has_no_columns() -> None:
    assert histogram([0, 0], 0) == []


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
    pair = SimilarPair(HOSTILE, "ben", 0.9, {"numbers": 12, "": 3})
    return page(survey_of(results, notebooks, records, {HOSTILE: 1e5}), [pair])


def test_what_students_write_is_escaped() -> None:
    html = hostile()
    assert "<img" not in html and "<script" not in html and "</pre></details>'''" not in html
    assert html.count("&lt;img") >= 6
    unstyled = re.sub(r'<style.*?</style>| style="[^"]*"', "", html, flags=re.DOTALL)
    assert "{{ 7 * 7 }}" in unstyled and "49" not in unstyled


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_in_a_browser(scheme: Literal["light", "dark"]) -> None:
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
            ink = shown.evaluate("getComputedStyle(document.querySelector('figure')).color")
            assert ink == {"light": "rgb(27, 36, 48)", "dark": "rgb(230, 233, 239)"}[scheme]
            shown.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_that_keeps_people_from_reading(scheme: str) -> None:
    """Contrasts, names for screen readers, headings; "preload" would look for style sheets."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with launch() as browser:
        shown = browser.new_page(color_scheme=scheme)
        shown.set_content(hostile())
        shown.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        checked = axe.run(shown, options={"resultTypes": ["violations"], "preload": False})
        assert [(rule["id"], rule["nodes"]) for rule in checked.response["violations"]] == []
        shown.close()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_numbers_on_the_bars_can_be_read(scheme: str) -> None:
    """axe leaves out what stands inside of a picture."""
    results = [result(name, score) for name, score in zip("abc", (0, 1, 3), strict=True)]
    with launch() as browser:
        shown = browser.new_page(color_scheme=scheme)
        shown.set_content(page(survey_of(results)))
        colours = shown.evaluate(
            """() => [...document.querySelectorAll(".bar > span")].map(part => {
                const style = getComputedStyle(part);
                return [part.className, style.color, style.backgroundColor]})"""
        )
        shown.close()
    assert {name for name, _, _ in colours} == {"none", "less", "more", "full"}
    for _, *pair in colours:
        ink, ground = ("".join(f"{int(n):02x}" for n in re.findall(r"\d+", c)) for c in pair)
        assert contrast(ink, ground) >= 4.5, (scheme, pair)


@pytest.mark.slow
@pytest.mark.parametrize("width", [360, 1280])
def test_figures_are_drawn_to_scale(width: int) -> None:
    """A column, or a part of a bar, is as large as its number says."""
    scores = [0] * 12 + [1] * 6 + [3] * 3
    results = [result(f"student-{number}", score) for number, score in enumerate(scores)]
    sizes = """selector => [...document.querySelectorAll(selector)].map(
        part => [part.getBoundingClientRect().width, part.getBoundingClientRect().height])"""
    with launch() as browser:
        shown = browser.new_page(viewport={"width": width, "height": 800})
        shown.set_content(page(survey_of(results)))
        heights = [height for _, height in shown.evaluate(sizes, ".columns .full")]
        assert heights == pytest.approx([heights[0], heights[0] / 2, heights[0] / 4], abs=1)
        assert heights[0] > 100
        parts = [part for part, _ in shown.evaluate(sizes, "dd:nth-of-type(2) .bar > span")]
        assert parts == pytest.approx([parts[0], parts[0] / 2, parts[0] / 4], abs=1.5)
        assert 0.7 * min(width, 640) < sum(parts) < width
        shown.close()


def test_pairs_are_places_to_look_and_show_both() -> None:
    survey = survey_of([result("ada"), result("ben")])
    shown = text_of(page(survey, [SimilarPair("ada", "ben", 0.83, {"numbers": 12})]))
    assert "Places to look, not a verdict." in shown
    assert "83 % · ada and ben Exercise 1, Exercise 2 ada x = 1 ben x = 1" in shown
    assert "No two submissions share much code" in text_of(page(survey, []))
    assert "Places to look" not in text_of(page(survey))


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
    answers: dict[str, NotebookNode | str] = {
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
    links = {link.text: str(link["href"]) for link in soup.find_all("a")}
    assert set(links) == {"ada", "ben", "cleo"}
    for student, target in links.items():
        page_ = feedback_page(built_course, TINY, student)
        assert (path.parent / target).resolve() == page_.resolve()
    assert cli.main(["report", "--output", "mine.html"]) == 0
    assert (built_course.root / "mine.html").is_file()

    survey = survey_class(open_api(built_course), built_course, lesson, ["ada", "ben"])
    assert set(survey.notebooks) == {"ada", "ben"} and similar_pairs(survey) == []
    broken = built_course.autograded / "ada" / TINY / f"{TINY}.ipynb"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(CourseError, match="grade it again"):
        read_graded(broken)
