"""Types of request fields that must agree with a library."""

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from nexus.schemas.fields import EMAIL_LENGTH, Email

EMAIL: TypeAdapter[str] = TypeAdapter(Email)
LABELS = st.sampled_from(
    [
        "a",
        "Z",
        "9",
        "buyer",
        "Info",
        "SALES",
        "xn--80a",
        "b-c",
        "b--c",
        "bc--d",
        "-d",
        "e-",
        "ж",
        "l" * 63,
        "m" * 64,
        "",
    ]
)
NAMES = st.lists(LABELS, min_size=1, max_size=4)
ENDS = st.sampled_from(
    ["com", "ru", "co.uk", "c", "COM", "c0m", "123", "com\n", "com.", *SPECIAL_USE_DOMAIN_NAMES]
)


@st.composite
def addresses(draw: st.DrawFn) -> str:
    between = st.sampled_from([".", "+", "_", "-", "..", " ", "'"])
    local = "".join(f"{draw(between)}{label}" for label in draw(NAMES))[1:]
    domain = ".".join([*draw(NAMES), draw(ENDS)])
    return f"{local}{draw(st.sampled_from(['@', '@', '@', '@@', '']))}{domain}"


@settings(max_examples=200)
@given(addresses() | st.emails())
@example("buyer@example.com")
@example("Info@example.com")
@example("buyer@localhost")
@example("buyer@shop.123")
@example(f"{'b' * 64}@example.com")
@example(f"{'b' * 65}@example.com")
def test_an_address_is_normalised_as_by_email_validator(address: str) -> None:
    try:
        expected: str | None = validate_email(address, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        expected = None
    try:
        stored: str | None = EMAIL.validate_python(address)
    except ValidationError:
        stored = None
    assert stored == (expected if len(address) <= EMAIL_LENGTH else None)
