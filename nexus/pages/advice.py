"""What each error means and what to do about it, in English and Russian; `docs/errors.md` says the same."""

ADVICE: dict[str, tuple[str, str]] = {
    "throttled": (
        (
            "Too many tries, from this address, by this session or at this account. `Retry-After` says in "
            "how many seconds another one may pass."
        ),
        (
            "Слишком много попыток: с этого адреса, в этой сессии или к этой учётной записи. `Retry-After` "
            "говорит, через сколько секунд пройдёт следующая."
        ),
    ),
    "bad_request": (
        (
            "The request is broken in a way that concerns no field, such as a body in chunks that are none. "
            "Mend the program that sends it."
        ),
        (
            "Запрос испорчен, и дело не в полях: например, тело прислано частями, которые частями не "
            "являются. Исправьте программу, которая его шлёт."
        ),
    ),
    "validation_failed": (
        "One or more fields are wrong; `errors` names each of them. Let the person correct them.",
        "Одно или несколько полей неверны; `errors` называет каждое. Дайте человеку их исправить.",
    ),
    "missing_fields": (
        "A product was sent without `name` or `price`. `errors` lists every problem.",
        "Товар прислан без `name` или `price`. `errors` перечисляет все ошибки.",
    ),
    "user_id_required": (
        "A list of products was asked for without `userId`, and without a `q` that is not blank.",
        "Список товаров запрошен без `userId` и без непустого `q`.",
    ),
    "broken_json": (
        "The body is not a JSON object, or ended before the length that was announced for it.",
        "Тело запроса не объект JSON или кончилось раньше заявленной длины.",
    ),
    "email_taken": (
        "An account with this address exists, whatever its letters' case. Sign in instead.",
        "Учётная запись с этим адресом уже есть, как бы ни были написаны его буквы. Войдите в неё.",
    ),
    "invalid_credentials": (
        "The address is unknown or the password is wrong. Which of the two is not told.",
        "Адрес неизвестен или пароль неверен. Что именно, не говорится.",
    ),
    "unauthenticated": (
        "The call needs a valid token. Sign in again.",
        "Вызову нужен действующий токен. Войдите снова.",
    ),
    "forbidden": (
        "The thing belongs to another account.",
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
        "There is nothing at this address, or nothing that you may know of.",
        "По этому адресу ничего нет или нет ничего, о чём вам можно знать.",
    ),
    "method_not_allowed": (
        "The address does not take this method; the header `Allow` lists those that it takes.",
        "Адрес не принимает этот метод; заголовок `Allow` перечисляет те, что принимает.",
    ),
    "invalid_reset_token": (
        (
            "The token for a new password is wrong, used, or older than an hour. Ask the operator for "
            "another one."
        ),
        "Токен для нового пароля неверен, использован или старше часа. Попросите у оператора другой.",
    ),
    "open_orders": (
        (
            "The account cannot go while orders wait for its seller; `orders` names up to 100 of them. Move "
            "each to `paid` or `cancelled`."
        ),
        (
            "Учётную запись нельзя удалить, пока заказы ждут продавца; `orders` называет до 100 из них. "
            "Переведите каждый в `paid` или `cancelled`."
        ),
    ),
    "invalid_transition": (
        "The order cannot go to this status. `allowed` lists where it can go now.",
        "Заказ нельзя перевести в этот статус. `allowed` перечисляет, куда его можно перевести сейчас.",
    ),
    "price_changed": (
        (
            "The `amount` is not the price any more. `price` and `currency` are today's: show them, and "
            "order again."
        ),
        (
            "`amount` больше не цена товара. `price` и `currency` действуют сейчас: покажите их и закажите "
            "снова."
        ),
    ),
    "idempotency_mismatch": (
        (
            "This `Idempotency-Key` was used within the last day with another body. Nothing was ordered. "
            "Make a new key for another order."
        ),
        (
            "Этот `Idempotency-Key` за последние сутки уже был с другим телом. Ничего не заказано. Для "
            "другого заказа создайте новый ключ."
        ),
    ),
    "idempotency_in_progress": (
        (
            "The first request with this `Idempotency-Key` is not through yet. Repeat it with the same key "
            "and body after `Retry-After` seconds."
        ),
        (
            "Первый запрос с этим `Idempotency-Key` ещё выполняется. Повторите его с тем же ключом и телом "
            "через `Retry-After` секунд."
        ),
    ),
    "precondition_failed": (
        (
            "The product is not any more what it was when you read it: its `ETag` is none of those in your "
            "`If-Match`. Nothing was changed. Read it again, and decide again."
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
        "The body has more than 262,144 bytes.",
        "В теле запроса больше 262 144 байт.",
    ),
    "request_timeout": (
        (
            "The request began and did not arrive whole: its head has 10 seconds, its body 30. Nothing "
            "was done; send it again."
        ),
        (
            "Запрос начался и не пришёл целиком: на заголовок есть 10 секунд, на тело 30. Ничего не "
            "сделано, пошлите его снова."
        ),
    ),
    "uri_too_long": (
        "The request line, the URL with its query, has more than 8,190 bytes.",
        "В строке запроса, то есть в URL с параметрами, больше 8190 байт.",
    ),
    "head_too_large": (
        (
            "One header has more than 8,190 bytes, all of them more than 65,536, or there are more than "
            "64. Cookies count."
        ),
        "В одном заголовке больше 8190 байт, во всех больше 65 536, или их больше 64. Cookie тоже считаются.",
    ),
    "unknown_transfer_coding": (
        "Send the body with a `Content-Length`, or in chunks.",
        "Шлите тело с `Content-Length` или частями (`chunked`).",
    ),
    "unsupported_media_type": (
        "Send `Content-Type: application/json`, and no `Content-Encoding`.",
        "Шлите `Content-Type: application/json` и без `Content-Encoding`.",
    ),
    "internal_error": (
        "Something broke on our side. The log has the reason under `requestId`.",
        "Что-то сломалось у нас. Причина в журнале под `requestId`.",
    ),
    "pool_exhausted": (
        "All database connections stayed busy for too long. Try again after `Retry-After` seconds.",
        "Все соединения с базой слишком долго заняты. Попробуйте снова через `Retry-After` секунд.",
    ),
    "database_busy": (
        (
            "The database gave the call up because it took too long or others were in its way. Nothing was "
            "changed: repeat it after `Retry-After` seconds."
        ),
        (
            "База прервала вызов: он шёл слишком долго, или ему мешали другие. Ничего не изменилось: "
            "повторите его через `Retry-After` секунд."
        ),
    ),
    "commit_unconfirmed": (
        (
            "What was asked for is done, but the standby did not confirm that it has it too, so a fail-over "
            "may lose it. Repeat an order with the same `Idempotency-Key` after `Retry-After` seconds: it is "
            "made once, and a 2xx means that it is safe. Look before you repeat anything else."
        ),
        (
            "Всё выполнено, но резервный сервер не подтвердил, что это есть и у него, и при переключении "
            "оно может пропасть. Повторите заказ с тем же `Idempotency-Key` через `Retry-After` секунд: он "
            "будет один, а ответ 2xx значит, что он сохранён надёжно. Прежде чем повторять другое, "
            "проверьте, выполнено ли оно."
        ),
    ),
    "database_unavailable": (
        (
            "The database cannot be reached, or the connection broke on the way. A read can be repeated "
            "after `Retry-After` seconds. Of a write it is not known whether it happened: look before you "
            "repeat it."
        ),
        (
            "База недоступна или соединение с ней оборвалось. Чтение можно повторить через `Retry-After` "
            "секунд. О записи неизвестно, случилась ли она: проверьте, прежде чем повторять."
        ),
    ),
    "not_ready": (
        "From `/readyz` alone. `missing` names what the process waits for.",
        "Только от `/readyz`. `missing` называет, чего ждёт процесс.",
    ),
}

#: The same for the problems of a single field.
FIELD_ADVICE: dict[str, tuple[str, str]] = {
    "required": ("it must be given", "его нужно указать"),
    "unknown": ("the call has no such field", "у вызова нет такого поля"),
    "repeated": ("it was given more than once", "оно указано несколько раз"),
    "not_a_string": ("it must be a text", "это должен быть текст"),
    "not_an_integer": (
        "it must be a whole number, or a text of digits",
        "это должно быть целое число или текст из цифр",
    ),
    "too_short": ("the text needs more characters", "в тексте слишком мало символов"),
    "too_long": ("the text has too many characters", "в тексте слишком много символов"),
    "too_many_bytes": ("the text has too many bytes in UTF-8", "в тексте слишком много байт UTF-8"),
    "too_small": ("the number is below its limit", "число меньше допустимого"),
    "too_large": ("the number is above its limit", "число больше допустимого"),
    "has_nul": (
        "the text has the character NUL, which no text may have",
        "в тексте есть символ NUL, которого в тексте быть не может",
    ),
    "not_an_email": ("it is not an e-mail address", "это не адрес e-mail"),
    "is_the_email": ("a password must not be the e-mail address", "пароль не может быть адресом e-mail"),
    "is_the_password": ("an e-mail address must not be the password", "адрес e-mail не может быть паролем"),
    "too_common": (
        "the password is a common one, a word or a name, in either keyboard layout",
        "пароль частый, или это слово либо имя, в любой раскладке",
    ),
    "too_regular": (
        "the password is a repetition, a sequence or a row of keys",
        "пароль состоит из повторов, ряда знаков или ряда клавиш",
    ),
    "too_dated": ("the password is a date or a year", "пароль это дата или год"),
    "too_guessable": ("the password is easy to guess in another way", "пароль легко угадать иначе"),
    "not_a_time": (
        "it must be a time with a zone, such as `2026-01-31T09:12:33Z`",
        "это должно быть время с часовым поясом, например `2026-01-31T09:12:33Z`",
    ),
    "not_a_day": (
        "it must be a day, such as `2026-01-31`",
        "это должен быть день, например `2026-01-31`",
    ),
    "not_a_time_zone": (
        "it must be the name of a time zone, such as `Europe/Moscow`",
        "это должно быть название часового пояса, например `Europe/Moscow`",
    ),
    "after_to": (
        "`from` must not be after `to`, which is today unless given",
        "`from` не может быть позже `to`, а без него позже сегодняшнего дня",
    ),
    "too_many_intervals": (
        "the days make more intervals than the message says; ask for fewer, or for weeks or months",
        "промежутков больше, чем сказано в сообщении; запросите меньше дней, либо недели или месяцы",
    ),
    "not_a_choice": (
        "it must be one of the values that the message lists",
        "это должно быть одно из значений, которые перечислены в сообщении",
    ),
    "not_a_cursor": (
        "it is not the `nextCursor` of a page of this very list",
        "это не `nextCursor` страницы этого же списка",
    ),
}
