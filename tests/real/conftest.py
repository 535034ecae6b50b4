"""Real public data: never in the project, read where it lies, and said aloud whether it was there.

Rule: a test that cannot have its data is skipped with the reason; the end of the run says which data was used.
"""

from __future__ import annotations

import pytest

from tests.integration.conftest import broker, broker_home
from tests.real import berka

__all__ = ["broker", "broker_home"]


@pytest.fixture(scope="session")
def bookings() -> list[berka.Row]:
    """All of Berka's bookings, as filed."""
    if not berka.FILE.is_file():
        pytest.skip(
            f"REAL DATA NOT TESTED: Berka's bookings are not at {berka.FILE}; "
            "name the folder that holds berka/ in KAIROS_REAL_DATA"
        )
    return berka.rows()


@pytest.fixture(scope="session")
def lines(bookings: list[berka.Row]) -> list[bytes]:
    """All of them as a log."""
    return list(berka.log(bookings))
