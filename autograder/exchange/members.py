"""Keep the class list: who takes the course, who left, groups, due dates, extensions, slip days.

The list is the table class.csv in the course's folder, for you to edit; git ignores it. Columns:
student (the folder's name, or the name), name, id, email, status (`left`), group, was (earlier
names of the folder), slip_days, and each lesson (when it is due: a time, or "+2 days"). The row
`everybody` holds the due dates. All commands follow it. Without options this command makes the
list from what is in submitted/, or checks it and says what it means.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autograder.course import Course
from autograder.errors import CourseError
from autograder.exchange.rosters import Roster
from autograder.marks.classlist import COLUMNS, EVERYBODY, ClassList
from autograder.marks.gradebook import open_api
from autograder.marks.moves import move_student, remove_student
from autograder.marks.options import add_gradebook
from autograder.marks.people import People, folder_name
from autograder.marks.submitted import submitted_students
from autograder.marks.times import read_length, read_time
from autograder.texts import listed, plural, say, write_text

EXAMPLES = """examples:
  python -m autograder class --roster gradebook.csv     take in everybody of a platform's roster
  python -m autograder class --due LESSON "2026-10-02 23:59 +0200"
  python -m autograder class --extend ada LESSON "+2 days"
  python -m autograder class --move old_7 new_8         after a change of id; marks go along
  python -m autograder class --remove ada               take somebody out who left
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `class`."""
    parser.epilog = EXAMPLES
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--roster", metavar="FILE", type=Path, help="take in who is on a platform's list (CSV)"
    )
    what.add_argument(
        "--due", metavar=("LESSON", "TIME"), nargs=2, help="say when a lesson is due for everybody"
    )
    what.add_argument(
        "--extend",
        metavar=("STUDENT", "LESSON", "TIME"),
        nargs=3,
        help='say when it is due for one student, as a time or as "+2 days"',
    )
    what.add_argument(
        "--move",
        metavar=("OLD", "NEW"),
        nargs=2,
        help="give a student's folders and marks another name",
    )
    what.add_argument(
        "--remove",
        metavar="STUDENT",
        help="take a student out; what was handed in is kept in submitted/.left",
    )
    add_gradebook(parser)


def run(args: argparse.Namespace) -> int:
    """Do what the options say, and print the list; raises CourseError if that cannot be done."""
    course, console = Course.find(), Console()
    if args.move:
        api = open_api(course, args.db)
        old, new = args.move
        if folder_name(new) != new or not new:
            raise CourseError(f"{new!r} cannot be a folder's name: use letters, digits, _ and -")
        say(console, f"{old} is {new} now: {listed(move_student(api, course, old, new))}.")
        _edit(course, lambda people: rename(people, old, new))
    elif args.remove:
        api = open_api(course, args.db)
        taken = listed(remove_student(api, course, args.remove))
        say(console, f"{args.remove} is taken out: {taken}.")
        _edit(course, lambda people: put(people, args.remove, "status", "left", new=False))
    else:
        _change(course, args)
    classes = ClassList(course)
    print_classes(console, course, classes)
    return 0


def _change(course: Course, args: argparse.Namespace) -> None:
    people = People.load(course.class_list) if course.class_list.is_file() else new_list(course)
    zone = ClassList(course).zone
    if args.roster:
        take_in(people, Roster.load(args.roster))
    elif args.due or args.extend:
        *who, stem, when = args.due or args.extend
        course.known_lesson(stem)
        if args.due or read_length(when) is None:
            read_time(when, zone)  # refuses what cannot be understood, before it is written
        if who:
            # A spreadsheet would take a cell that begins with + for a formula.
            put(people, who[0], stem, when.lstrip("+ "))
        else:
            put_everybody(people, stem, when)
    elif course.class_list.is_file():
        return
    write_text(course.class_list, people.text())


def _edit(course: Course, change: Callable[[People], None]) -> None:
    """Change the class list, if there is one."""
    if course.class_list.is_file():
        people = People.load(course.class_list)
        change(people)
        write_text(course.class_list, people.text())


def new_list(course: Course) -> People:
    """Return a list of those who have handed in something."""
    lessons = course.lessons()
    header = [*COLUMNS, *lessons]
    students = sorted({name for stem in lessons for name in submitted_students(course, stem)})
    rows = [[name, *[""] * (len(header) - 1)] for name in students]
    return People(header, [["everybody", *[""] * (len(header) - 1)], *rows])


def take_in(people: People, roster: Roster) -> None:
    """Add those of a roster who are not in the list; what the list says of others stays.

    A row that holds nothing but a folder's name gets the name and the id of the roster.
    """
    named: dict[int, list[list[str]]] = {}  # by the identity of a roster's row
    for other in people.rows:
        if len(fitting := roster.find(other[0])) == 1:
            named.setdefault(id(fitting[0]), []).append(other)
    for row in roster.rows:
        label, (number, *_) = roster.label(row), [*roster.numbers(row), ""]
        ids = [key for key in roster.ids(row) if key]
        found = [other for key in [*ids, label] for other in people.find(key)]
        found += named.get(id(row), [])  # the folder is that of this row
        values = {"name": label, "id": number or next((i for i in ids if "@" not in i), "")}
        values["email"] = next((i for i in ids if "@" in i), "")
        target = found[0] if found else _row(people, label)
        for column, value in values.items():
            place = _place(people, column)
            target[place] = target[place] or value


def put_everybody(people: People, stem: str, when: str) -> None:
    """Write when a lesson is due into the row of everybody."""
    rows = [row for row in people.rows if row[0].strip().casefold() in EVERYBODY]
    if not rows:
        people.rows.insert(0, ["everybody", *[""] * (len(people.header) - 1)])
        rows = people.rows[:1]
    rows[0][_place(people, stem)] = when


def put(people: People, student: str, column: str, value: str, *, new: bool = True) -> None:
    """Write a cell of somebody's row; raises CourseError if several may be meant."""
    rows = people.find(student) or people.by_number(student)
    if len(rows) > 1:
        raise CourseError(f"{student!r} may be {len(rows)} people of the class list: say the id")
    if not rows and not new:
        return
    row = rows[0] if rows else _row(people, student)
    row[_place(people, column)] = value


