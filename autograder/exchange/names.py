r"""The names that platforms and programs give to files: tables to add a line to.

**A platform that is not here** is one more line of `PATTERNS`. A pattern is a regular expression,
matched from the beginning of a file's path in the download, with / between the folders. Its groups:

    (?P<student_id>…)  who handed it in; needed
    (?P<file_id>…)     what the student called the file; needed
    (?P<name>…)        put before the id in the name of the student's folder
    (?P<timestamp>…)   when it was handed in, in any form that marks/times.py reads
    (?P<number>…)      grows with each upload
    (?P<late>…)        there, if it was late

`{lessons}` stands for the names of the course's lessons. What a student chose stands at the end of
a path, so a pattern takes the first place that fits: a file that looks like somebody else's
submission stays what its owner handed in. For one download, `collect --names` does the same.

**Another language's word for a copy** is one more word of `COPY`.
"""

from __future__ import annotations

# Where two fit equally well, the first counts. The last two have only a student's folder or name
# before the lesson's.
PATTERNS: dict[str, tuple[str, ...]] = {
    # Ada Lovelace_1234567_assignsubmission_file_/lesson.ipynb, or all in one folder without the /.
    # A team: Team 7-Ada Lovelace_1234567_….
    "moodle": (
        r"(?:.*?/)??(?P<name>[^/]+?)_(?P<student_id>\d+)_assignsubmission_[a-z]+"
        r"(?:_?/|_)(?P<file_id>.+)",
    ),
    # Homework 1_ada_attempt_2024-05-01-18-30-00_lesson.ipynb, and without _lesson a note of its
    # own. Titles and user names may hold _: see platforms._blackboard.
    "blackboard": (
        r"(?:.*/)?(?P<title>[^/]*?)_(?P<student_id>[^/_]+)_attempt_"
        r"(?P<timestamp>\d{4}(?:-\d\d){5})(?:_(?P<file_id>[^/]+))?$",
    ),
    # 351765-9001 - Ada Lovelace - Oct 1, 2026 1224 PM/lesson.ipynb, or all in one folder.
    "brightspace": (
        r"(?:.*?/)??(?P<student_id>\d+)-\d+ - (?P<name>[^/]+) - (?P<timestamp>[^/]*\d[^/]*)/"
        r"(?P<file_id>.+)",
        r"(?:.*/)?(?P<student_id>\d+)-\d+ - (?P<name>[^/]+?) - "
        r"(?P<timestamp>(?:(?! - )[^/])*\d{4}(?:(?! - )[^/])*) - (?P<file_id>[^/]+)$",
    ),
    # Homework 1/Lovelace, Ada(al101)/Submission attachment(s)/lesson.ipynb
    "sakai": (
        r"(?:.*?/)??(?P<name>[^/]+?)\((?P<student_id>[^()/]+)\)[/_]Submission attachment\(s\)[/_]"
        r"(?P<file_id>.+)",
        r"(?:.*?/)??(?P<name>[^/,]+, [^/]+?)\((?P<student_id>[^()/]+)\)[/_](?P<file_id>.+)",
    ),
    # Blatt 01/Abgaben/Lovelace_Ada_login_3345/lesson.ipynb; Abgaben/Team 12/… for a team's.
    "ilias": (
        r"(?:.*?/)??(?:Abgaben|Submissions?|Remises|Entregas|Consegne)/(?:Team[ _]?\d+/)?"
        r"(?P<student_id>[^/]+_\d+)/(?P<file_id>.+)",
    ),
    # ada@example.org_1_q1_1_2_12345_lesson.ipynb; for manual grading ada@example.org_UIN_q1_12345_…
    "prairielearn": (
        r"(?:.*/)?(?P<student_id>[^/@\s]+@[^/_\s]+)_\d+_[^/]+?_\d+_\d+_(?P<number>\d+)_"
        r"(?P<file_id>[^/]+)$",
        r"(?:.*/)?(?P<student_id>[^/@\s]+@[^/_\s]+)_[^/_]*_[^/]+?_(?P<number>\d+)_(?P<file_id>[^/]+)$",
        # A group's: its name stands in the place of the address.
        r"(?:.*/)?(?P<student_id>[^/@]+?)_\d+_[^/_]*[^\W\d_][^/_]*_\d+_\d+_(?P<number>\d+)_"
        r"(?P<file_id>(?:{lessons})[^/]*)$",
    ),
    # Submitted files/Ada Lovelace/Homework 1/Version 2/lesson.ipynb
    "teams": (
        r"(?:.*?/)??Submitted files/(?P<student_id>[^/]+)/[^/]+/(?:Vers\w+ (?P<number>\d+)/)?"
        r"(?P<file_id>.+)",
        r"(?:.*?/)??(?P<student_id>[^/]+)/[^/]+/Vers\w+ (?P<number>\d+)/(?P<file_id>.+)",
    ),
    "canvas": (
        # With anonymous grading: anon_x7YzQ_67890_lesson.ipynb, the second id being the upload's.
        r"(?:.*/)?(?:(?P<late>LATE)_)?"
        r"(?P<student_id>anon_[^/_]+)_(?:(?P<number>\d+)_(?P<file_id>[^/]+)|(?:link|text))$",
        # Else: lovelaceada_LATE_12345_67890_lesson-2.ipynb; …_12345_link.html, …_12345_text.html
        # in the place of a file. A name may end in _1: see platforms._canvas.
        r"(?:.*/)?(?P<name>[^/]+?)_(?:(?P<late>LATE)_)?"
        r"(?P<student_id>\d+)_(?:(?P<number>\d+)_(?P<file_id>[^/]+)|(?:link|text))$",
    ),
    "github": (),  # <assignment>-<user>/… and <user>-<assignment>/…: see platforms._github
    # Ada Lovelace - lesson.ipynb: how Google Classroom calls the copy it makes for each student.
    "classroom": (r"(?:.*/)?(?P<student_id>[^/]+?) - (?P<file_id>[^/]+)$",),
    "folders": (
        r"(?:submitted/)?(?P<student_id>[^/]+)/(?P<file_id>(?:{lessons})/[^/]+)$",
        r"(?P<student_id>[^/]+)/(?P<file_id>[^/]+)$",
    ),
    "files": (r"(?:.*/)?(?P<student_id>[^/]+?)[\s_-]+(?P<file_id>(?:{lessons})[^/]*)$",),
}
# "Copy" in the languages of systems, browsers and Drive, in small letters.
COPY = (
    *("copy", "kopie", "copie", "copia", "cópia", "còpia", "kopia", "kopi", "kópia", "kopija"),
    *("kopio", "másolat", "kopya", "копия", "копія", "копие", "αντίγραφο", "نسخة", "עותק"),
    *("bản sao", "salinan", "สำเนา", "副本", "拷贝", "拷貝", "コピー", "사본", "복사본", "koopia"),
)
# What stands between it and the file's name: "Copy of", "コピー 〜 ", "的副本".
OF = (
    "of",
    "von",
    "van",
    "de",
    "di",
    "da",
    "do",
    "av",
    "af",
    "z",
    "pliku",
    "souboru",
    "del",
    "från",
)
AFTER = ("の", "的", "의 ", "의")
