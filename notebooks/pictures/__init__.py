"""The pictures in the lessons' texts, drawn by code: `PICTURES` has a function for each name."""

from __future__ import annotations

from . import (  # each registers its pictures
    lesson_01 as lesson_01,
)
from . import (
    lesson_02 as lesson_02,
)
from . import (
    lesson_03 as lesson_03,
)
from . import (
    lesson_04 as lesson_04,
)
from .drawing import PICTURES as PICTURES
