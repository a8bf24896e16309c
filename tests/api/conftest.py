"""Fixtures of the API's tests."""

from __future__ import annotations

import pytest

from tests.api.helpers import Api


@pytest.fixture
def api(db: None) -> Api:
    """Give an app's client: nobody signed in, no session yet."""
    return Api()
