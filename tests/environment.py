"""Processes that tests start: their environment has the test's settings, and none of the machine's."""

import os
import subprocess
from pathlib import Path

from nexus.config import Settings
from tests import forked


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    """Return the environment of a process that is to run with these settings."""
    ours = {name.upper() for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return {
        **inherited,
        "APP_ENV": "development",
        "DATABASE_URL": str(settings.database_url),
        "DATABASE_POOL_URL": settings.database_pool_url or "",
        "RATE_LIMIT_ENABLED": "false",
        "JWT_SECRET_KEY": settings.jwt_secret_key,
        "RECEIPT_SECRET_KEY": settings.receipt_secret_key,
        **changes,
    }


def flask(
    root: Path, settings: Settings, *words: str, typed: str = "", **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run a `flask` command in a checkout, and return its result."""
    return forked.run(words, cwd=root, env=environment(settings, **changes), typed=typed)
