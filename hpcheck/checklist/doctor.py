"""`hpcheck doctor`: versions, devices, data sets found, memory, disk and cache, on one screen. torch is asked in a process of its own."""

import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hpcheck import __version__
from hpcheck.config.sections import folder_of_data
from hpcheck.data.cache import cache_directory
from hpcheck.data.memory import free_bytes
from hpcheck.engine.pool.pool import available_cores
from hpcheck.init.find_data import find
from hpcheck.terminal import packages
from hpcheck.terminal.packages import PACKAGES, version

TORCH_SECONDS = 120  # ours: a first import from a cold disk takes many seconds
ASK_TORCH = """
import json, torch
cuda = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
print(json.dumps({
    "cuda": [[device.name, *(bytes for bytes in torch.cuda.mem_get_info(i))] for i, device in enumerate(cuda)],
    "built_for": torch.version.cuda,
    "mps": torch.backends.mps.is_available(),
    "cpu_bf16": torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported(),
}))
"""


def examine(directory: Path = Path()) -> dict[str, Any]:
    """What a person would ask about this machine, as plain values."""
    root = folder_of_data()
    return {
        "hpcheck": __version__,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
        "devices": _devices(),
        "cores": available_cores(),
        "free_memory": free_bytes(),
        "free_disk": _free_disk(directory),
        "cache": {"directory": str(cache_directory()), "bytes": _size(cache_directory()), "free_disk": _free_disk(cache_directory())},
        "data_root": str(root),
        "data": [one.words for place in dict.fromkeys((root, directory)) if place.is_dir() for one in find(place)],
        "config": _config(directory / "hpcheck.yaml"),
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The same for people."""
    cache = found["cache"]
    return [
        *packages.lines(found["packages"]),
        *(f"device     {words}" for words in _device_lines(found)),
        f"memory     {gibibytes(found['free_memory'])} free",
        f"disk       {gibibytes(found['free_disk'])} free here",
        f"cache      {cache['directory']}: {gibibytes(cache['bytes'])} used, {gibibytes(cache['free_disk'])} free",
        f"data in    {found['data_root']} ($HPCHECK_DATA, else ./data) and here",
        *(f"           {words}" for words in found["data"] or ["nothing that hpcheck recognises; `digits` needs no files"]),
        f"config     {found['config']}",
    ]


def gibibytes(count: int | None) -> str:
    """
    >>> gibibytes(3 * 2**29), gibibytes(5 * 2**20), gibibytes(None)
    ('1.5 GiB', '5 MiB', 'unknown')
    """
    if count is None:
        return "unknown"
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def _device_lines(found: dict[str, Any]) -> list[str]:
    devices = found["devices"]
    if "problem" in devices:
        return [f"torch cannot be asked: {devices['problem']}"]
    named = [
        f"cuda:{index} {name}, {gibibytes(free)} of {gibibytes(all_)} free" for index, (name, free, all_) in enumerate(devices["cuda"])
    ]
    if not named and devices["built_for"]:
        named = [f"no CUDA device seen (this torch is built for CUDA {devices['built_for']})"]
    emulated = "" if devices["cpu_bf16"] else "; without bf16 instructions: run.precision: bf16 is about ten times slower than fp32 on it"
    return [*named, *["mps"] * devices["mps"], f"cpu, {found['cores']} cores{emulated}"]


def has_gpu() -> bool:
    """Whether torch sees a GPU of any kind."""
    devices = _devices()
    return bool(devices.get("cuda") or devices.get("mps"))


def _devices() -> dict[str, Any]:
    """What torch sees, asked in a process of its own: a broken driver cannot take this one down."""
    try:
        done = subprocess.run([sys.executable, "-c", ASK_TORCH], capture_output=True, text=True, timeout=TORCH_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return {"problem": str(error)}
    if done.returncode != 0:
        return {"problem": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _free_disk(path: Path) -> int | None:
    """Free bytes where `path` is, or will be."""
    standing = next((place for place in (path.absolute(), *path.absolute().parents) if place.exists()), None)
    try:
        return None if standing is None else shutil.disk_usage(standing).free
    except OSError:
        return None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _config(path: Path) -> str:
    """Whether the config in this folder is sound, in words."""
    from hpcheck import config as configs

    if not path.exists():
        return f"no {path.name} here (`hpcheck init` writes one)"
    try:
        configs.load(path)
    except configs.ConfigError as error:
        return f"{path.name} has {len(error.problems)} problem(s); the first: {error.problems[0]}"
    return f"{path.name} is sound"
