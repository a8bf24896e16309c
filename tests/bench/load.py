"""Loads for the benchmarks: wrk for single requests, processes of our own for whole purchases."""

from __future__ import annotations

import re
import statistics
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Rate:
    """What one run of a load saw."""

    per_second: float
    p99_ms: float
    errors: int


@dataclass(frozen=True, slots=True)
class Request:
    """One kind of request, repeated; where `bodies` has several, each connection takes the next one."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    bodies: tuple[str, ...] = ("",)


_SCRIPT = """
local bodies = {{ {bodies} }}
local n = 0
wrk.method = "{method}"
{headers}
request = function()
  n = n + 1
  return wrk.format(nil, nil, nil, bodies[n % #bodies + 1])
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %.3f %.3f %d\\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(99) / 1000, e.status + e.connect + e.read + e.timeout))
end
"""


def _lua(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def run_wrk(request: Request, *, seconds: int, connections: int = 16) -> Rate:
    """Send `request` from one thread over `connections` for `seconds`.

    :raises RuntimeError: if wrk prints no result.
    """
    headers = "\n".join(f"wrk.headers[{_lua(k)}] = {_lua(v)}" for k, v in (request.headers or {}).items())
    script = _SCRIPT.format(bodies=", ".join(map(_lua, request.bodies)), method=request.method, headers=headers)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", file.name, request.url]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 30).stdout
    found = re.search(r"RESULT ([\d.]+) ([\d.]+) (\d+)", output)
    if found is None:
        raise RuntimeError(output)
    return Rate(float(found[1]), float(found[2]), int(found[3]))


def median(rates: list[Rate]) -> Rate:
    """Take the middle run by rate; errors of all runs are added up."""
    middle = statistics.median_low([rate.per_second for rate in rates])
    chosen = next(rate for rate in rates if rate.per_second == middle)
    return Rate(chosen.per_second, chosen.p99_ms, sum(rate.errors for rate in rates))


def write_text(path: Path, text: str) -> None:
    """Write a file whole."""
    path.write_text(text, encoding="utf-8")
