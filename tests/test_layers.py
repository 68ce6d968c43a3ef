"""Imports point one way: the table of DESIGN.md section 1, held against the source."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "earmark"

# Package or module of earmark -> its row. It may import itself and rows of a lower number, nothing of its own row.
ROWS = {
    "errors": 0,
    "audio": 1,
    "corpus": 1,
    "fingerprint": 2,
    "catalog": 3,
    "matching": 4,
    "rights": 5,
    "scan": 6,
    "report": 7,
    "audit": 7,
    "exchange": 8,
    "huggingface": 7,
    "ray": 8,
    "service": 8,
    "cli": 9,
    "__main__": 10,
}

# What is neither ours nor of the standard library -> who may import it; sqlite3 has an owner too.
EVERYONE = frozenset(ROWS)
OWNERS = {
    "numpy": EVERYONE,
    "librosa": EVERYONE,
    "av": {"audio"},
    "soundfile": {"audio"},
    "soxr": {"audio"},
    "braceexpand": {"corpus"},
    "fsspec": {"corpus"},
    # DESIGN.md says corpus; reports and packs hold Parquet as well, and the datasets of others are Arrow tables.
    "pyarrow": {"corpus", "exchange", "huggingface", "ray", "report"},
    "scipy": {"fingerprint"},
    "numba": {"fingerprint", "catalog", "matching"},
    "faiss": {"catalog"},
    "sqlite3": {"catalog", "rights"},
    "stdnum": {"rights"},
    "lxml": {"rights"},
    "openpyxl": {"rights", "report"},
    "c2pa": {"rights"},
    "ray": {"ray", "scan"},
    "jinja2": {"report"},
    "cryptography": {"audit", "exchange"},
    "pyrage": {"exchange"},
    "rfc3161_client": {"audit"},
    "rfc8785": {"audit"},
    "securesystemslib": {"audit"},
    "fastapi": {"service"},
    "click": {"cli"},
    "rich": {"cli"},
}


def modules_of(tree):
    """Dotted name below the root -> parsed source. A package goes by its folder's name, the root by ''."""
    found = {}
    for path in sorted(tree.rglob("*.py")):
        parts = path.relative_to(tree).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = (path.name == "__init__.py", ast.parse(path.read_bytes(), str(path)))
    return found


def import_nodes(node, *, deferred):
    """Import statements below node; of those inside functions and `if TYPE_CHECKING`, only if deferred is asked for."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            if deferred:
                yield from import_nodes(child, deferred=deferred)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            parts = [*child.body, *child.orelse] if deferred else child.orelse
            yield from import_nodes(ast.Module(parts, []), deferred=deferred)
        else:
            yield from import_nodes(child, deferred=deferred)


def imported_names(name, is_package, node):
    """Absolute dotted names that one statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not node.level:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    here = ["earmark", *name.split(".")] if name else ["earmark"]
    base = here[: len(here) - node.level + is_package]
    return [".".join([*base, *([node.module] if node.module else []), alias.name]) for alias in node.names]


def imports_of(tree, *, deferred):
    """Module -> the dotted names that it imports; `import earmark` counts by what is taken from it: earmark.audio."""
    found = {}
    for name, (is_package, source) in modules_of(tree).items():
        nodes = list(import_nodes(source, deferred=deferred))
        targets = [target for node in nodes for target in imported_names(name, is_package, node)]
        if "earmark" in targets:
            taken = {ast.unparse(node) for node in ast.walk(source) if isinstance(node, ast.Attribute)}
            targets += sorted(each for each in taken if each.startswith("earmark.") and each.count(".") == 1)
        found[name] = [target for target in targets if target != "earmark"]
    return found


def broken_rules(tree):
    """One sentence for every import that the table forbids."""
    broken = []
    for module, targets in imports_of(tree, deferred=True).items():
        package = module.split(".")[0]
        if package and package not in ROWS:
            broken.append(f"{package} has no row")
            continue
        for target in targets:
            top, _, rest = target.partition(".")
            other = rest.split(".")[0]
            if top == "earmark":
                below = other == package or other.startswith("__") or ROWS.get(other, 99) < ROWS.get(package, -1)
                if not (package and below):
                    broken.append(f"{module or 'the root'} imports {target}")
            elif top in OWNERS:
                if package not in OWNERS[top]:
                    broken.append(f"{module or 'the root'} imports {target}")
            elif top not in sys.stdlib_module_names:
                broken.append(f"{module or 'the root'} imports {target}, which the table does not know")
    return sorted(set(broken))


