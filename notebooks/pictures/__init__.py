"""The pictures in the lessons' texts, drawn by code: `PICTURES` has a function for each name."""

from __future__ import annotations

from . import lesson_01 as lesson_01  # registers its pictures
from .drawing import PICTURES as PICTURES
