"""Rows are locked in one order everywhere, or two requests that meet wait for each other for ever."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNIQUE = {"pk", "code"}
APPS = ("cart", "pricing", "inventory", "notifications", "shop")


def unordered_locks(source: str) -> list[int]:
    """Tell the lines of `select_for_update` whose query may find several rows and names no order.

    A query is ordered by `order_by`, or finds one row at most: by `pk=` or a field that is unique.
    """
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and node.attr == "select_for_update"):
            continue
        top: ast.AST = node
        while isinstance(parents.get(top), ast.Attribute | ast.Call):
            top = parents[top]
        calls = [call for call in ast.walk(top) if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)]
        is_ordered = any(call.func.attr == "order_by" for call in calls if isinstance(call.func, ast.Attribute))
        names = {keyword.arg for call in calls for keyword in call.keywords}
        if not is_ordered and not names & UNIQUE:
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("app", APPS)
def test_every_lock_on_several_rows_names_its_order(app: str) -> None:
    wrong = {
        str(path.relative_to(ROOT)): lines
        for path in (ROOT / app).rglob("*.py")
        if "select_for_update" in (source := path.read_text()) and (lines := unordered_locks(source))
    }
    assert wrong == {}


def test_a_lock_without_order_is_seen() -> None:
    assert unordered_locks("Alert.objects.select_for_update().filter(ended_at=None)") == [1]
    assert unordered_locks("Alert.objects.select_for_update().filter(ended_at=None).order_by('id')") == []
    assert unordered_locks("Alert.objects.select_for_update().get(pk=alert_id)") == []
