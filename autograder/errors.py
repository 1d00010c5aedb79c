"""The one error that users of the command line are meant to read."""


class CourseError(Exception):
    """Something a user can put right; the message is one sentence that says how."""
