"""nbgrader's settings: plain nbgrader commands in this folder do the same as our own."""

from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ComputeChecksums,
    DeduplicateIds,
    GetGrades,
    IgnorePattern,
    LimitOutput,
    LockCells,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
    SaveCells,
)

from autograder.nbgrader_plugins import (
    GradingExecute,
    HideHiddenTests,
    KeepMarkers,
    MakeSafe,
    RestoreCells,
    ShowMarkScheme,
    StderrToStdout,
)

c = get_config()  # noqa: F821 (nbgrader provides it)

c.CourseDirectory.course_id = "gcnn-course"

# source/ → release/: KeepMarkers stands in the place of ClearSolutions.
c.GenerateAssignment.preprocessors = [
    LockCells,
    KeepMarkers,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
    SaveCells,
    ClearHiddenTests,
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
]

# submitted/ → autograded/: first the notebook is made whole, then it is run and marked, and what it
# shows is made harmless.
c.Autograde.sanitize_preprocessors = [
    RestoreCells,
    ShowMarkScheme,
    ClearOutput,
    DeduplicateIds,
    OverwriteKernelspec,
    OverwriteCells,
    CheckCellMetadata,
]
c.Autograde.autograde_preprocessors = [
    GradingExecute,
    StderrToStdout,
    IgnorePattern,
    LimitOutput,
    SaveAutoGrades,
    AssignLatePenalties,
    CheckCellMetadata,
    MakeSafe,
]

# formgrader and generate_feedback: no scripts in outputs, whoever wrote the graded notebook.
c.HTMLExporter.sanitize_html = True

# autograded/ → feedback/: students see their tests' messages, not the hidden tests.
c.GenerateFeedback.preprocessors = [GetGrades, HideHiddenTests, CSSHTMLHeaderPreprocessor]

# Seconds that one cell may take, and that an interrupted one has to give way.
c.GradingExecute.timeout = 60
c.GradingExecute.patience = 10

# What decides the inputs of the hidden tests. None: the number in .grading-seed, which the first
# grading run draws. grades.csv says which one each mark comes from.
c.GradingExecute.seed = None

# Hidden tests of your own in a folder outside the repository, for example "~/private-tests"; see
# CONTRIBUTING.md. Empty: none.
c.GradingExecute.private_tests = ""
