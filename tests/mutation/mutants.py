"""The mutants of a source file: each is the file with one small change.

Left alone is what says nothing about behaviour: docstrings, annotations, the texts of errors,
``__all__``, the arguments of ``@dataclass``.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitOr, ast.Pow: ast.Mult,
}  # fmt: skip
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Mutant:
    """``name`` says where and what; ``lines`` are those of the statement.

    ``function`` is the (name, line) of the outermost function around, whose code alone differs;
    None where it is the module's.
    """

    name: str
    lines: range
    function: tuple[str, int] | None
    apply: Callable[[], ast.Module]


def mutants_of(source: str) -> list[Mutant]:
    """All mutants of a module."""
    tree = ast.parse(source)
    found: list[Mutant] = []
    seen: Counter[str] = Counter()
    for place in _places(tree):
        for before, after, node in _changes(place.node):
            name = f"{place.scope}: {before} -> {after}"
            seen[name] += 1
            if seen[name] > 1:
                name += f" ({seen[name]})"
            apply = _applier(tree, place.node, node)
            found.append(Mutant(name, place.lines, place.function, apply))
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    node: ast.AST
    scope: str
    lines: range
    function: tuple[str, int] | None


def _places(tree: ast.Module) -> Iterator[_Place]:
    """The nodes that may be changed, in the order of the source."""
    todo = [_Place(child, "module", _lines(child), None) for child in reversed(tree.body)]
    while todo:
        place = todo.pop()
        if _says_nothing(place.node):
            continue
        yield place
        todo += reversed([*_below(place)])


def _below(place: _Place) -> Iterator[_Place]:
    node, inside = place.node, place
    if isinstance(node, ast.Raise):  # what an error says
        return
    if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
        scope = node.name if place.scope == "module" else f"{place.scope}.{node.name}"
        function = place.function
        if function is None and isinstance(node, _FUNCTIONS):
            function = node.name, min([node.lineno, *(d.lineno for d in node.decorator_list)])
        inside = _Place(node, scope, place.lines, function)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params", "decorator_list"):
            continue
        # Defaults belong to who defines the function.
        of = inside if name == "body" or not isinstance(node, _FUNCTIONS) else place
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                lines = _lines(child) if isinstance(child, ast.stmt) else of.lines
                yield _Place(child, of.scope, lines, of.function)


def _lines(statement: ast.stmt) -> range:
    """Of a compound statement its head's."""
    last = statement.end_lineno or statement.lineno
    body: list[ast.stmt] = getattr(statement, "body", [])
    if body:
        last = max(statement.lineno, body[0].lineno - 1)
    return range(statement.lineno, last + 1)


def _says_nothing(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()):  # a docstring, an ellipsis
            return True
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.Import() | ast.ImportFrom():
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
        case ast.Assert():  # for type checkers
            return True
        case ast.Call(func=ast.Name(id="cast")):
            return True
    return False


Change = tuple[str, str, ast.AST]


def _changes(node: ast.AST) -> Iterator[Change]:
    """What a node may become, with the text of what differs before and after."""
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                ops = [*node.ops]
                ops[index] = _COMPARISONS[type(operator)]()
                yield _change(node, _with(node, ops=ops))
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in _OPERATORS:
            if not (isinstance(node, ast.BinOp) and isinstance(node.left, ast.JoinedStr)):
                yield _change(node, _with(node, op=_OPERATORS[type(operator)]()))
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield _change(node, _with(node, op=other))
        case ast.UnaryOp():
            yield _change(node, node.operand)
        case ast.Constant():
            yield from _constants(node)
        case ast.If() | ast.While() | ast.IfExp():
            yield from _conditions(node)
        case ast.comprehension():
            for index, test in enumerate(node.ifs):
                ifs = [*node.ifs]
                ifs[index] = ast.Constant(True)
                yield f"if {_text(test)}", "if True", _with(node, ifs=ifs)
        case _:
            yield from _statements(node)


def _statements(node: ast.AST) -> Iterator[Change]:
    match node:
        case ast.Return() if node.value is not None and not _is_none(node.value):
            yield _change(node, ast.Return(ast.Constant(None)))
        case ast.Expr() | ast.Raise():
            yield _change(node, ast.Pass())
        case ast.Continue():
            yield "continue", "break", ast.Break()
        case ast.Break():
            yield "break", "continue", ast.Continue()
        case ast.Slice():
            for bound in ("lower", "upper"):
                if getattr(node, bound) is not None:
                    yield _change(node, _with(node, **{bound: None}))


def _with(node: ast.AST, **fields: object) -> ast.AST:
    """The node with some fields changed; what is below it is the same."""
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _constants(node: ast.Constant) -> Iterator[Change]:
    match node.value:
        case bool():
            yield _change(node, ast.Constant(not node.value))
        case int() | float():
            yield _change(node, ast.Constant(node.value + 1))
        case str():
            yield _change(node, ast.Constant(f"{node.value}~"))
        case bytes():
            yield _change(node, ast.Constant(node.value + b"~"))


def _conditions(node: ast.If | ast.While | ast.IfExp) -> Iterator[Change]:
    """Always, and never; a comparison is turned around besides, where it stands."""
    if not isinstance(node.test, ast.Constant):
        for value in (True, False):
            changed = _with(node, test=ast.Constant(value))
            yield f"if {_text(node.test)}", f"if {value}", changed


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _change(before: ast.AST, after: ast.AST) -> Change:
    return _text(before), _text(after), after


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:60]}...{text[-27:]}"


def _applier(tree: ast.Module, old: ast.AST, new: ast.AST) -> Callable[[], ast.Module]:
    class Replace(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if node is old:
                return ast.copy_location(new, old) if hasattr(old, "lineno") else new
            return _rebuilt(self, node)

    def apply() -> ast.Module:
        module = Replace().visit(tree)
        assert isinstance(module, ast.Module)
        return ast.fix_missing_locations(module)

    return apply


def _rebuilt(visitor: ast.NodeTransformer, node: ast.AST) -> ast.AST:
    """A copy of the node with its children visited: the tree itself must stay as it is."""
    fields = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            fields[name] = [visitor.visit(v) if isinstance(v, ast.AST) else v for v in value]
        else:
            fields[name] = visitor.visit(value) if isinstance(value, ast.AST) else value
    return ast.copy_location(type(node)(**fields), node)
