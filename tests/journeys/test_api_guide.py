"""The lines of docs/api.md do what the page says, typed as they stand there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from shop.accounts.models import User
from tests.api.helpers import sell

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
SCRIPTS = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_guides_lines_buy_and_sign_in(web_server: str) -> None:
    sell("MUG-1", price=1400, on_hand=5)
    User.objects.create_user("ada@example.com", "trolley-demo")

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(SCRIPTS)],
        env={"PATH": os.environ["PATH"], "BASE": web_server},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    total, units, signed_in = done.stdout.splitlines()
    assert (total, units) == ("2800", "0")
    assert '"session_token"' in signed_in
