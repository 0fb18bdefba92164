"""The structure of the package: what imports what, how long things are, and how much has no type."""

import ast
import itertools
import re
import tomllib
from pathlib import Path

import pytest

import facade

HOUSE = Path(facade.__file__).parent
LONGEST_FUNCTION = 60
LONGEST_FILE = 600
MODULES_OF_A_FOLDER = 16
UNTYPED_PARAMETERS = 96
VENDOR_TESTS = 13
UNTYPED_NOUNS = 12
NOUNS = {
    *(
        "binder",
        "collector",
        "column",
        "compiled",
        "compiler",
        "connection",
        "database",
        "dialect",
        "expression",
    ),
    *(
        "field",
        "index",
        "instance",
        "join",
        "lookup",
        "model",
        "obj",
        "opts",
        "plan",
        "query",
        "queryset",
        "rel",
    ),
    *("related", "relation", "rows", "state", "statement", "through"),
}

PROJECT = tomllib.loads((HOUSE.parent / "pyproject.toml").read_text())
CONTRACTS = PROJECT["tool"]["importlinter"]["contracts"]
LAYERS = {
    container: [set(re.findall(r"\w+", line)) for line in contract["layers"]]
    for contract in CONTRACTS
    if contract["type"] == "layers"
    for container in contract["containers"]
}
"""The layers of the house, and those of its rooms, from above, as the linter knows them."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTS = (ast.Import, ast.ImportFrom)


def module_name(path):
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.fixture(scope="module")
def trees():
    return {module_name(path): ast.parse(path.read_text()) for path in sorted(HOUSE.rglob("*.py"))}


@pytest.fixture(scope="module")
def sizes():
    return {module_name(path): len(path.read_text().splitlines()) for path in HOUSE.rglob("*.py")}


def functions(trees):
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTIONS):
                yield f"{module}:{node.lineno} {node.name}", node


def imported(tree, modules):
    """Yield the modules that one names, those it needs for its types only included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom):
            submodules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules else node.module for name in submodules)


def graph(trees):
    return {
        module: {name for name in imported(tree, trees) if name in trees and name != module}
        for module, tree in trees.items()
    }


def above(module, imports):
    """Return all that a module reaches by its imports."""
    reached, waiting = set(), [module]
    while waiting:
        for name in imports[waiting.pop()] - reached:
            reached.add(name)
            waiting.append(name)
    return reached


def circles(imports):
    reach = {module: above(module, imports) for module in imports}
    return {
        frozenset(other for other in reach[module] if module in reach[other])
        for module in imports
        if module in reach[module]
    }


def lines_of(function):
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return 0 if not body else body[-1].end_lineno - body[0].lineno + 1


def parameters(function):
    arguments = function.args
    return itertools.chain(arguments.posonlyargs, arguments.args, arguments.kwonlyargs)


def is_untyped(parameter):
    return isinstance(parameter.annotation, ast.Name) and parameter.annotation.id == "Any"


def untyped(trees):
    """Yield the functions and parameters of which nothing is said but Any."""
    for name, function in functions(trees):
        yield from ((name, parameter) for parameter in parameters(function) if is_untyped(parameter))


TELLS_VENDORS_APART = ("facade.vendors", "facade.sql.core.words")
BY_VALUE = (ast.Eq, ast.NotEq, ast.In, ast.NotIn)


def is_vendors_name(node):
    """Tell `vendor`, `database.vendor`, `dialect.name` and `url.get_backend_name()` from other values."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Attribute) and node.func.attr == "get_backend_name"
    if isinstance(node, ast.Attribute):
        return node.attr == "vendor" or (node.attr == "name" and ast.unparse(node.value).endswith("dialect"))
    return isinstance(node, ast.Name) and node.id == "vendor"


def compares_a_vendor(node):
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id == "is_mariadb"
    return (
        isinstance(node, ast.Compare)
        and all(isinstance(operator, BY_VALUE) for operator in node.ops)
        and any(map(is_vendors_name, (node.left, *node.comparators)))
    )


def vendor_tests(trees):
    for module, tree in trees.items():
        if not module.startswith(TELLS_VENDORS_APART):
            yield from (f"{module}:{node.lineno}" for node in ast.walk(tree) if compares_a_vendor(node))


def test_a_circle_of_imports_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == {frozenset({"b", "c"})}


def test_no_modules_import_each_other_not_even_for_types(trees):
    # A model's class, its metaclass and its manager name each other by nature.
    found = [
        circle
        for circle in circles(graph(trees))
        if not all(name.startswith("facade.orm.") for name in circle)
    ]
    assert [sorted(circle) for circle in found] == []


def test_nothing_is_imported_inside_a_function(trees):
    assert [
        name
        for name, function in functions(trees)
        for node in ast.walk(function)
        if isinstance(node, IMPORTS)
    ] == []


def test_functions_are_short(trees):
    assert [name for name, function in functions(trees) if lines_of(function) > LONGEST_FUNCTION] == []


def test_files_are_short(sizes):
    assert [module for module, lines in sizes.items() if lines > LONGEST_FILE] == []


def test_parameters_say_what_they_take(trees):
    assert len([*untyped(trees)]) <= UNTYPED_PARAMETERS


def test_what_the_house_is_made_of_has_types(trees):
    assert len([name for name, parameter in untyped(trees) if parameter.arg in NOUNS]) <= UNTYPED_NOUNS


def test_no_folder_has_more_modules_than_one_can_see(trees):
    folders = itertools.groupby(
        sorted(path.parent for path in HOUSE.rglob("*.py") if path.name != "__init__.py")
    )
    sizes = {folder.relative_to(HOUSE).as_posix(): len(list(modules)) for folder, modules in folders}
    assert {folder: size for folder, size in sizes.items() if size > MODULES_OF_A_FOLDER} == {}


def test_the_layers_are_drawn_as_the_linter_knows_them():
    """And their rooms."""
    page = (HOUSE.parent / "docs" / "how-it-works.md").read_text()
    (drawing,) = re.findall(r"^```text\n(cli.*?)^```$", page, re.MULTILINE | re.DOTALL)
    drawn = []
    for line in drawing.splitlines():
        if line[0] != " ":
            drawn.append(re.split(" {2,}", line))
        elif more := line.strip(" │"):
            drawn[-1][-1] += more
    there = {path.stem for path in HOUSE.iterdir()}
    assert [set(names.split(", ")) for names, *_ in drawn] == [
        found for layer in LAYERS["facade"] if (found := layer & there)
    ]
    for names, *rooms in drawn:
        if (contract := LAYERS.get(f"facade.{names.split(',')[0]}")) is not None:
            assert [set(re.findall(r"\w+", level)) for level in rooms[0].split("→")] == contract, names


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        ("compiler.vendor == 'mysql'", True),
        ("self.dialect.name not in KNOWN", True),
        ("is_mariadb(dialect)", True),
        ("url.get_backend_name() in MYSQL", True),
        ("vendor is None", False),
        ("compiler.features.supports_comments", False),
        ("spellings.get(compiler.vendor)", False),
    ],
)
def test_a_test_of_a_vendor_by_name_is_found(source, is_one):
    assert any(map(compares_a_vendor, ast.walk(ast.parse(source)))) == is_one


def test_databases_are_told_apart_in_one_place(trees):
    """Elsewhere code asks what a database can do (`features`), or for its words (`compiler.words`)."""
    found = [*vendor_tests(trees)]
    assert len(found) <= VENDOR_TESTS, found


def test_the_extra_all_has_every_other():
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = extras.pop("all")
    assert set(everything.partition("[")[2].rstrip("]").split(",")) == set(extras)
