"""Imports a recipe's file. Its errors become one sentence with file, line and the nearest right thing."""

import ast
import inspect
import re
import traceback
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from kit.core.errors import KitError, close_to
from kit.core.lazy import typing_only
from kit.core.own_code import PACKAGE, is_of_kit

ROOT = Path(__file__).parents[1]  # of kit
NOT_FOUND = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
CALL = re.compile(r"(?:[\w.]+\.)?(\w+)\(\) ")  # how Python begins a sentence about a call
DEFINED = re.compile(r"^(?:class|def) ([A-Za-z]\w*)|^([A-Za-z]\w*)(?:: [^=]+)? = ", re.MULTILINE)


def import_recipe(module: str, folder: Path) -> ModuleType:
    """The module of a recipe.

    Args:
        module: its name.
        folder: folder of the user's own code: the error names the last line in a file below it.

    Raises:
        KitError: the file, or a file that it imports, has an error.
    """
    try:
        return import_module(module)
    except Exception as error:
        raise KitError(described(error, folder)) from error


def described(error: Exception, folder: Path) -> str:
    """An error of the user's own file as one sentence: file, line, error, and the nearest right thing."""
    frames = [(f, n) for f, n in traceback.walk_tb(error.__traceback__) if _below(folder, f.f_code.co_filename)]
    if isinstance(error, SyntaxError):
        file, line, known = error.filename or "", error.lineno, dict[str, Any]()
    elif frames:
        frame, line = frames[-1]
        file, known = frame.f_code.co_filename, {**frame.f_globals, **frame.f_locals}
    else:
        return _sentence(error, "", None, {})
    where = f"{_shown(Path(file), folder)}, line {line}"
    return f"{where}: {_sentence(error, file, line, known)}"


def _sentence(error: Exception, file: str, line: int | None, known: dict[str, Any]) -> str:
    said = (str(error).strip().splitlines() or [""])[0].rstrip(".")
    if isinstance(error, KitError):
        return str(error)
    if isinstance(error, SyntaxError):
        return f"{error.msg}: {error.text.strip()}" if error.text else error.msg
    if isinstance(error, ModuleNotFoundError):
        if not is_of_kit(error.name):
            return f"there is no module '{error.name}'; is its package installed?"
        lost = str(error.name).partition(".")[2]
        modules = sorted({module.partition(".")[2] for module in _definitions()})
        return f"{PACKAGE} has no module '{lost}'" + (_imports(_imported(file, line)) or close_to(lost, modules))
    if found := NOT_FOUND.match(said):
        name, module = found.groups()
        return f"{module} has no '{name}'" + (_imports([name]) if is_of_kit(module) else "")
    if isinstance(error, NameError):
        return f"'{error.name}' is not defined" + _imports([str(error.name)], known)
    if isinstance(error, AttributeError) and error.name and isinstance(error.obj, ModuleType):
        module = error.obj.__name__
        return f"{module} has no '{error.name}'" + (_imports([error.name]) if is_of_kit(module) else "")
    if isinstance(error, TypeError) and (called := CALL.match(said)):
        return f"{said}{_signature(said, called.group(1), known)}"
    return f"{type(error).__name__}: {said}".rstrip(": ")


# ---- names of kit ------------------------------------------------------------------------------


def _imports(names: list[str], own: Iterable[str] = ()) -> str:
    """The clause that says how these names are imported from kit, or which name is near the first of them.

    Args:
        names: as a person wrote them.
        own: further names that the person's file has, one of which may be near.
    """
    offered = dict.fromkeys(typing_only(str(ROOT / "__init__.py")), PACKAGE)
    places = {name: module for module, found in reversed(_definitions().items()) for name in found} | offered
    if here := [name for name in names if name in places]:
        return f"; {_line(places, here)}"
    if not names or not (near := close_to(names[0], [*own, *offered])):
        return ""
    name = near.split("'")[1]
    return f"{near} {_line(places, [name])}" if name in offered and name not in own else near


def _line(places: dict[str, str], names: list[str]) -> str:
    modules = dict.fromkeys(places[name] for name in names)
    return "; ".join(
        f"from {module} import {', '.join(name for name in names if places[name] == module)}" for module in modules
    )


def _definitions() -> dict[str, list[str]]:
    """Module of kit → the public names that its file defines."""
    found = dict[str, list[str]]()
    for path in sorted(ROOT.rglob("*.py")):
        parts = [PACKAGE, *path.relative_to(ROOT).with_suffix("").parts]
        names = [a or b for a, b in DEFINED.findall(path.read_text(encoding="utf-8"))]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = names
    return found


# ---- the person's file -------------------------------------------------------------------------


def _imported(file: str, line: int | None) -> list[str]:
    """The names that the import in this line of a file asks for."""
    for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8"))) if file else ():
        if isinstance(node, ast.ImportFrom) and line and node.lineno <= line <= (node.end_lineno or node.lineno):
            return [alias.name for alias in node.names if alias.name != "*"]
    return []


def _signature(said: str, name: str, known: dict[str, Any]) -> str:
    """How the function or class of a wrong call is called."""
    if name == "__init__":
        name = said.partition(".__init__")[0].rpartition(".")[2]
    try:
        signature = inspect.signature(known[name])
    except (KeyError, TypeError, ValueError):
        return ""
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values() if p.name != "self"]
    return f"; it is called as {name}{signature.replace(parameters=plain, return_annotation=signature.empty)}"


def _below(folder: Path, file: str) -> bool:
    return Path(file).is_absolute() and folder.resolve() in Path(file).resolve().parents


def _shown(file: Path, folder: Path) -> str:
    """A file's name as a person knows it: from the folder above `folder` on."""
    try:
        return file.resolve().relative_to(folder.resolve().parent).as_posix()
    except ValueError:
        return str(file)
