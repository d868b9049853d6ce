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


def circles() -> list[list[str]]:
    """Groups of modules that import each other, each sorted (Tarjan's strongly connected components of more than one module)."""
    graph = {name: imported(name) for name in modules() if name != "hpcheck"}  # the package's face names others only when it is asked
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        waiting.append(name)
        for other in graph[name] & graph.keys():
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in waiting:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = waiting[waiting.index(name) :]
            del waiting[waiting.index(name) :]
            if len(group) > 1:
                found.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return found
