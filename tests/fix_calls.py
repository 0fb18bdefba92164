"""Counts the Python functions that a piece of work calls: what guards of speed hold on to, because no noise moves it."""

from __future__ import annotations

import sys
from pathlib import Path

import psycopg
import pytest

import facade
from facade import configuration
from facade.db.settings.moved import moved

FACADE = (str(Path(facade.__file__).parent), "<facade")  # generated functions are facade's, too
PSYCOPG = str(Path(psycopg.__file__).parent)


@pytest.fixture
def fast():
    """The roads that are guarded, whatever the environment says, in a program without tenants, whatever was tested before."""
    names, moved.names = moved.names, 0
    with configuration.override(FACADE_SHAPE_CACHE=True, FACADE_FAST_ROADS=True):
        yield
    moved.names += names


def is_facades(file):
    return file.startswith(FACADE)


def is_not_psycopgs(file):
    return not file.startswith(PSYCOPG)


class Counter:
    """Counts calls inside a ``with``: those of functions in the files that are `counted`."""

    def __init__(self, counted=is_facades):
        self.count = 0
        self.counted = counted

    def __enter__(self):
        sys.setprofile(self._note)
        return self

    def __exit__(self, *exc):
        sys.setprofile(None)

    def _note(self, frame, event, argument):
        file = frame.f_code.co_filename
        self.count += event == "call" and file != __file__ and self.counted(file)


def calls(operation, counted=is_facades):
    """Return how many functions, facade's own unless it is said otherwise, `operation()` calls once all it needs is made."""
    for _ in range(5):
        operation()
    counts = []
    for _ in range(3):
        with Counter(counted) as counter:
            operation()
        counts.append(counter.count)
    return min(counts)


def python_calls(operation):
    """Return how many Python functions `operation()` calls; psycopg's own are its affair."""
    return calls(operation, is_not_psycopgs)
