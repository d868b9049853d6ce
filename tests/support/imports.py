"""Which module imports which, read from the sources."""

import ast
from pathlib import Path

import hpcheck

PACKAGE = Path(hpcheck.__file__).parent


def modules() -> list[str]:
    """Every module of the package, by its full name."""
    paths = (path.relative_to(PACKAGE.parent).with_suffix("") for path in sorted(PACKAGE.rglob("*.py")))
    return [".".join(path.parts[:-1] if path.name == "__init__" else path.parts) for path in paths]


def imported(module: str) -> set[str]:
    """What `module` imports of hpcheck, anywhere in its text; `from package import name` counts as `package.name` where that is one."""
    path = PACKAGE.parent / Path(*module.split("."))
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))
    known, found = set(modules()), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in known else str(node.module) for name in names}
    return {name for name in found if name.split(".")[0] == "hpcheck"}
