"""Which faults are put in: cosmic-ray's, less those that no one would write, and calls that are left out.

A fault that fails as soon as its line runs (a bit shift of a float) shows only that the line runs. So an operator is
replaced by its likely mistakes alone, and type annotations are left as they are.
"""

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import parso
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.operators.operator import Example, Operator
from cosmic_ray.work_item import MutationSpec
from parso.tree import BaseNode, NodeOrLeaf

LIKELY = {
    "Add": ["Sub"],
    "Sub": ["Add"],
    "Mul": ["Div"],
    "Div": ["Mul"],
    "FloorDiv": ["Div", "Mul"],
    "Mod": ["FloorDiv"],
    "Pow": ["Mul"],
    "BitOr": ["BitAnd"],
    "BitAnd": ["BitOr"],
    "LShift": ["RShift"],
    "RShift": ["LShift"],
    "Eq": ["NotEq"],
    "NotEq": ["Eq"],
    "Lt": ["LtE", "GtE"],
    "LtE": ["Lt", "Gt"],
    "Gt": ["GtE", "LtE"],
    "GtE": ["Gt", "Lt"],
    "Is": ["IsNot"],
    "IsNot": ["Is"],
    "USub": ["UAdd"],
}
"""What stands in the place of an operator."""
WHOLE = {
    "AddNot",
    "ExceptionReplacer",
    "NumberReplacer",
    "RemoveDecorator",
    "ReplaceAndWithOr",
    "ReplaceBreakWithContinue",
    "ReplaceContinueWithBreak",
    "ReplaceFalseWithTrue",
    "ReplaceOrWithAnd",
    "ReplaceTrueWithFalse",
    "ReplaceUnaryOperator_Delete_Not",
    "ZeroIterationForLoop",
}
"""cosmic-ray's other operators that are used."""


class LeaveOutCall(Operator):
    """A statement that is a call alone is replaced by ``pass``: a write, a check or a notification is forgotten."""

    def mutation_positions(self, node: NodeOrLeaf) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Yield where a statement is nothing but a call."""
        if isinstance(node, BaseNode) and node.type == "simple_stmt":
            statement = node.children[0]
            if statement.type in ("atom_expr", "await_expr") and statement.get_last_leaf().value == ")":
                yield statement.start_pos, statement.end_pos

    def mutate(self, node: BaseNode, index: int) -> BaseNode:
        """Put ``pass`` in the place of the call."""
        replacement = parso.parse("pass").children[0]
        replacement.prefix = node.get_first_leaf().prefix
        node.children[0] = replacement
        return node

    @classmethod
    def examples(cls) -> Sequence[Example]:
        """Return an example, as cosmic-ray asks of its operators."""
        return (Example("file.close()\n", "pass\n"),)


plugins.OPERATOR_PROVIDERS["project"] = {"LeaveOutCall": LeaveOutCall}


def names() -> list[str]:
    """Return the operators that are used, by cosmic-ray's names."""
    pairs = {f"{old}_{new}" for old, news in LIKELY.items() for new in news}
    kept = [name for name in plugins.operator_names() if _pair(name) in pairs or name.partition("/")[2] in WHOLE]
    return [*kept, "project/LeaveOutCall"]


def family(operator: str) -> str:
    """Return what mutants of one place have in common: they are drawn as one."""
    return "Replace" + re.split("[A-Z]", _pair(operator))[0] if _pair(operator) else operator


def _pair(operator: str) -> str:
    match = re.fullmatch(r"core/Replace(?:Binary|Comparison|Unary)Operator_(\w+_\w+)", operator)
    return match[1] if match else ""


def annotations_of(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where type annotations stand, as (row, column) of their starts and ends."""
    nodes: list[ast.expr] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            nodes.append(node.annotation)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns is not None:
            nodes.append(node.returns)
    return [((n.lineno, n.col_offset), (n.end_lineno or n.lineno, n.end_col_offset or 0)) for n in nodes]


def mutants(module: Path) -> Iterator[MutationSpec]:
    """Yield every mutant of a module."""
    annotations = annotations_of(module.read_text(encoding="utf-8"))
    nodes = list(ast_nodes(get_ast_from_path(module)))
    for name in names():
        operator = plugins.get_operator(name)()
        places = ((node, start, end) for node in nodes for start, end in operator.mutation_positions(node))
        for occurrence, (node, start, end) in enumerate(places):
            if not any(first <= start < last for first, last in annotations):
                where = ASTQuery(node).get_definition_name()
                yield MutationSpec(module, name, occurrence, start, end, definition_name=where)
