"""No code executes the content of files: checked on the syntax trees of everything that users run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for top in ("sherf", "app", "datasets", "benchmarks") for p in (ROOT / top).rglob("*.py"))
EXEMPT = {
    "benchmarks/fuzz_seeds.py": {"pickle"},  # writes pickles to test readers with, and reads none
}
"""Modules that single files may name nevertheless, and why."""

MODULES = {
    "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "xmlrpc", "imp", "code",
    "xml", "lxml", "defusedxml", "plistlib", "tarfile", "py7zr", "rarfile", "jsonpickle", "ruamel",
}  # fmt: skip
"""Never imported: they execute or expand what they read, or unpack files to any path."""
CALLS = {
    "eval", "exec", "compile", "__import__", "torch.load", "torch.jit.load", "torch.hub.load", "torch.package",
    "torch.export.load", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "shutil.unpack_archive", "pandas.read_pickle", "pd.read_pickle", "open3d.io.read_pickle", "commands.getoutput",
    "importlib.reload", "runpy.run_path", "runpy.run_module", "ctypes.CDLL", "ctypes.cdll.LoadLibrary",
}  # fmt: skip
METHODS = {"extractall", "unsafe_load", "full_load", "load_all", "unsafe_load_all", "read_pickle"}
"""Of any object."""
LOADERS = {"np.load", "numpy.load"}
ALLOWED_CALLS = {"sherf/cli/doctor.py": {"ctypes.CDLL"}, "sherf/photo/single_thread.py": {"ctypes.CDLL"}}
"""The one loads system libraries by names given in its own source, the other what PyTorch has loaded already."""


def violations(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every forbidden name, and its line."""
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((name, node.lineno) for name in _tops(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((name, node.lineno) for name in _tops([node.module]))
            yield from (
                (f"{node.module}.{alias.name}", node.lineno)
                for alias in node.names
                if f"{node.module}.{alias.name}" in CALLS or (alias.name in METHODS and not _is_ours(node.module))
            )
        elif isinstance(node, ast.Call):
            called = _resolved(node.func, aliases)
            yield from ((name, node.lineno) for name in _of_call(called, node))


def _tops(names: Iterator[str] | list[str]) -> Iterator[str]:
    yield from (top for name in names if (top := name.split(".")[0]) in MODULES)


def _aliases(tree: ast.AST) -> dict[str, str]:
    """import x.y as z; from x import y as z."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _resolved(function: ast.expr, aliases: dict[str, str]) -> str:
    name = ast.unparse(function)
    first, _, rest = name.partition(".")
    full = aliases.get(first, first) + (f".{rest}" if rest else "")
    return full.removeprefix("builtins.")


def _of_call(called: str, call: ast.Call) -> Iterator[str]:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    method = called.rsplit(".", 1)[-1]
    if called in CALLS or (method in METHODS and not _is_ours(called)):
        yield called
    if called == "yaml.load" or (method == "extract" and "." in called):
        yield called
    if called in LOADERS and not _is(keywords.get("allow_pickle"), False):
        yield f"{called} without allow_pickle=False"
    for name in ("allow_pickle", "shell", "trust_remote_code"):
        if name in keywords and not _is(keywords[name], False):
            yield f"{name}={ast.unparse(keywords[name])}"
    if None in keywords and (called in LOADERS or called.startswith("subprocess.")):
        yield f"{called}(**...)"


def _is_ours(name: str) -> bool:
    return name.split(".")[0] == "sherf"


def _is(value: ast.expr | None, wanted: object) -> bool:
    return isinstance(value, ast.Constant) and value.value is wanted


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_no_source_executes_the_content_of_files(path: Path) -> None:
    allowed = EXEMPT.get(_name(path), set()) | ALLOWED_CALLS.get(_name(path), set())
    found = [f"{name} (line {line})" for name, line in violations(ast.parse(path.read_text())) if name not in allowed]
    assert not found


def test_every_exemption_is_still_needed() -> None:
    """A stale one would allow a new use later."""
    for name, allowed in (EXEMPT | ALLOWED_CALLS).items():
        found = {violation for violation, _ in violations(ast.parse((ROOT / name).read_text()))}
        assert found == allowed


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import xml.etree.ElementTree as ET",
        "from marshal import loads",
        "import shelve, joblib",
        "import tarfile",
        "def f():\n    import dill",
        "eval('1')",
        "exec(code)",
        "compile(text, 'x', 'exec')",
        "__import__('os')",
        "import builtins\nbuiltins.eval(x)",
        "import torch\ntorch.load(path, weights_only=True)",
        "from torch import load as read\nread(path)",
        "import torch as t\nt.load(path)",
        "import numpy as np\nnp.load(path)",
        "import numpy\nnumpy.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "np.save(path, x, allow_pickle=True)",
        "from numpy import load\nload(path)",
        "np.load(path, **options)",
        "import os\nos.system('ls')",
        "from os import popen\npopen('ls')",
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "subprocess.run('ls', shell=flag)",
        "subprocess.Popen('ls', **options)",
        "import yaml\nyaml.load(text, Loader=yaml.SafeLoader)",
        "import yaml\nyaml.unsafe_load(text)",
        "archive.extractall(folder)",
        "zipfile.ZipFile(path).extract('x')",
        "import shutil\nshutil.unpack_archive(path)",
        "from shutil import unpack_archive",
    ],
)
def test_every_violation_is_found(source: str) -> None:
    assert list(violations(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "re.compile('x')",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "subprocess.run(['ls'])",
        "subprocess.run(['ls'], shell=False)",
        "from sherf.body.pickles import read_pickle",
        "json.load(file)",
        "extract(mesh)",
        "import zipfile\nzipfile.ZipFile(path).open('x')",
        "import pickletools",
    ],
)
def test_harmless_code_passes(source: str) -> None:
    assert not list(violations(ast.parse(source)))
