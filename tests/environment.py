"""The environment of the processes that tests start: the test's settings, and nothing of the machine's."""

import os

from nexus.config import Settings


def environment(settings: Settings, **changes: str) -> dict[str, str]:
    """What a process needs to run with these settings."""
    ours = {name.upper() for name in Settings.model_fields}
    inherited = {name: value for name, value in os.environ.items() if name not in ours}
    return {
        **inherited,
        "APP_ENV": "development",
        "DATABASE_URL": str(settings.database_url),
        "DATABASE_POOL_URL": settings.database_pool_url or "",
        "JWT_SECRET_KEY": settings.jwt_secret_key,
        **changes,
    }
