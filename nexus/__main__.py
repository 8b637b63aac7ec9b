"""`python3 -m nexus`: checks Python and platform. The syntax of this file works from Python 3.6 on."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - older versions reach this check.
    version = ".".join(map(str, sys.version_info[:2]))
    sys.exit(
        f"nexus needs Python 3.11 or newer, and this is {version}: try python3.13 -m nexus, or install one"
    )
if os.name == "nt":
    sys.exit("nexus does not run on native Windows, since gunicorn does not: use WSL (wsl --install)")

from nexus.bootstrap import main

sys.exit(main(sys.argv[1:]))