def rename(people: People, old: str, new: str) -> None:
    """Write into the list that a folder has another name now."""
    rows = people.find(old)
    row = rows[0] if len(rows) == 1 else _row(people, new)
    row[_place(people, "student")] = new
    place = _place(people, "was")
    row[place] = " ".join([*row[place].split(), old])


def _row(people: People, student: str) -> list[str]:
    row = [""] * len(people.header)
    row[0] = student
    people.rows.append(row)
    return row


def _place(people: People, column: str) -> int:
    """Return where a column stands; one is added if there is none."""
    names = [name.casefold().replace(" ", "_") for name in people.header]
    if column.casefold() not in names:
        people.header.append(column)
        for row in people.rows:
            row.append("")
        return len(people.header) - 1
    return names.index(column.casefold())


def print_classes(console: Console, course: Course, classes: ClassList) -> None:
    """Print what the list means: dates as instants, who left, who handed in nothing."""
    say(console, f"{course.class_list}: {plural(len(classes.members), 'student')}")
    for stem, when in classes.due.items():
        say(console, f"{stem} is due {shown_time(when)}.")
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("student", "what is said"):
        grid.add_column(name, overflow="fold")
    for member in classes.members:
        said = ["left"] if member.left else []
        said += [f"group {member.group}"] if member.group else []
        said += [f"was {listed(member.was)}"] if member.was else []
        said += [plural(member.slip_days, "slip day")] if member.slip_days else []
        for stem, own in member.due.items():
            of_all = classes.due.get(stem)
            if isinstance(own, datetime):
                said.append(f"{stem} due {shown_time(own)}")
            elif of_all is not None:
                said.append(f"{stem} due {shown_time(of_all + own)}")
            else:
                said.append(f"{stem}: more time than the gradebook's date")
        if said:
            grid.add_row(Text(member.label), Text(", ".join(said)))
    if grid.row_count:
        console.print(grid)
    for stem in classes.lessons:
        students = submitted_students(course, stem)
        if students and (absent := classes.without_work(students)):
            say(console, f"Without a submission of {stem}: {listed(absent)}.")
        if students and (strangers := classes.strangers(students)):
            say(console, f"Handed in {stem}, but not in the list: {listed(strangers)}.")


def shown_time(when: datetime) -> str:
    """Return an instant in UTC, as a person reads it."""
    return f"{when:%Y-%m-%d %H:%M} UTC"
