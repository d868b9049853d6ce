"""What all tests share: a data cache of their own, set before any worker process starts, and the same generated examples each time.

`HPCHECK_TEST_RANDOM=1` lets hypothesis look for new ones.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("steady", derandomize=True)
if not os.environ.get("HPCHECK_TEST_RANDOM"):
    settings.load_profile("steady")


@pytest.fixture(autouse=True, scope="session")
def cache_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPCHECK_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
