"""Selection on real customers' messages that neither the code nor the lines were made from."""

from __future__ import annotations

import pytest

from benchmarks.messages import BANKING77, bank, like_lines
from benchmarks.selection import always, judge


@pytest.mark.skipif(not BANKING77.exists(), reason=f"the messages are not part of this repository: no {BANKING77}")
def test_a_bank_with_77_procedures() -> None:
    lines = like_lines(bank(held_out=False), {str(one.intent) for one in bank(held_out=False)}, None)
    judged = judge(always(lines), bank(held_out=True)[::2])
    assert judged.accuracy >= 0.88
    assert judged.coverage() >= 0.70
    assert judged.precision() >= 0.97
