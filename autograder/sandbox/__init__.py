"""Start and stop Pythons that run given code. Nothing here knows of lessons or checks."""
