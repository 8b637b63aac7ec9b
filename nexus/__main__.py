"""`python3 -m nexus`: what it needs of a computer. Every Python from 3.6 on can read this file."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - telling those with an older one is what this is for.
    version = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        f"nexus needs Python 3.11 or newer and this is {version}: try python3.13 -m nexus, or install one"
    )
if os.name == "nt":
    sys.exit("nexus does not run on Windows itself, since gunicorn does not: use WSL (wsl --install)")

from nexus.bootstrap import main

sys.exit(main(sys.argv[1:]))
