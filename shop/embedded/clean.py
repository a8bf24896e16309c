"""`make clean`: delete the demo's data, after ending what a killed demo has left running."""

from __future__ import annotations

import shutil
import sys

from shop.embedded import addresses, demo, supervisor


def main() -> int:
    """Delete DATA_DIR and the sockets; return the exit code."""
    try:
        options = demo.read_options()
        if not options.data_dir.exists():
            return 0
        if not (options.data_dir / "demo.lock").exists():
            supervisor.say("clean", f"{options.data_dir} is no demo's directory: it is left alone.")
            return 1
        with demo.held(options.data_dir):
            supervisor.clear_leftovers(options.data_dir / "run" / "processes.json")
            shutil.rmtree(addresses.socket_directory(options.data_dir), ignore_errors=True)
            shutil.rmtree(options.data_dir)
    except demo.RefusedError as refusal:
        supervisor.say("clean", str(refusal))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
