"""The house's import rule, read from the syntax trees: arrows point one way (README, "Layout")."""

import ast
from pathlib import Path

import pytest

FIRMWARE = Path(__file__).parents[1] / "firmware"
SOURCES = sorted(FIRMWARE.rglob("*.py"))
HARDWARE = {"machine", "network", "esp32"}
DECISIONS = {"level", "forecast", "gauge", "orders", "agent", "uplink", "dates"}
IO = {"https", "store", "console", "commands", "settings", "register", "wipe", "link", "drs"}
IO |= {"log"}
IO_MODULES = {"asyncio", "ssl", "tls", "socket", "os", "vfs", "select", "hal", "board"}
# What both sides may speak in: exceptions, times as text.
SHARED = {"lowtide", "lowtide.dates"}
FORBIDDEN = {"typing", "enum", "dataclasses", "abc"}
NETWORK = {"asyncio", "ssl", "tls", "socket", "network", "attended"} | {
    f"lowtide.{name}"
    for name in (
        "https",
        "link",
        "drs",
        "uplink",
        "console",
        "commands",
        "calibrate",
        "settings",
        "register",
        "wipe",
    )
}


def name_of(path):
    """Return a source's module name."""
    parts = path.relative_to(FIRMWARE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): ast.parse(path.read_text(), str(path)) for path in SOURCES}


def imported(nodes):
    """Return the modules that these nodes import."""
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return found


def at_import(nodes):
    """Yield the statements that run when a module is imported, those under `if` and `try` too."""
    for node in nodes:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from at_import(ast.iter_child_nodes(node))


def closure(name):
    """Return every module that importing this one imports, itself included."""
    seen, to_do = set(), [name]
    while to_do:
        module = to_do.pop()
        if module in seen:
            continue
        seen.add(module)
        seen |= {".".join(module.split(".")[:n]) for n in range(1, module.count(".") + 1)}
        if module in MODULES:
            to_do.extend(imported(at_import(MODULES[module].body)))
    return seen


def everything(name):
    """Return what a module imports anywhere, late imports included."""
    return imported(ast.walk(MODULES[name]))


def calls(name):
    """Return the plain names that a module calls."""
    return {
        node.func.id
        for node in ast.walk(MODULES[name])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def test_the_tree_was_read():
    wanted = {"main", "app", "boot", "hal", "lowtide", "lowtide.gauges"}
    assert wanted | {f"lowtide.{name}" for name in DECISIONS | IO} <= set(MODULES)
    assert "lowtide.agent" in everything("app")


@pytest.mark.parametrize("name", MODULES)
def test_only_hal_imports_the_hardware(name):
    # The starters go to sleep even where hal is what cannot be loaded.
    starter = {"machine"}
    allowed = {"hal": HARDWARE, "boot": starter, "main": starter}.get(name, set())
    assert everything(name) & HARDWARE <= allowed


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("lowtide")])
def test_the_agent_imports_nothing_of_the_composition_root(name):
    assert not everything(name) & {"main", "app", "attended", "boot", "hal", "board"}


@pytest.mark.parametrize("name", sorted(DECISIONS))
def test_decisions_import_no_io(name):
    assert not everything(f"lowtide.{name}") & (IO_MODULES | {f"lowtide.{io}" for io in IO})
    assert not calls(f"lowtide.{name}") & {"open", "print", "input"}


@pytest.mark.parametrize("name", sorted(IO))
def test_io_imports_no_decisions(name):
    decisions = {f"lowtide.{decision}" for decision in DECISIONS} - SHARED
    assert not everything(f"lowtide.{name}") & decisions


@pytest.mark.parametrize("name", sorted(SHARED))
def test_the_shared_vocabulary_imports_nothing_of_ours(name):
    assert not {module for module in everything(name) if module in MODULES} - {"lowtide"}


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("lowtide.gauges")])
def test_a_gauge_driver_gets_its_pins_handed_in(name):
    assert {m for m in everything(name) if m in MODULES} <= {"lowtide", "lowtide.gauges"}


@pytest.mark.parametrize("name", MODULES)
def test_no_bare_except_and_no_module_that_costs_more_than_it_gives(name):
    assert not everything(name) & FORBIDDEN
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{name}, line {node.lineno}: bare except"


@pytest.mark.parametrize("name", MODULES)
def test_nothing_prints_but_the_log(name):
    if name != "lowtide.log":
        assert not calls(name) & {"print", "exec", "eval", "input"}


def test_a_measure_wake_imports_nothing_of_the_network():
    found = closure("main")
    assert {"lowtide.agent", "lowtide.orders", "lowtide.store", "hal"} <= found
    assert not found & NETWORK


def test_importing_does_no_work():
    for name, tree in MODULES.items():
        if name in ("main", "boot"):
            continue
        for node in tree.body:
            assert not isinstance(node, ast.For | ast.While | ast.With | ast.Try), (
                f"{name}, line {node.lineno}"
            )
            if isinstance(node, ast.Expr):
                assert isinstance(node.value, ast.Constant), f"{name}, line {node.lineno}"
