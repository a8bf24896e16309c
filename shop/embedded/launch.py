"""Become another program that ends when its starter ends: `python launch.py STARTER SIGNAL USER PROGRAM ARGUMENT…`.

A script of its own, because what happens between fork and exec of a process with threads must not be Python code.
USER is `-`, or the name of the user to become (only root can). Imports nothing of the project: it starts in no time.
"""

import ctypes
import os
import pwd
import signal
import sys
import warnings  # noqa: F401 - execvp wants it, and may no longer reach the library once it is nobody

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Drop rights, tie this process to its starter, hear SIGINT, become the program."""
    starter, ending, user, *program = sys.argv[1:]
    if user != "-":
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        os.environ["HOME"] = entry.pw_dir
    if sys.platform == "linux":
        # After the change of user, which the kernel answers by forgetting the wish.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(ending), 0, 0, 0)
        if os.getppid() != int(starter):
            os.kill(os.getpid(), signal.SIGKILL)
    # Whoever a shell without job control started in the background ignores it, and would hand that down.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(program[0], program)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
