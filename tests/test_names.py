"""Names: what a module offers is listed, sorted, there and documented."""

import ast
import importlib
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "earmark"
MODULES = sorted(SOURCE.rglob("*.py"))
NONDESCRIPT = {"base", "common", "core", "helper", "helpers", "misc", "types", "util", "utils"}
MAX_LINES = 400


def parse(path):
    return ast.parse(path.read_bytes(), str(path))


def module_name(path):
    parts = ("earmark", *path.relative_to(SOURCE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def listed(tree):
    """The names in `__all__`, or None if there is none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return ast.literal_eval(node.value)
    return None


def public_definitions(tree):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def is_command(node):
    """Whether click offers it by its name on the command line, not the module to other modules."""
    calls = [decorator.func for decorator in node.decorator_list if isinstance(decorator, ast.Call)]
    return any(isinstance(call, ast.Attribute) and call.attr == "command" for call in calls)


def sorting_key(name):
    """CONSTANTS, then Classes, then functions, each by the alphabet: ruff's order."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def faults(path):
    """One sentence for everything about a module's names that is not as it should be."""
    tree = parse(path)
    names, defined = listed(tree), public_definitions(tree)
    found = []
    if path.stem in NONDESCRIPT or (path.name == "__init__.py" and path.parent.name in NONDESCRIPT):
        found.append(f"the name says nothing: {path.stem}")
    if (lines := path.read_bytes().count(b"\n")) > MAX_LINES:
        found.append(f"{lines} lines")
    imports = any(isinstance(node, ast.ImportFrom) for node in tree.body)
    if names is None and (defined or (imports and path.name == "__init__.py")):
        found.append("no __all__")
    names = names or []
    if names != sorted(set(names), key=sorting_key):
        found.append("__all__ is not sorted")
    offered = [node.name for node in defined if not is_command(node)]
    found += [f"{name} is neither in __all__ nor private" for name in offered if name not in names]
    found += [f"{name} is in __all__ but private" for name in names if name.startswith("_")]
    for node in defined:
        methods = public_definitions(node) if isinstance(node, ast.ClassDef) else []
        found += [f"{each.name} has no docstring" for each in (node, *methods) if not documented(each)]
    return found


def documented(node):
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    inherits = {"overload", "typing.overload", "override", "typing.override"} & decorators
    setter = any(name.endswith((".setter", ".deleter")) for name in decorators)
    return bool(inherits or setter or (ast.get_docstring(node) or "").strip(" ."))


def test_the_source_was_found():
    assert {"bands.py", "errors.py"} <= {path.name for path in MODULES}


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_a_module_lists_and_documents_what_it_offers(path):
    assert faults(path) == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.stem != "__main__"], ids=module_name)
def test_what_is_listed_is_there(path):
    module = importlib.import_module(module_name(path))
    assert Path(module.__file__) == path
    for name in listed(parse(path)) or []:
        assert getattr(module, name, None) is not None, name


GOOD = '''"""Peaks."""
from os import path
__all__ = ["LIMIT", "Peak", "find"]
LIMIT = 3
class Peak:
    """A peak."""
    def height(self):
        """Return it."""
    def _hidden(self): ...
def find():
    """Find them."""
@group.command("peaks")
def peaks_command():
    """Print them."""
def _hidden(): ...
'''


def test_a_module_that_keeps_the_rules_passes(tmp_path):
    path = tmp_path / "peaks.py"
    path.write_text(GOOD)
    assert faults(path) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "fault"),
    [
        ("peaks", '__all__ = ["LIMIT", "Peak", "find"]\n', "", "no __all__"),
        ("peaks", '"Peak", "find"', '"find", "Peak"', "__all__ is not sorted"),
        ("peaks", '"LIMIT", ', '"LIMIT", "LIMIT", ', "__all__ is not sorted"),
        ("peaks", ', "find"]', "]", "find is neither in __all__ nor private"),
        ("peaks", '"find"]', '"find", "_hidden"]', "_hidden is in __all__ but private"),
        ("peaks", '    """A peak."""\n', "", "Peak has no docstring"),
        ("peaks", '"""Return it."""', "...", "height has no docstring"),
        ("peaks", '"""Print them."""', "...", "peaks_command has no docstring"),
        ("peaks", '"""Find them."""', '"""."""', "find has no docstring"),
        ("peaks", "LIMIT = 3\n", "LIMIT = 3\n" * 400, "414 lines"),
        ("utils", "", "", "the name says nothing: utils"),
        ("core/__init__", "", "", "the name says nothing: __init__"),
    ],
)
def test_a_module_that_breaks_a_rule_is_told(tmp_path, name, old, new, fault):
    path = tmp_path / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(GOOD.replace(old, new, 1))
    assert fault in faults(path)
