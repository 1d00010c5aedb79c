# Every target is a job of tasks.py, which also works where make is missing: python tasks.py demo
PYTHON ?= python3
JOBS = demo test proof check lint book learn env

.PHONY: help $(JOBS)

help:
	@$(PYTHON) tasks.py --help

$(JOBS):
	@$(PYTHON) tasks.py $@
