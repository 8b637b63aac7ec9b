"""The texts of the pages, in English and Russian."""

from nexus.i18n import Locale
from nexus.pages.data_texts import DATA_TEXTS

TEXTS: dict[str, tuple[str, str]] = {
    # Every page.
    "skip": ("Skip to the content", "Перейти к содержанию"),
    "pages": ("Pages", "Страницы"),
    # The API, tried out.
    "docs.title": ("API", "API"),
    "docs.lead": (
        "Every call of the shop's API. Open one and press “Try it out” to send it to this server.",
        "Все вызовы API магазина. Откройте любой и нажмите «Try it out», чтобы отправить его на этот сервер.",
    ),
    "docs.errors": ("Errors", "Ошибки"),
    "docs.file": ("OpenAPI file", "Файл OpenAPI"),
    "docs.loading": ("Loading the description…", "Загружается описание…"),
    "docs.failed": (
        "The description could not be loaded. Please reload the page.",
        "Не удалось загрузить описание. Перезагрузите страницу.",
    ),
    "docs.no_script": (
        "Trying out calls needs JavaScript. The machine-readable description:",
        "Чтобы отправлять вызовы, нужен JavaScript. Машиночитаемое описание:",
    ),
    "sign_in": ("Sign in", "Войти"),
    "sign_in.email": ("E-mail", "E-mail"),
    "sign_in.password": ("Password", "Пароль"),
    "sign_in.done": ("Signed in as", "Вы вошли как"),
    "sign_in.failed": (
        "No answer from the server. Please try again.",
        "Сервер не ответил. Попробуйте снова.",
    ),
    "sign_out": ("Sign out", "Выйти"),
    # The errors.
    "errors.title": ("Errors", "Ошибки"),
    "errors.lead": (
        (
            "Every error that the API returns, and what to do about it. Branch on `code`, which never "
            "changes; show `error`, which is in the language of the request; quote `requestId` when you "
            "report a problem."
        ),
        (
            "Все ошибки, которые возвращает API, и что с ними делать. Различайте их по `code`: он никогда не "
            "меняется; показывайте `error`: он на языке запроса; сообщая о проблеме, указывайте `requestId`."
        ),
    ),
    "errors.codes": ("Codes", "Коды"),
    "errors.status": ("Status", "Статус"),
    "errors.says": ("Shown to people", "Текст для пользователя"),
    "errors.fields": ("Problems of a field", "Ошибки в полях"),
    "errors.fields.lead": (
        "For invalid input, each entry of `errors` has a `field`, a `message` and one of these as `code`.",
        "При неверных данных у каждой записи в `errors` есть `field`, `message` и один из этих `code`.",
    ),
    "errors.code": ("Code", "Код"),
    "errors.meaning": ("Meaning", "Значение"),
    # Rows of the database.
    **DATA_TEXTS,
}


def text(key: str, language: Locale) -> str:
    """The text for a key; a KeyError for an unknown one is a programming error."""
    english, russian = TEXTS[key]
    return russian if language == "ru" else english
