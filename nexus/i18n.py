"""The messages for people, by error code, in English and Russian, and the choice between the languages."""

import re
from typing import Literal, cast, get_args

from flask import current_app, request

Locale = Literal["en", "ru"]
KNOWN: tuple[str, ...] = get_args(Locale)

QUALITY = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)
#: The quality of a language that is not mentioned: below any that can be requested, but above a refused 0.
UNMENTIONED = 0.0001

MESSAGES: dict[str, tuple[str, str]] = {
    # Messages that clients of the old API show unchanged; their wording is part of the contract.
    "validation_failed": ("Invalid data format.", "Неверный формат данных."),
    "email_taken": (
        "A user with this email already exists.",
        "Пользователь с таким email уже существует.",
    ),
    "invalid_credentials": ("Wrong e-mail or password.", "Неверный e-mail или пароль."),
    "internal_error": (
        "Something went wrong. Please try again.",
        "Произошла внутренняя ошибка. Попробуйте снова.",
    ),
    "missing_fields": ("Missing required fields", "Missing required fields"),
    "user_id_required": ("userId required", "userId required"),
    # Messages of our own.
    "broken_json": (
        "The request body must be a JSON object.",
        "Тело запроса должно быть объектом JSON.",
    ),
    "bad_request": ("The request could not be understood.", "Не удалось разобрать запрос."),
    "unauthenticated": ("Please sign in.", "Войдите в систему."),
    "forbidden": ("This belongs to another account.", "Это принадлежит другому пользователю."),
    "cross_origin": (
        "Requests from this site are not allowed.",
        "Запросы с этого сайта не разрешены.",
    ),
    "not_found": ("There is nothing here.", "Здесь ничего нет."),
    "method_not_allowed": (
        "This address does not support this method.",
        "Этот адрес не поддерживает такой метод.",
    ),
    "invalid_reset_token": (
        "The password reset link is no longer valid.",
        "Ссылка для сброса пароля больше не действует.",
    ),
    "open_orders": (
        "Finish or cancel the open orders first.",
        "Сначала завершите или отмените открытые заказы.",
    ),
    "invalid_transition": (
        "The order cannot move to this status.",
        "Заказ нельзя перевести в этот статус.",
    ),
    "price_changed": ("The price has changed.", "Цена изменилась."),
    "idempotency_mismatch": (
        "This key belongs to another order.",
        "Этот ключ уже использован для другого заказа.",
    ),
    "idempotency_in_progress": (
        "This order is being placed. Please try again in a moment.",
        "Этот заказ уже оформляется. Попробуйте снова через несколько секунд.",
    ),
    "not_for_sale": ("The product is not for sale yet.", "Товар ещё не продаётся."),
    "precondition_failed": (
        "This has been changed in the meantime. Please reload it.",
        "За это время данные изменились. Загрузите их заново.",
    ),
    "body_too_large": (
        "The body may have at most 262,144 bytes.",
        "Тело запроса не может быть больше 262 144 байт.",
    ),
    "request_timeout": (
        "The request did not arrive in time.",
        "Запрос не пришёл вовремя.",
    ),
    "uri_too_long": (
        "The URL may have at most about 8,000 bytes.",
        "Слишком длинный URL: предел — около 8000 байт.",
    ),
    "head_too_large": (
        "The request has too many headers, or they are too long.",
        "В запросе слишком много заголовков, или они слишком длинные.",
    ),
    "unknown_transfer_coding": (
        "The body must have a Content-Length or be chunked; no other transfer coding is supported.",
        (
            "Для тела запроса нужен Content-Length или передача частями (chunked); другое кодирование "
            "передачи не поддерживается."
        ),
    ),
    "unsupported_media_type": (
        "The body must be application/json in UTF-8, and not compressed.",
        "Тело запроса должно быть в формате application/json, в UTF-8 и без сжатия.",
    ),
    "throttled": (
        "Too many attempts. Please wait a little and try again.",
        "Слишком много попыток. Немного подождите и попробуйте снова.",
    ),
    "pool_exhausted": (
        "The shop is busy. Please try again in a moment.",
        "Магазин перегружен. Попробуйте снова через несколько секунд.",
    ),
    "database_unavailable": (
        "The shop is not available. Please try again in a moment.",
        "Магазин недоступен. Попробуйте снова через несколько секунд.",
    ),
    "database_busy": (
        "The shop is busy, and nothing was changed. Please try again in a moment.",
        "Магазин перегружен, ничего не изменено. Попробуйте снова через несколько секунд.",
    ),
    "commit_unconfirmed": (
        "It is not certain that this was saved. Please check before you repeat it.",
        "Сохранение не подтверждено. Проверьте результат, прежде чем повторять.",
    ),
    "not_ready": ("The shop is not ready yet.", "Магазин ещё не готов к работе."),
    # Problems of one field; the numbers come from the rule that was violated.
    "field.required": ("is required", "обязательное поле"),
    "field.unknown": ("is not a known field", "неизвестное поле"),
    "field.repeated": ("may be given only once", "можно указать только один раз"),
    "field.not_a_string": ("must be text", "должно быть текстом"),
    "field.not_an_integer": ("must be a whole number", "должно быть целым числом"),
    "field.too_short": ("needs {limit} or more characters", "не короче {limit} симв."),
    "field.too_long": ("may have at most {limit} characters", "не длиннее {limit} симв."),
    "field.too_many_bytes": ("may have at most {limit} bytes", "не больше {limit} байт"),
    "field.too_small": ("must be {limit} or more", "не меньше {limit}"),
    "field.too_large": ("must be {limit} or less", "не больше {limit}"),
    "field.has_nul": ("must not contain the NUL character", "не может содержать символ NUL"),
    "field.not_an_email": ("is not an e-mail address", "не похоже на адрес e-mail"),
    "field.is_the_email": ("must not be the e-mail address", "не может совпадать с адресом e-mail"),
    "field.is_the_password": ("must not be the password", "не может совпадать с паролем"),
    "field.too_common": (
        "is too easy to guess: a common password, word or name; join several unrelated words",
        (
            "слишком легко угадать: распространённый пароль, слово или имя; возьмите несколько слов, не "
            "связанных между собой"
        ),
    ),
    "field.too_regular": (
        "is too easy to guess: a repetition, a sequence or a keyboard pattern; join several unrelated words",
        (
            "слишком легко угадать: повтор, последовательность или соседние клавиши; возьмите несколько "
            "слов, не связанных между собой"
        ),
    ),
    "field.too_dated": (
        "is too easy to guess: dates and years are tried first; join several unrelated words",
        (
            "слишком легко угадать: даты и годы подбирают в первую очередь; возьмите несколько слов, не "
            "связанных между собой"
        ),
    ),
    "field.too_guessable": (
        "is too easy to guess; make it longer, with several unrelated words",
        "слишком легко угадать; сделайте пароль длиннее, из нескольких слов, не связанных между собой",
    ),
    "field.not_a_time": (
        "must be a time with a time zone, such as 2026-01-31T09:12:33Z",
        "должно быть временем с часовым поясом, например 2026-01-31T09:12:33Z",
    ),
    "field.not_a_day": ("must be a date, such as 2026-01-31", "должно быть датой, например 2026-01-31"),
    "field.not_a_time_zone": (
        "must be the name of a time zone, such as Europe/Moscow",
        "должно быть названием часового пояса, например Europe/Moscow",
    ),
    "field.after_to": (
        "must not be after to, which defaults to today",
        "не может быть позже to (по умолчанию это сегодня)",
    ),
    "field.too_many_intervals": (
        "would make more than {limit} intervals",
        "получилось бы больше {limit} интервалов",
    ),
    "field.not_a_choice": ("must be one of: {choices}", "должно быть одним из значений: {choices}"),
    "field.not_a_cursor": (
        "is not the nextCursor of a page of this list",
        "не является nextCursor страницы этого списка",
    ),
}


def message(code: str, language: Locale) -> str:
    """The message for a code; a KeyError for an unknown code is a bug."""
    english, russian = MESSAGES[code]
    return russian if language == "ru" else english


def locale() -> Locale:
    """The language of the response to the current request."""
    return negotiate(request.headers.get("Accept-Language", ""), default=current_app.config["DEFAULT_LOCALE"])


def negotiate(header: str, *, default: Locale) -> Locale:
    """Choose by quality and then by order; `en-GB` asks for `en`, `*` for all others, q=0 refuses a language.

    Werkzeug's best_match answers `ru` to `en-GB,ru;q=0.1`, since it looks for exact tags first.
    """
    asked: dict[str, float] = {}
    for item in header.split(","):
        tag, _, parameters = item.partition(";")
        primary = tag.strip().lower().partition("-")[0]
        asked[primary] = max(_quality(parameters), asked.get(primary, 0))
    others = asked.get("*", UNMENTIONED)
    # Of several with the same quality, the first wins.
    in_order = [*(one for one in asked if one in KNOWN), default, *KNOWN]
    return cast("Locale", max(in_order, key=lambda one: asked.get(one, others)))


def _quality(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            return float(value) if QUALITY.fullmatch(value.strip()) else 0.0
    return 1.0
