"""Commands that train nothing run where PyTorch is not installed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NO_TORCH = """
import sys


class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "torchvision"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


sys.meta_path.insert(0, NoTorch())
from hpcheck.__main__ import main

main()
"""
CURVE = "step,lr,val_loss\n" + "".join(f"{step},{step / 1000},{2.3 - step / 50}\n" for step in range(10, 70, 2))


def hpcheck(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", NO_TORCH, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path):
    """A folder with a config, a curve and what a search has recommended."""
    (tmp_path / "hpcheck.yaml").write_text((ROOT / "configs" / "quickstart.yaml").read_text(encoding="utf-8"))
    (tmp_path / "curve.csv").write_text(CURVE)
    run = tmp_path / "runs" / tmp_path.name
    run.mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "results" / "quickstart" / "recommended.yaml", run)
    return tmp_path


def test_torch_is_really_out_of_reach_here():
    block = NO_TORCH.split("from hpcheck")[0]
    told = subprocess.run([sys.executable, "-c", f"{block}import torch"], capture_output=True, text=True, check=False)
    assert "ModuleNotFoundError: No module named 'torch'" in told.stderr


def test_help_needs_no_torch(project):
    assert "Usage" in hpcheck(project, "--help").stdout
    assert "Usage" in hpcheck(project, "run", "--help").stdout


def test_validate_needs_no_torch(project):
    assert hpcheck(project, "validate", "hpcheck.yaml").stdout == "ok: hpcheck.yaml\n"


def test_schema_needs_no_torch(project):
    assert "momentum" in json.loads(hpcheck(project, "schema").stdout)["properties"]


def test_show_needs_no_torch(project):
    settings = json.loads(hpcheck(project, "show", "--json").stdout)["settings"]
    assert f"{settings['total_batch_size']}\nMAX_LR" in hpcheck(project, "show", "--snippet", "pytorch").stdout
    assert str(settings["weight_decay"]) in hpcheck(project, "show").stdout


def test_read_needs_no_torch(project):
    told = hpcheck(project, "read", "curve.csv", "--json", "--plot", "curve.png")
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)
    assert (project / "curve.png").stat().st_size > 0
