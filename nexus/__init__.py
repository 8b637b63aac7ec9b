"""Nexus, the back end of NEXUS.SALES: `create_app()` assembles it."""

# No imports at module level: `python3 -m nexus` starts here, on any Python and with nothing installed.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nexus.application import Application
    from nexus.config import Settings


def create_app(settings: "Settings | None" = None) -> "Application":
    """Create the application; it opens no connection, so it works while the database is down.

    Without `settings`, they are read from the environment and `.env`. Raises SettingsError if invalid.
    """
    from nexus import admin, cli, db, observe, pages, problems, sentry
    from nexus.api import api, links, ops
    from nexus.application import Application
    from nexus.config import load_settings
    from nexus.security import address, headers, origins, receipts, throttle, tokens

    settings = settings or load_settings()
    app = Application("nexus")
    app.config.update(
        SETTINGS=settings,
        CORS_ORIGINS=settings.cors_origins,
        CURRENCY=settings.currency,
        DEFAULT_LOCALE=settings.default_locale,
    )
    observe.init_app(app, settings)
    problems.init_app(app)
    sentry.init_app(app, settings)
    db.init_app(app, settings)
    tokens.init_app(app, settings)
    address.init_app(app, settings)
    throttle.init_app(app, settings)
    receipts.init_app(app, settings)
    origins.init_app(app)
    headers.init_app(app, settings)
    links.init_app(app)
    app.register_blueprint(api)
    app.register_blueprint(ops.ops)
    pages.init_app(app)
    admin.init_app(app, settings)
    cli.init_app(app)
    return app
