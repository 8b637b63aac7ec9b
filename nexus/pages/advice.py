"""What each error means and what to do about it, in English and Russian; `docs/errors.md` says the same."""

ADVICE: dict[str, tuple[str, str]] = {
    "throttled": (
        (
            "Too many attempts from this address, by this session or at this account. `Retry-After` says "
            "after how many seconds the next one is allowed."
        ),
        (
            "Слишком много попыток: с этого адреса, в этой сессии или к этой учётной записи. `Retry-After` "
            "говорит, через сколько секунд пройдёт следующая."
        ),
    ),
    "bad_request": (
        (
            "The request is malformed in a way that concerns no field, such as an invalid chunked body. Fix "
            "the program that sends it."
        ),
        (
            "Запрос испорчен, и дело не в полях: например, тело прислано с неверным кодированием `chunked`. "
            "Исправьте программу, которая его шлёт."
        ),
    ),
    "validation_failed": (
        "One or more fields are invalid; `errors` names each of them. Let the user correct them.",
        "Одно или несколько полей неверны; `errors` называет каждое. Дайте человеку их исправить.",
    ),
    "missing_fields": (
        "A product was sent without `name` or `price`. `errors` lists every problem.",
        "Товар прислан без `name` или `price`. `errors` перечисляет все ошибки.",
    ),
    "user_id_required": (
        "A list of products was requested without `userId`, and without a `q` that is not blank.",
        "Список товаров запрошен без `userId` и без непустого `q`.",
    ),
    "broken_json": (
        "The body is not a JSON object, or ended before its announced length.",
        "Тело запроса не объект JSON или кончилось раньше заявленной длины.",
    ),
    "email_taken": (
        "An account with this address already exists (case is ignored). Sign in instead.",
        "Учётная запись с этим адресом уже есть, как бы ни были написаны его буквы. Войдите в неё.",
    ),
    "invalid_credentials": (
        "The address is unknown or the password is wrong; the answer does not say which.",
        "Адрес неизвестен или пароль неверен. Что именно, не говорится.",
    ),
    "unauthenticated": (
        "This call needs a valid token. Sign in again.",
        "Вызову нужен действующий токен. Войдите снова.",
    ),
    "forbidden": (
        "This belongs to another account.",
        "Это принадлежит другой учётной записи.",
    ),
    "cross_origin": (
        (
            "A page of another site tried to change something with the visitor's cookie. If that site is "
            "yours, add it to `CORS_ORIGINS` or use a Bearer token."
        ),
        (
            "Страница другого сайта пыталась что-то изменить с cookie посетителя. Если это ваш сайт, "
            "добавьте его в `CORS_ORIGINS` или используйте токен Bearer."
        ),
    ),
    "not_found": (
        "There is nothing at this address, or nothing that you are allowed to see.",
        "По этому адресу ничего нет или нет ничего, о чём вам можно знать.",
    ),
    "method_not_allowed": (
        "This address does not support the method; the header `Allow` lists those that it does.",
        "Адрес не принимает этот метод; заголовок `Allow` перечисляет те, что принимает.",
    ),
    "invalid_reset_token": (
        (
            "The password-reset token is wrong, already used, or older than an hour. Ask the operator for a "
            "new one."
        ),
        "Токен для нового пароля неверен, использован или старше часа. Попросите у оператора другой.",
    ),
    "open_orders": (
        (
            "The account cannot be deleted while orders wait for its seller; `orders` names up to 100 of "
            "them. Move each to `paid` or `cancelled`."
        ),
        (
            "Учётную запись нельзя удалить, пока заказы ждут продавца; `orders` называет до 100 из них. "
            "Переведите каждый в `paid` или `cancelled`."
        ),
    ),
    "invalid_transition": (
        "The order cannot move to this status. `allowed` lists the statuses that it can move to now.",
        "Заказ нельзя перевести в этот статус. `allowed` перечисляет, куда его можно перевести сейчас.",
    ),
    "price_changed": (
        (
            "The `amount` is no longer the price. `price` and `currency` are the current ones: show them, "
            "and order again."
        ),
        (
            "`amount` больше не цена товара. `price` и `currency` действуют сейчас: покажите их и закажите "
            "снова."
        ),
    ),
    "idempotency_mismatch": (
        (
            "This `Idempotency-Key` was used within the last day with another body. Nothing was ordered. "
            "Use a new key for another order."
        ),
        (
            "Этот `Idempotency-Key` за последние сутки уже был с другим телом. Ничего не заказано. Для "
            "другого заказа создайте новый ключ."
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
            "Товар уже не тот, каким вы его прочли: его `ETag` нет в вашем `If-Match`. Ничего не изменено. "
            "Прочтите его снова и решите снова."
        ),
    ),
    "not_for_sale": (
        "The product is a draft. Publish it first.",
        "Товар ещё черновик. Сначала опубликуйте его.",
    ),
    "body_too_large": (
        "The body is larger than 262,144 bytes.",
        "В теле запроса больше 262 144 байт.",
    ),
    "request_timeout": (
        (
            "The request did not arrive completely in time: its head may take 10 seconds, its body 30. "
            "Nothing was done; send it again."
        ),
        (
            "Запрос начался и не пришёл целиком: на заголовок есть 10 секунд, на тело 30. Ничего не сделано, "
            "пошлите его снова."
        ),
    ),
    "uri_too_long": (
        "The request line, which is the URL with its query, has more than 8,190 bytes.",
        "В строке запроса, то есть в URL с параметрами, больше 8190 байт.",
    ),
    "head_too_large": (
        (
            "A single header has more than 8,190 bytes, all headers together have more than 65,536, or "
            "there are more than 64 of them. Cookies count."
        ),
        "В одном заголовке больше 8190 байт, во всех больше 65 536, или их больше 64. Cookie тоже считаются.",
    ),
    "unknown_transfer_coding": (
        "Send the body with a `Content-Length`, or chunked.",
        "Шлите тело с `Content-Length` или частями (`chunked`).",
    ),
    "unsupported_media_type": (
        "Send `Content-Type: application/json`, and no `Content-Encoding`.",
        "Шлите `Content-Type: application/json` и без `Content-Encoding`.",
    ),
    "internal_error": (
        "Something broke on our side. The log has the cause under `requestId`.",
        "Что-то сломалось у нас. Причина в журнале под `requestId`.",
    ),
    "pool_exhausted": (
        "All database connections were busy for too long. Try again after `Retry-After` seconds.",
        "Все соединения с базой слишком долго заняты. Попробуйте снова через `Retry-After` секунд.",
    ),
    "database_busy": (
        (
            "The database cancelled the call because it took too long or conflicted with others. Nothing "
            "was changed: repeat it after `Retry-After` seconds."
        ),
        (
            "База прервала вызов: он шёл слишком долго, или ему мешали другие. Ничего не изменилось: "
            "повторите его через `Retry-After` секунд."
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
            "Всё выполнено, но резервный сервер не подтвердил, что это есть и у него, и при переключении оно "
            "может пропасть. Повторите заказ с тем же `Idempotency-Key` через `Retry-After` секунд: он будет "
            "один, а ответ 2xx значит, что он сохранён надёжно. Прежде чем повторять другое, проверьте, "
            "выполнено ли оно."
        ),
    ),
    "database_unavailable": (
        (
            "The database cannot be reached, or the connection broke during the request. A read can be "
            "repeated after `Retry-After` seconds. Whether a write happened is unknown: check before you "
            "repeat it."
        ),
        (
            "База недоступна или соединение с ней оборвалось. Чтение можно повторить через `Retry-After` "
            "секунд. О записи неизвестно, случилась ли она: проверьте, прежде чем повторять."
        ),
    ),
    "not_ready": (
        "Only from `/readyz`. `missing` names what the process is waiting for.",
        "Только от `/readyz`. `missing` называет, чего ждёт процесс.",
    ),
}

