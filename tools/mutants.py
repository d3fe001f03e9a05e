"""Small deliberate faults in a module, one at a time: what `tools/mutate.py` puts in.

A comparison that takes the limit, too; a sum that is a difference; another number; a call, a
check or an argument that is left out. Texts, annotations and what errors tell stay.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

_SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_OTHER_CALL = {"min": "max", "max": "min", "any": "all", "all": "any"}
# Arguments that check what holds anyway, or name the default: to change them changes nothing.
_HARMLESS = ("strict", "encoding")
_TEXT = (ast.JoinedStr, ast.FormattedValue)


@dataclass(frozen=True)
class Mutant:
    """A changed module.

    Attributes:
        name: line and change, such as `42: a < b -> a <= b`.
        lines: of the statement that is changed, first and last.
        inside: whether it stands in a function; what does not runs at import.
        written: gives the source of the whole module, which takes far longer than all the rest.
    """

    name: str
    lines: tuple[int, int]
    inside: bool
    written: Callable[[], str]


@dataclass(frozen=True)
class _Site:
    node: ast.AST
    change: Callable[[ast.AST], ast.AST]
    statement: ast.stmt
    inside: bool


def mutants(source: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its lines."""
    tree = ast.parse(source)
    for site in _sites(tree, None, False):
        before = ast.unparse(site.node)
        # The copy keeps the identity of every other node; only the place on the way is replaced.
        changed = site.change(copy.deepcopy(site.node))
        line = getattr(site.node, "lineno", site.statement.lineno)
        last = site.statement.end_lineno or line
        if isinstance(site.statement, ast.If | ast.For | ast.While | ast.With):
            last = site.statement.body[0].lineno - 1 or line
        told = f"{line}: {_short(before)} -> {_short(ast.unparse(changed))}"
        written = partial(_written, tree, site.node, changed)
        yield Mutant(told, (site.statement.lineno, max(last, line)), site.inside, written)


def _written(tree: ast.Module, node: ast.AST, changed: ast.AST) -> str:
    return f"{ast.unparse(_replaced(tree, node, changed))}\n"


def _sites(node: ast.AST, statement: ast.stmt | None, inside: bool) -> Iterator[_Site]:
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, _TEXT):
                continue
            if isinstance(child, ast.keyword) and child.arg in _HARMLESS:
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            around = child if isinstance(child, ast.stmt) else statement
            for change in _changes(child):
                assert around is not None
                yield _Site(child, change, around, inside)
            deeper = inside or isinstance(
                child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
            )
            yield from _sites(child, around, deeper)


def _changes(node: ast.AST) -> Iterator[Callable[[ast.AST], ast.AST]]:
    """What can be changed in one node, as functions of a copy of it."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _SWAPPED:
        yield lambda one: _set(one, ops=[_SWAPPED[type(one.ops[0])](), *one.ops[1:]])
    if (
        isinstance(node, ast.BoolOp | ast.BinOp)
        and type(node.op) in _SWAPPED
        and not _is_text(node)
    ):
        yield lambda one: _set(one, op=_SWAPPED[type(one.op)]())
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        yield lambda one: one.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda one: _set(one, value=not one.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield lambda one: _set(one, value=_other_number(one.value))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield lambda one: ast.Pass()
    if isinstance(node, ast.Raise):
        yield lambda one: ast.Pass()
    if isinstance(node, ast.If | ast.IfExp) and isinstance(
        node.test, ast.Name | ast.Call | ast.Attribute
    ):
        yield lambda one: _set(one, test=ast.UnaryOp(ast.Not(), one.test))
    if isinstance(node, ast.comprehension) and node.ifs:
        yield lambda one: _set(one, ifs=[])
    if isinstance(node, ast.Call):
        yield from _changed_calls(node)


def _changed_calls(node: ast.Call) -> Iterator[Callable[[ast.AST], ast.AST]]:
    if isinstance(node.func, ast.Name) and node.func.id in _OTHER_CALL:
        yield lambda one: _set(one, func=ast.Name(_OTHER_CALL[one.func.id]))
    for place in range(len(node.keywords)):
        if node.keywords[place].arg not in (None, *_HARMLESS):
            yield lambda one, place=place: _set(
                one, keywords=[k for n, k in enumerate(one.keywords) if n != place]
            )


def _other_number(number: float) -> float:
    return number + 1 if abs(number) < 10 else 2 * number


def _is_text(node: ast.BinOp | ast.BoolOp) -> bool:
    sides = (node.left, node.right) if isinstance(node, ast.BinOp) else ()
    return any(
        isinstance(one, ast.JoinedStr)
        or (isinstance(one, ast.Constant) and isinstance(one.value, str))
        for one in sides
    )


def _set(node: ast.AST, **fields: object) -> ast.AST:
    for name, value in fields.items():
        setattr(node, name, value)
    return node


def _replaced(node: ast.AST, old: ast.AST, new: ast.AST) -> ast.AST:
    """A tree with one node exchanged; parts that do not hold it are shared."""
    if node is old:
        return new
    made = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            setattr(
                made, name, [_replaced(v, old, new) if isinstance(v, ast.AST) else v for v in value]
            )
        elif isinstance(value, ast.AST):
            setattr(made, name, _replaced(value, old, new))
    return made


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else f"{text[:28]} .. {text[-28:]}"
