"""A function's code as a text that changes only if the function computes something else.

The text is the function's source without comments, docstrings, annotations and layout. The source is found in the same
way as for tracebacks (`linecache`: files and notebook cells). It is used only if it compiles to exactly the code of the
function, because a file may have been edited after its import. Otherwise the byte code is used.
"""

import __future__

import ast
import dis
import linecache
from collections.abc import Iterator
from functools import cache, lru_cache
from types import CodeType
from typing import Any

FLAGS = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)


@cache
def function_text(code: CodeType) -> str:
    """The source of a function in a normal form; its byte code if there is no source."""
    node = function_node(code)
    return repr(_instructions(code)) if node is None else ast.unparse(_Normal().normal(node))


def nested_codes(code: CodeType) -> Iterator[CodeType]:
    """The code objects of a function and of all functions and classes inside it."""
    yield code
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from nested_codes(const)


# ---- instructions --------------------------------------------------------------------------------


def _instructions(code: CodeType) -> list[Any]:
    """The byte code, without line numbers, file name and docstring."""
    signature = [code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags, code.co_varnames]
    return [signature, [[step.opname, _constant(step.argval)] for step in dis.get_instructions(code)]]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _instructions(value)
    if isinstance(value, frozenset):  # its order differs between processes
        return ["frozenset", sorted(repr(_constant(v)) for v in value)]
    return ["tuple", [_constant(v) for v in value]] if isinstance(value, tuple) else [type(value).__name__, repr(value)]


# ---- source --------------------------------------------------------------------------------------


def source_text(code: CodeType) -> str:
    """The text of the file or notebook cell that defines a function; "" if it is unknown."""
    return "".join(linecache.getlines(code.co_filename))


@lru_cache(maxsize=64)
def tree_of(text: str) -> ast.Module | None:
    """The syntax tree of a source; None if it is not valid Python."""
    try:
        return ast.parse(text) if text else None
    except (SyntaxError, ValueError):
        return None


def function_node(code: CodeType) -> ast.AST | None:
    """The node of the function in its source; None if there is none, or if several could be it."""
    for again in (False, True):
        if again:
            linecache.checkcache(code.co_filename)
        text = source_text(code)
        if (tree := tree_of(text)) is None:
            continue
        places = {(c.co_name, c.co_firstlineno) for c in _compiled(text, code) if _same(c, code)}
        nodes = [node for node in ast.walk(tree) if _place(node) in places]
        if len({ast.unparse(node) for node in nodes}) == 1:
            return nodes[0]
    return None


def _compiled(text: str, code: CodeType) -> list[CodeType]:
    flags = code.co_flags & FLAGS | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT  # notebooks allow `await` in a cell
    return _codes(text, flags)


@lru_cache(maxsize=64)
def _codes(text: str, flags: int) -> list[CodeType]:
    try:
        return list(nested_codes(compile(text, "<source>", "exec", flags, dont_inherit=True)))
    except (SyntaxError, ValueError):
        return []


def _same(one: CodeType, other: CodeType) -> bool:
    return one.co_qualname == other.co_qualname and _instructions(one) == _instructions(other)


def _place(node: ast.AST) -> tuple[str, int] | None:
    if isinstance(node, ast.Lambda):
        return "<lambda>", node.lineno
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])
    return None


class _Normal(ast.NodeTransformer):
    """Removes what does not change a result: docstrings, annotations, and the decorators of the function itself.

    The effect of a decorator is in the object that it made, and that object is described anyway.
    """

    def normal(self, node: ast.AST) -> ast.AST:
        tree = self.visit(ast.parse(ast.unparse(node)))  # a copy
        if isinstance(function := tree.body[0], ast.FunctionDef | ast.AsyncFunctionDef):
            function.decorator_list = []
        return tree  # type: ignore[no-any-return]

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            kept = [n for n in node.body if not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant))]
            node.body = kept or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is None or not node.simple:
            return node
        return ast.Assign([node.target], node.value, lineno=node.lineno)
