"""What each error means and what to do about it, in English and Russian; `docs/errors.md` says the same."""

ADVICE: dict[str, tuple[str, str]] = {
    "throttled": (
        (
            "Too many attempts from this address, by this session or at this account. `Retry-After` says "
            "after how many seconds the next one is allowed."
        ),
        (
            "Слишком много попыток с этого адреса, в этом сеансе или для этой учётной записи. `Retry-After` "
            "указывает, через сколько секунд разрешена следующая."
        ),
    ),
    "bad_request": (
        (
            "The request is malformed in a way that concerns no field, such as an invalid chunked body. Fix "
            "the program that sends it."
        ),
        (
            "Запрос построен неверно, и дело не в полях: например, тело нарушает формат `chunked`. Исправьте "
            "программу, которая его отправляет."
        ),
    ),
    "validation_failed": (
        "One or more fields are invalid; `errors` names each of them. Let the user correct them.",
        "Одно или несколько полей неверны; все они перечислены в `errors`. Дайте пользователю их исправить.",
    ),
    "missing_fields": (
        "A product was sent without `name` or `price`. `errors` lists every problem.",
        "Товар отправлен без `name` или `price`. Все ошибки перечислены в `errors`.",
    ),
    "user_id_required": (
        "A list of products was requested without `userId`, and without a `q` that is not blank.",
        "Список товаров запрошен без `userId` и без непустого `q`.",
    ),
    "broken_json": (
        "The body is not a JSON object, or ended before its announced length.",
        "Тело запроса — не объект JSON, или оно оборвалось раньше заявленной длины.",
    ),
    "email_taken": (
        "An account with this address already exists (case is ignored). Sign in instead.",
        "Учётная запись с этим адресом уже есть (регистр букв не важен). Войдите в неё.",
    ),
    "invalid_credentials": (
        "The address is unknown or the password is wrong; the answer does not say which.",
        "Адрес неизвестен или пароль неверен; что именно, ответ не сообщает.",
    ),
    "unauthenticated": (
        "This call needs a valid token. Sign in again.",
        "Для этого вызова нужен действующий токен. Войдите снова.",
    ),
    "forbidden": (
        "This belongs to another account.",
        "Это принадлежит другому пользователю.",
    ),
    "cross_origin": (
        (
            "A page of another site tried to change something with the visitor's cookie. If that site is "
            "yours, add it to `CORS_ORIGINS` or use a Bearer token."
        ),
        (
            "Страница другого сайта попыталась что-то изменить, используя cookie посетителя. Если это ваш "
            "сайт, добавьте его в `CORS_ORIGINS` или используйте Bearer-токен."
        ),
    ),
    "not_found": (
        "There is nothing at this address, or nothing that you are allowed to see.",
        "По этому адресу ничего нет, или вам не разрешено это видеть.",
    ),
    "method_not_allowed": (
        "This address does not support the method; the header `Allow` lists those that it does.",
        "Этот адрес не поддерживает такой метод; поддерживаемые перечислены в заголовке `Allow`.",
    ),
    "invalid_reset_token": (
        (
            "The password reset token is wrong, already used, or older than an hour. Ask the operator for a "
            "new one."
        ),
        (
            "Токен для сброса пароля неверен, уже использован или выдан больше часа назад. Запросите у "
            "оператора новый."
        ),
    ),
    "open_orders": (
        (
            "The account cannot be deleted while orders wait for its seller; `orders` names up to 100 of "
            "them. Move each to `paid` or `cancelled`."
        ),
        (
            "Учётную запись нельзя удалить, пока есть заказы, которые ждут продавца; в `orders` перечислено "
            "до 100 из них. Переведите каждый в статус `paid` или `cancelled`."
        ),
    ),
    "invalid_transition": (
        "The order cannot move to this status. `allowed` lists the statuses that it can move to now.",
        (
            "Заказ нельзя перевести в этот статус. В `allowed` перечислены статусы, в которые его можно "
            "перевести сейчас."
        ),
    ),
    "price_changed": (
        (
            "The `amount` is no longer the price. `price` and `currency` are the current ones: show them, "
            "and order again."
        ),
        (
            "`amount` больше не совпадает с ценой товара. Текущая цена указана в `price` и `currency`: "
            "покажите её и закажите снова."
        ),
    ),
    "idempotency_mismatch": (
        (
            "This `Idempotency-Key` was used within the last day with another body. Nothing was ordered. "
            "Use a new key for another order."
        ),
        (
            "Этот `Idempotency-Key` за последние сутки уже использован с другим телом запроса. Ничего не "
            "заказано. Для другого заказа создайте новый ключ."
        ),
    ),
    "idempotency_in_progress": (
        (
            "The first request with this `Idempotency-Key` is still in progress. Repeat it with the same "
            "key and body after `Retry-After` seconds."
        ),
        (
            "Первый запрос с этим `Idempotency-Key` ещё выполняется. Повторите его с тем же ключом и телом "
            "через `Retry-After` секунд."
        ),
    ),
    "precondition_failed": (
        (
            "The product has changed since you read it: its `ETag` is none of those in your `If-Match`. "
            "Nothing was changed. Read it again, and decide again."
        ),
        (
            "Товар изменился с тех пор, как вы его прочитали: его `ETag` нет в вашем `If-Match`. Ничего не "
            "изменено. Прочитайте товар снова и примите решение заново."
        ),
    ),
    "not_for_sale": (
        "The product is a draft. Publish it first.",
        "Это черновик товара. Сначала опубликуйте его.",
    ),
    "body_too_large": (
        "The body is larger than 262,144 bytes.",
        "Тело запроса больше 262 144 байт.",
    ),
    "request_timeout": (
        (
            "The request did not arrive completely in time: its head may take 10 seconds, its body 30. "
            "Nothing was done; send it again."
        ),
        (
            "Запрос не пришёл целиком за отведённое время: 10 секунд на заголовки, 30 на тело. Ничего не "
            "сделано; отправьте его снова."
        ),
    ),
    "uri_too_long": (
        "The request line, which is the URL with its query, has more than 8,190 bytes.",
        "Стартовая строка запроса, то есть URL с параметрами, длиннее 8190 байт.",
    ),
    "head_too_large": (
        (
            "A single header has more than 8,190 bytes, all headers together have more than 65,536, or "
            "there are more than 64 of them. Cookies count."
        ),
        (
            "Один из заголовков больше 8190 байт, все вместе больше 65 536 байт, или заголовков больше 64. "
            "Cookie тоже учитываются."
        ),
    ),
    "unknown_transfer_coding": (
        "Send the body with a `Content-Length`, or chunked.",
        "Отправляйте тело с `Content-Length` или частями (`chunked`).",
    ),
    "unsupported_media_type": (
        "Send `Content-Type: application/json`, and no `Content-Encoding`.",
        "Отправляйте `Content-Type: application/json` и не указывайте `Content-Encoding`.",
    ),
    "internal_error": (
        "Something broke on our side. The log has the cause under `requestId`.",
        "Произошёл сбой на нашей стороне. Причина записана в журнале под `requestId`.",
    ),
    "pool_exhausted": (
        "All database connections were busy for too long. Try again after `Retry-After` seconds.",
        (
            "Все соединения с базой данных были слишком долго заняты. Попробуйте снова через `Retry-After` "
            "секунд."
        ),
    ),
    "database_busy": (
        (
            "The database cancelled the call because it took too long or conflicted with others. Nothing "
            "was changed: repeat it after `Retry-After` seconds."
        ),
        (
            "База данных прервала вызов: он выполнялся слишком долго или конфликтовал с другими. Ничего не "
            "изменено: повторите его через `Retry-After` секунд."
        ),
    ),
    "commit_unconfirmed": (
        (
            "The request was carried out, but the standby did not confirm that it has the change too, so a "
            "fail-over may lose it. Repeat an order with the same `Idempotency-Key` after `Retry-After` "
            "seconds: it is placed only once, and a 2xx means that it is safe. For anything else, check "
            "before you repeat it."
        ),
        (
            "Запрос выполнен, но резервный сервер не подтвердил, что изменение есть и у него, поэтому при "
            "переключении на него изменение может пропасть. Повторите заказ с тем же `Idempotency-Key` через "
            "`Retry-After` секунд: он будет оформлен только один раз, а ответ 2xx означает, что он надёжно "
            "сохранён. Прежде чем повторять любой другой запрос, проверьте, выполнен ли он."
        ),
    ),
    "database_unavailable": (
        (
            "The database cannot be reached, or the connection broke during the request. A read can be "
            "repeated after `Retry-After` seconds. Whether a write happened is unknown: check before you "
            "repeat it."
        ),
        (
            "База данных недоступна, или соединение с ней оборвалось во время запроса. Чтение можно "
            "повторить через `Retry-After` секунд. Выполнена ли запись, неизвестно: проверьте, прежде чем "
            "повторять."
        ),
    ),
    "not_ready": (
        "Only from `/readyz`. `missing` names what the process is waiting for.",
        "Только в ответах `/readyz`. В `missing` указано, чего ждёт процесс.",
    ),
}

