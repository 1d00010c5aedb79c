"""Build, render and grade the course's notebooks."""

import os
import sysconfig

# nbgrader starts `alembic` by its name alone, which is not found when Python is run from an
# environment that is not activated. Put last, the folder changes nothing that is found already.
os.environ["PATH"] = os.pathsep.join(
    [*filter(None, [os.environ.get("PATH")]), sysconfig.get_path("scripts")]
)
