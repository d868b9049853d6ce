"""What optimizers and networks say of themselves for a search."""

import subprocess
import sys

import pytest

from hpcheck.plugins import find
from hpcheck.plugins.search_space import Search, is_shallow, search_of


@pytest.mark.parametrize("name", find.known("optimizers"))
def test_every_optimizer_says_how_it_is_searched(name: str) -> None:
    found = Search(**find.literal("optimizers", name, "SEARCH"))
    assert found == search_of(name)
    assert all(0 < momentum < 1 for momentum in found.momenta)
    assert 0 < found.sweep[0] < found.sweep[1]


def test_ones_own_optimizer_is_searched_as_sgd_is() -> None:
    assert search_of("mine:lion") == search_of("sgd") != search_of("adamw")


def test_the_papers_shallow_networks_say_so() -> None:
    assert {name for name in find.known("models") if is_shallow(name)} == {"lenet", "mlp", "shallow3"}
    assert not is_shallow("mine:network")
    assert not is_shallow("resnet18")


def test_nothing_is_imported_to_find_out() -> None:
    code = "import sys; from hpcheck.plugins.search_space import search_of; search_of('adamw'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
