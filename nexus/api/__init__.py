"""The HTTP API: its blueprint."""

from flask import Blueprint

from nexus.api.account import account
from nexus.api.auth import auth
from nexus.api.catalog import catalog
from nexus.api.description import description
from nexus.api.orders import orders
from nexus.api.orders_csv import orders_csv
from nexus.api.stats import stats

api = Blueprint("api", __name__, url_prefix="/api")
api.register_blueprint(auth)
api.register_blueprint(account)
api.register_blueprint(catalog)
api.register_blueprint(orders)
api.register_blueprint(orders_csv)
api.register_blueprint(stats)
api.register_blueprint(description)
