"""Whose contents name a run: the data's and the user's own code's, as they are; nothing else's."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpcheck.errors import InputError
from hpcheck.runs.identity import Fingerprints, identify, user_sources
from hpcheck.runs.spec import DataSpec, PartSpec, freeze
from tests.support.engine_runs import RUN

FILES = {
    "network.py": "import os\nimport blocks\nfrom parts.layers import Layer\nimport torch.nn.functional\n",
    "blocks.py": "WIDTH = 1\n",
    "parts/__init__.py": "",
    "parts/layers.py": "from . import norms\nfrom .deep.shapes import ROUND\n",
    "parts/norms.py": "EPSILON = 1\n",
    "parts/deep/shapes.py": "from ..common import ANYTHING\nROUND = 1\n",  # parts/deep has no __init__.py: a namespace
    "parts/common.py": "ANYTHING = 1\n",
    "unrelated.py": "NOTHING = 1\n",
    "notes.txt": "nothing\n",
}
USERS = replace(RUN, model=PartSpec("network:build"))


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    importer_caches_of(tmp_path)
    yield tmp_path
    importer_caches_of(tmp_path)


def importer_caches_of(folder: Path) -> None:
    sys.path_importer_cache.pop(str(folder), None)


def as_a_new_command(spec=USERS) -> str:
    """The id that another command would give: nothing is remembered."""
    return identify(spec)


@pytest.mark.parametrize(
    "edited",
    ["network.py", "blocks.py", "parts/__init__.py", "parts/layers.py", "parts/norms.py", "parts/deep/shapes.py", "parts/common.py"],
)
def test_a_module_that_the_users_own_imports_directly_or_not_is_part_of_the_id(project, edited):
    before = as_a_new_command()
    (project / edited).write_text(FILES[edited] + "CHANGED = 1\n")
    assert as_a_new_command() != before
    (project / edited).write_text(FILES[edited])
    assert as_a_new_command() == before


def test_a_command_keeps_to_the_code_that_it_began_with_and_the_next_one_looks_again(project):
    command = Fingerprints()
    before = command.identify(USERS)
    (project / "blocks.py").write_text("WIDTH = 2\n")
    assert command.identify(USERS) == before
    assert Fingerprints().identify(USERS) != before


@pytest.mark.parametrize("edited", ["unrelated.py", "notes.txt"])
def test_other_files_are_no_part_of_the_id(project, edited):
    before = as_a_new_command()
    (project / edited).write_text("SOMETHING = 2\n")
    assert as_a_new_command() == before


def test_only_runs_that_name_the_users_code_depend_on_it(project):
    before = as_a_new_command(RUN)
    (project / "network.py").write_text("")
    assert as_a_new_command(RUN) == before


@pytest.mark.parametrize(
    "spec",
    [
        replace(RUN, optimizer=PartSpec("network:build")),
        replace(RUN, data=replace(RUN.data, loss="network:build")),
        replace(RUN, data=replace(RUN.data, metric="network:build")),
    ],
    ids=["optimizer", "loss", "metric"],
)
def test_the_users_optimizer_loss_and_metric_are_part_of_the_id(project, spec):
    before = as_a_new_command(spec)
    (project / "blocks.py").write_text("WIDTH = 2\n")
    assert as_a_new_command(spec) != before


def test_nothing_is_imported_to_find_the_sources_and_installed_packages_are_left_out(project):
    (project / "parts/__init__.py").write_text("raise RuntimeError('imported')\n")
    (project / "network.py").write_text(FILES["network.py"] + "from hpcheck.runs.spec import RunSpec\nimport numpy.linalg, pytest\n")
    found = user_sources("parts.layers") | user_sources("network")
    assert sorted(found) == ["blocks", "network", "parts", "parts.common", "parts.deep.shapes", "parts.layers", "parts.norms"]
    assert not {"network", "parts", "parts.layers"} & sys.modules.keys()


def test_modules_that_import_each_other_or_cannot_be_read_are_taken_as_they_are(project):
    (project / "blocks.py").write_text("import network\ndef (\n")
    assert user_sources("network")["blocks"] == b"import network\ndef (\n"
    assert user_sources("missing") == {}
    assert user_sources("...") == {}


@pytest.fixture
def images(tmp_path):
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            folder = tmp_path / "images" / split / name
            folder.mkdir(parents=True)
            for number in range(4):
                pixels = np.full((6, 6, 3), 10 * number + (100 if name == "cat" else 0), np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


def of_images(root: Path):
    return replace(RUN, data=DataSpec("image-folder", str(root), freeze({"folder": "images"})))


def test_the_contents_of_the_data_are_part_of_the_id(images):
    before = as_a_new_command(of_images(images))
    one = images / "images/train/cat/0.png"
    kept = one.read_bytes()
    Image.fromarray(np.full((6, 6, 3), 77, np.uint8)).save(one)
    assert as_a_new_command(of_images(images)) != before
    one.write_bytes(kept)
    assert as_a_new_command(of_images(images)) == before


def test_where_the_data_lie_is_no_part_of_the_id(images, tmp_path):
    before = as_a_new_command(of_images(images))
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (images / "images").rename(moved / "images")
    assert as_a_new_command(of_images(moved)) == before


def test_a_file_that_is_no_data_is_no_part_of_the_id(images):
    before = as_a_new_command(of_images(images))
    (images / "images" / "README").write_text("hello")
    assert as_a_new_command(of_images(images)) == before


def test_a_folder_that_a_model_reads_counts_by_the_contents_of_all_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("words/de").mkdir(parents=True)
    Path("words/de/a.txt").write_text("one")
    spec = replace(RUN, reads=("words",))
    fingerprints = Fingerprints()
    before = fingerprints.users_source(spec)
    assert fingerprints.users_source(spec) == before == Fingerprints().users_source(spec)
    Path("words/de/a.txt").write_text("three")
    changed = fingerprints.users_source(spec)
    Path("words/b.txt").write_text("")
    assert len({before, changed, fingerprints.users_source(spec)}) == 3
    with pytest.raises(InputError, match=r"model\.reads: nowhere cannot be read"):
        fingerprints.users_source(replace(RUN, reads=("nowhere",)))