#: The same for the problems of a single field.
FIELD_ADVICE: dict[str, tuple[str, str]] = {
    "required": ("it is required", "это поле обязательно"),
    "unknown": ("the call has no such field", "у этого вызова нет такого поля"),
    "repeated": ("it was given more than once", "поле указано несколько раз"),
    "not_a_string": ("it must be a string", "это должна быть строка"),
    "not_an_integer": (
        "it must be a whole number, or a string of digits",
        "это должно быть целое число или строка из цифр",
    ),
    "too_short": ("the text has too few characters", "в тексте слишком мало символов"),
    "too_long": ("the text has too many characters", "в тексте слишком много символов"),
    "too_many_bytes": ("the text has too many bytes in UTF-8", "в тексте слишком много байт в UTF-8"),
    "too_small": ("the number is below its limit", "число меньше допустимого"),
    "too_large": ("the number is above its limit", "число больше допустимого"),
    "has_nul": (
        "the text has the character NUL, which is not allowed",
        "в тексте есть недопустимый символ NUL",
    ),
    "not_an_email": ("it is not an e-mail address", "это не адрес e-mail"),
    "is_the_email": (
        "a password must not be the e-mail address",
        "пароль не может совпадать с адресом e-mail",
    ),
    "is_the_password": (
        "an e-mail address must not be the password",
        "адрес e-mail не может совпадать с паролем",
    ),
    "too_common": (
        "the password is a common password, word or name, in either keyboard layout",
        "это распространённый пароль, слово или имя, в любой из двух раскладок клавиатуры",
    ),
    "too_regular": (
        "the password is a repetition, a sequence or a keyboard pattern",
        "пароль — это повтор, последовательность или соседние клавиши",
    ),
    "too_dated": ("the password is a date or a year", "пароль — это дата или год"),
    "too_guessable": (
        "the password is easy to guess in some other way",
        "пароль легко угадать по другой причине",
    ),
    "not_a_time": (
        "it must be a time with a time zone, such as `2026-01-31T09:12:33Z`",
        "это должно быть время с часовым поясом, например `2026-01-31T09:12:33Z`",
    ),
    "not_a_day": ("it must be a date, such as `2026-01-31`", "это должна быть дата, например `2026-01-31`"),
    "not_a_time_zone": (
        "it must be the name of a time zone, such as `Europe/Moscow`",
        "это должно быть название часового пояса, например `Europe/Moscow`",
    ),
    "after_to": (
        "`from` must not be after `to`, which defaults to today",
        "`from` не может быть позже `to`, а `to` по умолчанию — сегодня",
    ),
    "too_many_intervals": (
        "the period has more intervals than the message says; ask for fewer days, or for weeks or months",
        "в периоде больше интервалов, чем указано в сообщении; запросите меньше дней, либо недели или месяцы",
    ),
    "not_a_choice": (
        "it must be one of the values listed in the message",
        "это должно быть одно из значений, перечисленных в сообщении",
    ),
    "not_a_cursor": (
        "it is not the `nextCursor` of a page of this same list",
        "это не `nextCursor` страницы этого же списка",
    ),
}
