"""One django-helpdesk for all tests of a run: setting it up takes longer than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpdesks.django_desk import DjangoDesk, running_django_desk


@pytest.fixture(scope="session")
def django(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DjangoDesk]:
    with running_django_desk(tmp_path_factory.mktemp("django")) as running:
        yield running
