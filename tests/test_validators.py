"""Validators are made in whatever thread needs one first, and Python's parser takes no two of them at once."""

import subprocess
import sys

_RACE = """
import sys, threading
from concurrent.futures import ThreadPoolExecutor
from scorecard import evidence, model
from scorecard.registry import installed
from scorecard.store.codec import kinds
from scorecard.validators import validator

installed()
sys.setswitchinterval(1e-6)
wanted = [*kinds().values(), model.Service, model.Team, model.GatePolicy]
together = threading.Barrier(8)

def make(start):
    together.wait()
    return [validator(kind) for kind in wanted[start:] + wanted[:start]]

with ThreadPoolExecutor(8) as pool:
    made = list(pool.map(make, range(0, 8 * 4, 4)))
assert len({id(one) for each in made for one in each}) == len(wanted), "one of a kind was made twice"
print(len(wanted))
"""


def test_threads_that_need_validators_at_once_make_each_of_them_once() -> None:
    done = subprocess.run([sys.executable, "-c", _RACE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 30