#: The same for the problems of a single field.
FIELD_ADVICE: dict[str, tuple[str, str]] = {
    "required": ("it is required", "его нужно указать"),
    "unknown": ("the call has no such field", "у вызова нет такого поля"),
    "repeated": ("it was given more than once", "оно указано несколько раз"),
    "not_a_string": ("it must be a string", "это должен быть текст"),
    "not_an_integer": (
        "it must be a whole number, or a string of digits",
        "это должно быть целое число или текст из цифр",
    ),
    "too_short": ("the text has too few characters", "в тексте слишком мало символов"),
    "too_long": ("the text has too many characters", "в тексте слишком много символов"),
    "too_many_bytes": ("the text has too many bytes in UTF-8", "в тексте слишком много байт UTF-8"),
    "too_small": ("the number is below its limit", "число меньше допустимого"),
    "too_large": ("the number is above its limit", "число больше допустимого"),
    "has_nul": (
        "the text has the character NUL, which is not allowed",
        "в тексте есть символ NUL, которого в тексте быть не может",
    ),
    "not_an_email": ("it is not an e-mail address", "это не адрес e-mail"),
    "is_the_email": ("a password must not be the e-mail address", "пароль не может быть адресом e-mail"),
    "is_the_password": ("an e-mail address must not be the password", "адрес e-mail не может быть паролем"),
    "too_common": (
        "the password is a common password, word or name, in either keyboard layout",
        "пароль частый, или это слово либо имя, в любой раскладке",
    ),
    "too_regular": (
        "the password is a repetition, a sequence or a keyboard pattern",
        "пароль состоит из повторов, ряда знаков или ряда клавиш",
    ),
    "too_dated": ("the password is a date or a year", "пароль это дата или год"),
    "too_guessable": ("the password is easy to guess in some other way", "пароль легко угадать иначе"),
    "not_a_time": (
        "it must be a time with a time zone, such as `2026-01-31T09:12:33Z`",
        "это должно быть время с часовым поясом, например `2026-01-31T09:12:33Z`",
    ),
    "not_a_day": ("it must be a day, such as `2026-01-31`", "это должен быть день, например `2026-01-31`"),
    "not_a_time_zone": (
        "it must be the name of a time zone, such as `Europe/Moscow`",
        "это должно быть название часового пояса, например `Europe/Moscow`",
    ),
    "after_to": (
        "`from` must not be after `to`, which defaults to today",
        "`from` не может быть позже `to`, а без него позже сегодняшнего дня",
    ),
    "too_many_intervals": (
        "the period has more intervals than the message says; ask for fewer days, or for weeks or months",
        "промежутков больше, чем сказано в сообщении; запросите меньше дней, либо недели или месяцы",
    ),
    "not_a_choice": (
        "it must be one of the values listed in the message",
        "это должно быть одно из значений, которые перечислены в сообщении",
    ),
    "not_a_cursor": (
        "it is not the `nextCursor` of a page of this same list",
        "это не `nextCursor` страницы этого же списка",
    ),
}