def import_cycle(tree):
    """The modules of a circle of imports, or an empty list. What a function imports when called is no circle."""
    modules = modules_of(tree)
    graph = {name: set() for name in modules}
    for name, targets in imports_of(tree, deferred=False).items():
        for target in targets:
            parts = target.split(".")
            if parts[0] == "earmark":
                # The longest prefix that is a module: `from earmark.audio import load` is earmark.audio.
                below = [".".join(parts[1:end]) for end in range(len(parts), 0, -1)]
                graph[name].add(next(prefix for prefix in below if prefix in modules))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_imports_point_down_the_table():
    assert broken_rules(SOURCE) == []


def test_no_imports_go_round_in_a_circle():
    assert import_cycle(SOURCE) == []


def test_the_source_was_found():
    found = imports_of(SOURCE, deferred=True)
    assert {"", "errors", "audio", "corpus", "fingerprint", "rights", "fingerprint.fingerprinter"} <= set(found)
    assert "earmark.fingerprint.saliency.saliency" in found["fingerprint.fingerprinter"]
    assert "scipy.fft" in found["fingerprint.bands"]


def write_tree(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


ABIDING = {
    "__init__.py": '__version__ = "1"\n',
    "errors.py": "import re\n",
    "audio/__init__.py": "from earmark.audio.reader import load\n",
    "audio/reader.py": "import numpy as np\nfrom earmark.errors import AudioError\nimport soundfile\n",
    "fingerprint/__init__.py": "from .peaks import words\n",
    "fingerprint/peaks.py": "from earmark.audio import load\nfrom ..errors import EarmarkError\n",
    "scan/__init__.py": "from earmark import __version__, fingerprint\n",
    "scan/summary.py": "import earmark\nversion = earmark.__version__\nload = earmark.audio.load\n",
}


def test_a_tree_that_keeps_the_rules_passes(tmp_path):
    write_tree(tmp_path, ABIDING)
    assert broken_rules(tmp_path) == []
    assert import_cycle(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "line", "broken"),
    [
        ("audio/reader.py", "import earmark.fingerprint", "audio.reader imports earmark.fingerprint"),
        ("audio/reader.py", "from earmark import scan", "audio.reader imports earmark.scan"),
        ("audio/reader.py", "from ..scan import run", "audio.reader imports earmark.scan.run"),
        ("audio/__init__.py", "from .. import scan", "audio imports earmark.scan"),
        ("audio/reader.py", "from earmark.corpus import Item", "audio.reader imports earmark.corpus.Item"),
        ("audio/reader.py", "import earmark\nearmark.scan.run()", "audio.reader imports earmark.scan"),
        ("errors.py", "import numpy, faiss", "errors imports faiss"),
        ("errors.py", "from earmark.audio import load", "errors imports earmark.audio.load"),
        ("scan/__init__.py", "def f():\n    import faiss.contrib", "scan imports faiss.contrib"),
        ("scan/__init__.py", "class A:\n    def f(self):\n        from sqlite3 import connect",
         "scan imports sqlite3.connect"),
        ("scan/__init__.py", "if TYPE_CHECKING:\n    from click import Group", "scan imports click.Group"),
        ("scan/__init__.py", "try:\n    import rich\nexcept ImportError:\n    pass", "scan imports rich"),
        ("scan/__init__.py", "import torch", "scan imports torch, which the table does not know"),
        ("__init__.py", "from earmark.audio import load", "the root imports earmark.audio.load"),
        ("__init__.py", "import numpy", "the root imports numpy"),
        ("helpers.py", "", "helpers has no row"),
    ],
)  # fmt: skip
def test_a_tree_that_breaks_a_rule_is_told(tmp_path, file, line, broken):
    write_tree(tmp_path, ABIDING | {file: ABIDING.get(file, "") + line + "\n"})
    assert broken_rules(tmp_path) == [broken]


@pytest.mark.parametrize(
    "files",
    [
        {"audio/reader.py": "from earmark.audio.writer import f\n", "audio/writer.py": "import earmark.audio.reader\n"},
        {"audio/reader.py": "from earmark.audio import load\n"},
        {"audio/reader.py": "from . import load\n"},
        {"fingerprint/peaks.py": "from . import more\n", "fingerprint/more.py": "from .peaks import words\n"},
    ],
)
def test_a_circle_is_told(tmp_path, files):
    write_tree(tmp_path, ABIDING | files)
    assert len(import_cycle(tmp_path)) >= 3


@pytest.mark.parametrize(
    "line", ["def f():\n    from earmark.audio import load", "if TYPE_CHECKING:\n    from . import load"]
)
def test_what_is_imported_late_is_no_circle(tmp_path, line):
    write_tree(tmp_path, ABIDING | {"audio/reader.py": line + "\n"})
    assert import_cycle(tmp_path) == []


@pytest.mark.parametrize("package", ["earmark", "earmark.errors"])
def test_importing_the_root_imports_nothing_heavy(package):
    code = f"import sys; before = set(sys.modules); import {package}; print(*(set(sys.modules) - before))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "earmark" in loaded
    assert loaded & set(OWNERS) == set()
