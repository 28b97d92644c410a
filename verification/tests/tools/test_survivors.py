"""The judgement of mutation testing, on invented results."""

import pytest

from verification.tests.tools.survivors import LIST, Survivor, assess, listed, statuses, survivor

RESULTS = """
    sesn_impl.basis.x_support_at__mutmut_1: killed
    sesn_impl.basis.x_support_at__mutmut_2: survived
    sesn_impl.layers.xǁLiftingConv2dǁ__init____mutmut_7: timeout
"""
DIFFERENCE = """# sesn_impl.basis.x_support_at__mutmut_2: survived
--- sesn_impl/basis.py
+++ sesn_impl/basis.py
@@ -1,3 +1,3 @@
 def support_at(scale):
-    return int(scale) | 1
+    return int(scale) | 2
"""
ALIVE = Survivor("basis.support_at", "`` return int(scale) / 1 `` → `` return int(scale) / 2 ``")


def test_results_and_differences_are_read():
    assert list(statuses(RESULTS).values()) == ["killed", "survived", "timeout"]
    assert survivor("sesn_impl.basis.x_support_at__mutmut_2", DIFFERENCE) == ALIVE
    method = "sesn_impl.layers.xǁLiftingConv2dǁ__init____mutmut_7"
    assert survivor(method, "").function == "layers.LiftingConv2d.__init__"


def test_no_results_are_no_success():
    with pytest.raises(ValueError, match="`mutmut run` comes first"):
        statuses("")


def test_a_survivor_must_be_listed():
    known = listed(f"| {ALIVE} | It is the same. |\n")
    assert known == {ALIVE: "It is the same."}
    enough = {str(i): "killed" for i in range(19)} | {"alive": "survived"}
    assert assess(enough, [ALIVE], known) == (["19 of 20 mutants killed, 95.00 %"], True)
    lines, good = assess(enough, [ALIVE], {})
    assert not good
    assert lines[1] == f"not listed: {ALIVE}"


def test_too_many_survivors_fail_though_listed():
    few = {str(i): "killed" for i in range(18)} | {"alive": "survived"}
    assert not assess(few, [ALIVE], {ALIVE: "reason"})[1]


def test_a_reason_that_is_no_longer_needed_is_told():
    lines, good = assess({"a": "killed"}, [], {ALIVE: "reason"})
    assert good
    assert lines[1] == f"listed, but killed by now: {ALIVE}"


def test_every_survivor_of_the_list_has_a_reason():
    known = listed(LIST.read_text(encoding="utf-8"))
    assert known
    assert all(len(reason) > 20 for reason in known.values())
