"""Sales statistics of a seller, over HTTP."""

from itertools import islice

from flask import Blueprint

from nexus.api.endpoint import endpoint
from nexus.errors import ValidationFailed
from nexus.models.stats import sales
from nexus.models.users import User
from nexus.schemas.stats import Stats, StatsQuery, stats_out

stats = Blueprint("stats", __name__, url_prefix="/stats")

#: A year of days, and some more.
MAX_INTERVALS = 400


@stats.get("")
@endpoint(query=StatsQuery, sign_in="required", answer=Stats)
def show_stats(query: StatsQuery, user: User) -> Stats:
    """Return orders and revenue of the signed-in seller, by time, product and status."""
    period = query.period()
    if period.last < period.first:
        raise ValidationFailed([{"field": "from", "code": "after_to"}])
    if next(islice(period.starts(), MAX_INTERVALS, None), None):
        raise ValidationFailed([{"field": "from", "code": "too_many_intervals", "limit": MAX_INTERVALS}])
    return stats_out(period, sales(period, seller=user))
