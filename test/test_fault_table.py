"""docs/dev/faults.csv: every fault has a kind and a remedy, and its tests exist."""

import csv
from pathlib import Path
import re

import pytest

ROOT = Path(__file__).parents[1]
with (ROOT / 'docs' / 'dev' / 'faults.csv').open(newline='', encoding='utf-8') as file:
    FAULTS = list(csv.DictReader(file))
TESTS = sorted({test for fault in FAULTS for test in fault['test'].split()})


def test_every_fault_has_a_kind_and_a_remedy():
    assert len(FAULTS) > 70
    assert all(fault['kind'] and fault['what_happens_now'] for fault in FAULTS)


@pytest.mark.parametrize('test', TESTS)
def test_the_tests_of_the_faults_exist(test):
    file, _, name = test.partition('::')
    text = (ROOT / file).read_text(encoding='utf-8')
    assert not name or re.search(rf'^def {name}\(', text, re.M), test
