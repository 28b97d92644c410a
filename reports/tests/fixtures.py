"""Reports that several tests look at: a pytest plugin that loads little until one is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from reports.document.report import Report


@pytest.fixture(scope="session")
def full() -> Report:
    """Report of records of every kind."""
    from reports.document.report import make_report
    from reports.tests.synthetic import CLAIMS, full_set

    return make_report(CLAIMS, full_set())


@pytest.fixture(scope="session")
def empty() -> Report:
    """Report of no records at all."""
    from reports.document.report import make_report
    from reports.tests.synthetic import CLAIMS

    return make_report(CLAIMS, [])


@pytest.fixture(scope="session")
def written(full: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the full report and, under evidence/, its records."""
    from reports.document.report import write_report
    from reports.tests.synthetic import full_set, write_all

    output = tmp_path_factory.mktemp("reports")
    write_all(full_set(), output / "evidence")
    write_report(full, output)
    return output


@pytest.fixture
def small(tmp_path: Path) -> list[str]:
    """Arguments of the command for a folder with one record, of which no figure is drawn."""
    from reports.tests.synthetic import theorems, write_all

    evidence = write_all(theorems()[:1], tmp_path / "evidence")
    return ["--evidence", str(evidence), "--output", str(tmp_path / "reports")]
