"""The shop as the community of Flask and Peewee would write it: the unit of the benchmark."""

import os
from datetime import timedelta

import observe
from accounts import accounts, jwt
from catalog import catalog
from flask import Flask, Response, jsonify
from orders import orders
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["JWT_SECRET_KEY"]
app.config["JWT_ACCESS_TOKEN_EXPIRES"] = timedelta(hours=2)
app.json.sort_keys = False
jwt.init_app(app)
observe.init_app(app)
app.register_blueprint(catalog)
app.register_blueprint(orders)
app.register_blueprint(accounts)


@app.errorhandler(HTTPException)
def refused(error: HTTPException) -> tuple[Response, int | None]:
    """Errors in JSON."""
    return jsonify(error=error.description), error.code


@app.errorhandler(ValidationError)
def invalid(error: ValidationError) -> tuple[Response, int]:
    """What is wrong with the input."""
    return jsonify(error=error.errors(include_url=False, include_context=False)), 400
