"""Pages for people: feedback for students, a report on a class for teachers."""
