"""A contender of the benchmark's tests that does one thing wrong; see test_benchmarks.py."""

from __future__ import annotations

import os

from benchmarks.contenders import Contender


class Odd(Contender):
    def count(self, author_id):
        if "wrong_values" in self.place.name:
            return -1
        if "raises" in self.place.name:
            raise ValueError("no count")
        os._exit(1)


def contender(road, place):
    return Odd(road, place)
