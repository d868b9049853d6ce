"""Versions of what hpcheck needs, asked without importing any of it: what can be told on a machine where an import fails."""

import platform
from importlib import metadata

from hpcheck import __version__

PACKAGES = ("torch", "torchvision", "numpy", "scipy", "scikit-learn", "pydantic", "matplotlib", "jinja2")


def version(package: str) -> str | None:
    """The version that is installed; None where none is."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def lines(versions: dict[str, str | None]) -> list[str]:
    """hpcheck's own version, Python's, and those of the packages."""
    spelled = ", ".join(f"{name} {found or 'MISSING'}" for name, found in versions.items())
    return [f"hpcheck {__version__}, Python {platform.python_version()}", f"packages   {spelled}"]


def broken(error: ImportError) -> list[str]:
    """What the doctor says where something that hpcheck is made of cannot be imported."""
    mend = f"pip install {error.name}" if error.name and "." not in error.name else "pip install --force-reinstall hpcheck"
    return [*lines({name: version(name) for name in PACKAGES}), f"problem    {' '.join(str(error).split())}; no command can train: {mend}"]
