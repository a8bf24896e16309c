"""Rows are locked in one order everywhere, or two requests that meet wait for each other for ever."""

from __future__ import annotations

import ast
import re
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


def unordered_statements(source: str) -> list[str]:
    """Give what stands in SQL from `SELECT` to a row lock, if it names no order and no one row by its key."""
    found = []
    for lock in re.finditer(r"\bFOR (?:NO KEY )?UPDATE\b", source):
        statement = _own_part(source[: lock.start()])
        if not re.search(r"\bORDER BY\b|\b(?:id|\w+_id|key|owner) = (?:%|\()", statement):
            found.append(statement)
    return found


def _own_part(before: str) -> str:
    """Go back to the beginning of the statement, past whole brackets, whose content is left out."""
    own, depth = "", 0
    for character in reversed(before):
        depth += (character == ")") - (character == "(")
        if depth < 0 or own.startswith(("SELECT", "PERFORM")):
            break
        if depth == 0:
            own = character + own
    return own


@pytest.mark.parametrize("app", APPS)
def test_every_lock_in_sql_names_its_order_or_the_one_row(app: str) -> None:
    """An owner has one reservation at most that is soft: a constraint says so."""
    wrong = {
        str(path.relative_to(ROOT)): statements
        for path in (ROOT / app).rglob("*.py")
        if "migrations" not in path.parts and (statements := unordered_statements(path.read_text()))
    }
    assert wrong == {}


def test_a_lock_without_order_is_seen() -> None:
    assert unordered_statements("SELECT id FROM a WHERE state = 'due' FOR NO KEY UPDATE") != []
    assert unordered_statements("(SELECT a FROM a WHERE b IN (SELECT b FROM b ORDER BY b) FOR UPDATE)") != []
    assert unordered_statements("SELECT id FROM a WHERE state = 'due' ORDER BY id LIMIT 5 FOR UPDATE") == []
    assert unordered_statements("SELECT 1 FROM a WHERE a.id = %(id)s FOR UPDATE") == []
    assert unordered_locks("Alert.objects.select_for_update().filter(ended_at=None)") == [1]
    assert unordered_locks("Alert.objects.select_for_update().filter(ended_at=None).order_by('id')") == []
    assert unordered_locks("Alert.objects.select_for_update().get(pk=alert_id)") == []
