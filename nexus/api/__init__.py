"""The HTTP API: its blueprint, and the connection that a request may take from the pool."""

from flask import Blueprint

from nexus.api.account import account
from nexus.api.auth import auth
from nexus.api.catalog import catalog
from nexus.api.description import description
from nexus.api.orders import orders
from nexus.api.orders_csv import orders_csv
from nexus.api.stats import stats
from nexus.db import give_back

api = Blueprint("api", __name__, url_prefix="/api")
api.register_blueprint(auth)
api.register_blueprint(account)
api.register_blueprint(catalog)
api.register_blueprint(orders)
api.register_blueprint(orders_csv)
api.register_blueprint(stats)
api.register_blueprint(description)

# On this blueprint, not on the app: a probe or an unknown URL costs no connection.
api.teardown_request(give_back)
