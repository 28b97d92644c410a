"""Profiles: the environment chooses one, and each does what it says."""

import pytest
from hypothesis import settings

from verification.tests.tools import profiles
from verification.tests.tools.profiles import PROFILES, active, cases, load


@pytest.fixture
def _restored():
    yield
    load()


@pytest.mark.usefixtures("_restored")
@pytest.mark.parametrize("name", PROFILES)
def test_the_environment_chooses(name, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setenv(profiles.VARIABLE, name)
        load()
        assert active().name == name
        assert settings().max_examples == PROFILES[name].examples
        assert settings().derandomize == (name in {"smoke", "ci"})
        assert settings().deadline is None


def test_ci_is_the_default(monkeypatch):
    monkeypatch.delenv(profiles.VARIABLE, raising=False)
    assert active() == PROFILES["ci"]


def test_unknown_profiles_are_named(monkeypatch):
    monkeypatch.setenv(profiles.VARIABLE, "CI")
    with pytest.raises(ValueError, match="SESN_PROFILE='CI': must be one of smoke, ci, fresh"):
        active()


def test_sizes_grow_with_the_profile():
    sizes = [(p.examples, p.largest_side, p.largest_count) for p in PROFILES.values()]
    assert sizes == sorted(sizes)


def test_shares_of_the_usual_number(monkeypatch):
    monkeypatch.setenv(profiles.VARIABLE, "ci")
    usual = PROFILES["ci"].examples
    assert cases(2).max_examples == 2 * usual
    assert cases(0.5).max_examples == usual // 2
    assert cases(1e-9).max_examples == 2
    with pytest.raises(ValueError, match="share=0: must be positive"):
        cases(0)
