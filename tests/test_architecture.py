"""The shape of the program, checked on its syntax trees: what may import what (tests/security: what is forbidden)."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAX_LINES = 350
FLOORS = (
    ("app",),
    ("cli",),
    ("batch",),
    ("api",),
    ("training",),
    ("benchmark",),
    ("datasets",),
    ("export",),
    ("avatar",),
    ("motion",),
    ("photo",),
    ("models",),
    ("render",),
    ("body",),
    ("camera",),
    ("files",),
    ("scene", "errors", "progress", "threads"),
)
"""The house from the top floor down: a room may import rooms on lower floors only. `app` and `datasets` lie beside
`sherf`, but install inside it."""
LAZY_PACKAGES = {
    "ai_edge_litert": "starts slowly, and only detection needs it",
    "anny": "only needed to build the open body anew",
    "av": "loads FFmpeg: only videos need it",
    "lpips": "only training and benchmarks need it",
    "pytorch_msssim": "only training needs it",
    "nerfacc": "compiles CUDA code when it is imported",
    "open3d": "starts slowly, and quick_open3d has to come first",
    "pytorch3d": "loads CUDA libraries; only the CUDA backend needs it",
    "ray": "optional",
    "rembg": "optional",
    "scipy": "starts slowly; most commands do without",
    "skimage": "starts slowly; only meshes need it",
    "torch": "a worker sets its environment before it",
    "trimesh": "starts slowly; only mesh files need it",
    "xatlas": "only textured meshes need it",
}
"""Third-party packages that functions may import, and why. Modules of `sherf` never are, but by the command line."""
PAGE_OPTIONS = "sherf.app.options"
"""The command line opens the page, and parses its options."""
MODELS_OF_ONE_KIND = ("sherf.models.paper", "sherf.models.surface", "sherf.models.template")


@dataclass(frozen=True)
class Import:
    """One import statement of a module."""

    target: str
    """Dotted name of the module that is imported."""
    is_nested: bool
    """Inside a function or class."""


@dataclass(frozen=True)
class Module:
    """A source file as the installed package knows it."""

    name: str
    path: Path
    imports: tuple[Import, ...]

    @property
    def room(self) -> str:
        return room_of(self.name)


def room_of(module: str) -> str:
    """The room of a module: the first folder or file inside `sherf`; empty for `sherf/__init__.py`."""
    return [*module.split("."), ""][1]


def modules_of(root: Path) -> list[Module]:
    """All modules of a checkout."""
    found = []
    for top, package in (("sherf", ()), ("app", ("sherf",)), ("datasets", ("sherf",))):
        for path in sorted((root / top).rglob("*.py")):
            parts = (*package, *path.relative_to(root).with_suffix("").parts)
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found.append(Module(name, path, tuple(_imports(ast.parse(path.read_text())))))
    known = {module.name for module in found}
    return [Module(m.name, m.path, tuple(_resolved(i, known) for i in m.imports)) for m in found]


def _resolved(imported: Import, known: set[str]) -> Import:
    """`from package import module` imports the module, `from module import name` the module that holds the name."""
    target = imported.target if imported.target in known else imported.target.rpartition(".")[0]
    return Import(target if target in known else imported.target, imported.is_nested)


def _imports(tree: ast.AST, nested: bool = False) -> Iterator[Import]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, nested) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (Import(f"{node.module}.{alias.name}", nested) for alias in node.names)
        else:
            inside = nested or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda)
            yield from _imports(node, inside)


def violations(modules: list[Module]) -> list[str]:
    """All imports that break a rule of the house, in words."""
    return [*_upward(modules), *_hidden(modules), *_cyclic(modules), *_of_one_kind(modules)]


def _upward(modules: list[Module]) -> Iterator[str]:
    floor = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    for module in modules:
        if module.room and module.room not in floor:
            yield f"{module.name} is in a room without a floor"
            continue
        for imported in module.imports:
            target = room_of(imported.target) if imported.target.startswith("sherf.") else ""
            is_allowed = imported.is_nested or imported.target == PAGE_OPTIONS
            opens_page = module.room == "cli" and target == "app" and is_allowed
            if not target or not module.room or target == module.room or opens_page:
                continue
            if target not in floor or floor[target] <= floor[module.room]:
                yield f"{module.name} imports {imported.target}, which is not below it"


def _hidden(modules: list[Module]) -> Iterator[str]:
    for module in modules:
        if module.room in ("", "cli"):
            continue
        for imported in module.imports:
            top = imported.target.split(".")[0]
            if imported.is_nested and top not in LAZY_PACKAGES and top not in sys.stdlib_module_names:
                yield f"{module.name} imports {imported.target} inside a function"


def _cyclic(modules: list[Module]) -> Iterator[str]:
    names = {module.name for module in modules}
    graph = {m.name: {i.target for i in m.imports if i.target in names and i.target != m.name} for m in modules}
    try:
        TopologicalSorter({name: graph[name] for name in graph}).prepare()
    except CycleError as error:
        yield f"imports go in a circle: {' -> '.join(error.args[1])}"


def _of_one_kind(modules: list[Module]) -> Iterator[str]:
    """Outside `models` only the protocols of models are known, not which models there are."""
    for module in modules:
        if module.room == "models":
            continue
        for imported in module.imports:
            if imported.target.startswith(MODELS_OF_ONE_KIND):
                yield f"{module.name} imports {imported.target}: use sherf.models.protocol"


MODULES = modules_of(ROOT)


def _name(module: Module) -> str:
    return module.name


def test_every_import_points_down() -> None:
    assert violations(MODULES) == []


@pytest.mark.parametrize(
    ("file", "code", "says"),
    [
        ("sherf/body/a.py", "import sherf.export.b", "sherf.body.a imports sherf.export.b, which is not below it"),
        ("sherf/body/a.py", "from sherf.export import b", "sherf.body.a imports sherf.export.b, which is not below it"),
        ("sherf/body/a.py", "from sherf.export.b import c", "sherf.body.a imports sherf.export.b, which is not below"),
        ("sherf/scene.py", "import sherf.errors", "sherf.scene imports sherf.errors, which is not below it"),
        ("datasets/a.py", "import sherf.batch.b", "sherf.datasets.a imports sherf.batch.b, which is not below it"),
        ("sherf/batch/a.py", "def f():\n    import sherf.app.b", "sherf.batch.a imports sherf.app.b"),
        ("sherf/garage/a.py", "", "sherf.garage.a is in a room without a floor"),
        (
            "sherf/batch/a.py",
            "def f():\n    from sherf.body import c",
            "sherf.batch.a imports sherf.body.c inside a func",
        ),
        ("sherf/batch/a.py", "class A:\n    import pandas", "sherf.batch.a imports pandas inside a function"),
        ("sherf/batch/a.py", "if x:\n    def f():\n        import pandas", "imports pandas inside a function"),
        ("sherf/export/b.py", "import sherf.export.d", "imports go in a circle"),
        ("sherf/export/a.py", "import sherf.models.paper.field", "use sherf.models.protocol"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, code: str, says: str) -> None:
    for path, content in (
        ("sherf/__init__.py", ""),
        ("sherf/errors.py", ""),
        ("sherf/export/__init__.py", ""),
        ("sherf/export/b.py", "c = 1"),
        ("sherf/export/d.py", "import sherf.export.b"),
        ("sherf/models/paper/field.py", ""),
        ("app/b.py", ""),
        ("sherf/batch/b.py", "import sherf.export.b\ndef f():\n    import av, json"),
        ("sherf/cli/main.py", "def f():\n    import sherf.app.b"),
        (file, code),
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    found = violations(modules_of(tmp_path))
    assert any(says in one for one in found)
    (tmp_path / file).write_text("c = 1")
    if "garage" not in file:
        assert violations(modules_of(tmp_path)) == []


@pytest.mark.parametrize("module", MODULES, ids=_name)
def test_file_keeps_the_rules_of_the_house(module: Module) -> None:
    text = module.path.read_text()
    assert len(text.splitlines()) <= MAX_LINES
    if module.path.name != "devices.py":
        assert not re.search(r"\.cuda\(|cuda\.is_available", text), "only devices.py asks for CUDA"
    packages = {imported.target.split(".")[0] for imported in module.imports}
    assert "gradio" not in packages or module.room == "app"
    assert "smplx" not in packages, "its licence forbids it on the default path"
    assert "nerfacc" not in packages or module.path.name in ("nerfacc_backend.py", "nerfacc_kernels.py")


@pytest.mark.parametrize("module", [m for m in MODULES if m.room in ("scene", "camera", "body", "render")], ids=_name)
def test_mathematics_knows_neither_images_on_disk_nor_arguments(module: Module) -> None:
    """Body files and camera files are read in files of their own; options are read by the command line."""
    packages = {imported.target.split(".")[0] for imported in module.imports}
    assert not packages & {"PIL", "av", "gradio"}
    assert "tyro" not in packages or module.path.name == "options.py"


@pytest.mark.parametrize("module", [m for m in MODULES if m.path.name == "options.py"], ids=_name)
def test_options_are_free_of_torch(module: Module) -> None:
    """`sherf --help` reads them, and has to start at once."""
    seen, waiting = set(), [module.name]
    by_name = {m.name: m for m in MODULES}
    while waiting:
        name = waiting.pop()
        if name not in seen and name in by_name:
            seen.add(name)
            waiting += [i.target for i in by_name[name].imports if not i.is_nested]
    imported = {i.target.split(".")[0] for name in seen for i in by_name[name].imports if not i.is_nested}
    assert "torch" not in imported and "numpy" not in imported
