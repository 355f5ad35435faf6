"""Reads who imports whom from the sources, wherever in a module an import stands."""

import ast
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

TIME = re.compile(r"#.*\d m?s\b")


@dataclass(frozen=True, slots=True)
class Import:
    """One name that a module imports.

    Attributes:
        name: with dots; of the tree's own, the module; of others, also what is taken from it.
        line: the source line, with its comment.
        function: the function that it stands in; empty at the top of a module, and in
            `if TYPE_CHECKING`.
    """

    name: str
    line: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Tree:
    """The modules of some packages, and their imports.

    Attributes:
        paths: where each module is, below the root; a package goes by its own name.
        imports: the imports of each module.
        needs: the modules of the tree that are loaded for each module.
    """

    paths: Mapping[str, str]
    imports: Mapping[str, Collection[Import]]
    needs: Mapping[str, set[str]]

    def circle(self) -> list[str]:
        """Modules of which each needs the next, and the last is the first; empty if none do."""
        try:
            TopologicalSorter(self.needs).prepare()
        except CycleError as error:
            found: list[str] = error.args[1]
            return found
        return []

    def importing(self, package: str, names: Collection[str]) -> set[str]:
        """The imports of a package that are of these names, or below them."""
        return {
            f"{module} imports {each.name}"
            for module in self.below(package)
            for each in self.imports[module]
            if is_of(each.name, names) and not is_of(each.name, [package])
        }

    def reaching(self, package: str, allowed: Collection[str]) -> set[str]:
        """The libraries that a package loads, through other modules too, beside those allowed."""
        return {
            f"{module} reaches {library}"
            for module in self.below(package)
            for library in map(self.library, self._reached(module))
            if library and library not in allowed
        }

    def users(self, name: str) -> set[str]:
        """The paths of the modules that import a library, or a part of one."""
        return {
            self.paths[module]
            for module, imports in self.imports.items()
            if any(is_of(each.name, [name]) for each in imports)
        }

    def libraries(self) -> set[str]:
        """All libraries that are imported, but for the standard one."""
        used = {self.library(each.name) for every in self.imports.values() for each in every}
        return used - {""}

    def unexplained(self) -> set[str]:
        """Imports within functions that do not say on their line what time they save.

        Django wants some imports in the `ready()` of `apps.py`.
        """
        return {
            f"{module}: {each.line.strip()}"
            for module, imports in self.imports.items()
            for each in imports
            if each.function
            and not (each.function == "ready" and module.endswith("apps"))
            and not TIME.search(each.line)
        }

    def below(self, package: str) -> list[str]:
        """The modules of a package."""
        return [module for module in self.paths if is_of(module, [package])]

    def library(self, name: str) -> str:
        """The library of a name; empty for the tree's own and for Python's."""
        top = name.partition(".")[0]
        is_own = any(is_of(module, [top]) for module in self.paths)
        return "" if is_own or top in sys.stdlib_module_names else top

    def _reached(self, module: str) -> set[str]:
        seen, waiting, names = {module}, [module], set()
        while waiting:
            current = waiting.pop()
            names |= {each.name for each in self.imports[current]}
            waiting += self.needs[current] - seen
            seen |= self.needs[current]
        return names


def read_tree(root: Path, packages: Collection[str], exempt: Collection[str] = ()) -> Tree:
    """Read the modules below some folders of a root, but for those at the exempt paths."""
    files = [path for package in packages for path in sorted((root / package).rglob("*.py"))]
    by_module = {
        _module(path.relative_to(root)): path
        for path in files
        if path.relative_to(root).as_posix() not in exempt
    }
    imports = {
        module: list(_imports(module, path, by_module)) for module, path in by_module.items()
    }
    return Tree(
        paths={module: path.relative_to(root).as_posix() for module, path in by_module.items()},
        imports=imports,
        needs={module: _needs(module, imports) for module in imports},
    )


def is_of(name: str, owners: Collection[str]) -> bool:
    """Whether a name is one of these, or stands below one."""
    return any(name == owner or name.startswith(f"{owner}.") for owner in owners)


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")


def _packages(module: str) -> Iterator[str]:
    while "." in module:
        module = module.rpartition(".")[0]
        yield module


def _needs(module: str, imports: Mapping[str, Collection[Import]]) -> set[str]:
    """The modules loaded for a module; of the packages around it, those that it names."""
    named = {each.name for each in imports[module]} & imports.keys()
    packages = {package for name in named for package in _packages(name)} & imports.keys()
    return (named | packages - {*_packages(module)}) - {module}


def _imports(module: str, path: Path, known: Collection[str]) -> Iterator[Import]:
    source = path.read_text()
    lines = source.splitlines()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node, function in _statements(ast.parse(source), ""):
        for name in _names(node, package):
            # `from package import name` is of the package itself if that is no module of it.
            parent = name.rpartition(".")[0]
            own = parent if name not in known and parent in known else name
            yield Import(own, lines[node.lineno - 1], function)


def _statements(node: ast.AST, function: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, function
        is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _statements(child, child.name if is_function else function)


def _names(node: ast.Import | ast.ImportFrom, package: str) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    around = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
    base = ".".join([*around, *filter(None, [node.module])])
    yield from (f"{base}.{alias.name}" for alias in node.names)
