"""Build, render and grade the course's notebooks.

How a submission is graded, and who knows what (solutions/grader.md has more words):

1. `submissions/` reads the file and rebuilds it around the release, in the grader's process, where
   nothing of a submission's runs.
2. `grading/` runs the notebook in a Python of its own (`sandbox/`), which knows what students do.
3. `checks/` asks that Python by messages for what hidden tests need. Tests, expected values and
   comparisons stay in the grader's process.
4. That Python is ended. What a student reads has been said by then.
5. What did not hold is tried among the lesson's definitions, in other Pythons. These hold the
   reference solution, as code without text, and nothing comes from them but whether a property
   holds: one bit for each.
6. `marks/` and `pages/` write down what came out.
"""

import os
import sys
import sysconfig

# jsonschema, which nbformat imports, would take two seconds for grammars of addresses in other
# alphabets, in every Python that is started; no notebook is checked for these.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# nbgrader starts `alembic` by its name alone, which is not found when Python is run from an
# environment that is not activated. Put last, the folder changes nothing that is found already.
os.environ["PATH"] = os.pathsep.join(
    [*filter(None, [os.environ.get("PATH")]), sysconfig.get_path("scripts")]
)
