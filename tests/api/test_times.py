"""Times in responses are in UTC, with milliseconds that are truncated and not rounded."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from nexus.schemas.fields import rfc3339

zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=zones))  # noqa: DTZ001 - in any zone.
@example(datetime(2026, 1, 1, tzinfo=UTC))
@example(datetime(2026, 1, 1, 0, 0, 0, 999, tzinfo=UTC))
@example(datetime(2026, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC))
def test_a_time_is_formatted_as_python_formats_it(moment: datetime) -> None:
    expected = moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"

    assert rfc3339(moment) == expected
