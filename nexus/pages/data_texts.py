"""The texts of the pages that show rows of the database."""

DATA_TEXTS: dict[str, tuple[str, str]] = {
    "data.title": ("Data", "Данные"),
    "data.tables": ("Tables", "Таблицы"),
    "data.read_only": ("Read-only", "Только чтение"),
    "data.writing": ("Changes allowed", "Изменения разрешены"),
    "data.about": ("about", "примерно"),
    "data.rows": ("Rows", "Строки"),
    "data.table": ("Table", "Таблица"),
    "data.find": ("Find", "Найти"),
    "data.find.label": (
        "An id, an e-mail address, or words of a product",
        "ID, адрес e-mail или слова из карточки товара",
    ),
    "data.found_none": ("Nothing was found.", "Ничего не найдено."),
    "data.filter": ("Filter", "Фильтровать"),
    "data.any": ("any", "любое"),
    "data.clear": ("Clear filters", "Сбросить фильтры"),
    "data.next": ("Next page", "Следующая страница"),
    "data.first": ("First page", "Первая страница"),
    "data.csv": ("Download CSV", "Скачать CSV"),
    "data.none": ("There are no rows.", "Строк нет."),
    "data.end": ("These are the last rows.", "Это последние строки."),
    "data.few": (
        "Only the first rows are shown: the key of this table is secret, so it cannot be paged.",
        "Показаны только первые строки: ключ этой таблицы секретен, поэтому страниц у неё нет.",
    ),
    "data.no_list": (
        (
            "No index supports this filter or order, or there can be no such value. This table can be "
            "filtered by:"
        ),
        (
            "Для такого фильтра или порядка нет индекса, или такого значения быть не может. Эту таблицу "
            "можно фильтровать по:"
        ),
    ),
    "data.referring": ("Referenced by", "Ссылки на эту строку"),
    "data.events": ("What happened to it", "История заказа"),
    "data.audit": ("What staff did to it", "Действия сотрудников"),
    "data.latest": ("Only the latest {} are shown.", "Показаны только последние {}."),
    "data.problem": ("That did not work", "Не получилось"),
    "data.closed": ("The studio is closed", "Студия закрыта"),
    "data.closed.lead": (
        "The link that `flask studio` prints opens it, but only once. Start the command again for another.",
        (
            "Студию открывает ссылка, которую выводит `flask studio`, но только один раз. Чтобы получить "
            "новую ссылку, запустите команду снова."
        ),
    ),
    "data.of_field": ("{field} {problem}", "{field}: {problem}"),
    "data.not_done": ("Nothing was changed.", "Ничего не изменено."),
    "data.move": ("Move the order to", "Перевести заказ в статус"),
    "data.no_steps": ("The status of this order is final.", "Статус этого заказа больше изменить нельзя."),
    "data.change": ("Change", "Изменить"),
    "data.saved": ("Saved.", "Сохранено."),
    "data.unchanged": ("There was nothing to change.", "Менять было нечего."),
    "data.final": (
        "Yes, this step cannot be undone",
        "Да, этот шаг необратим",
    ),
    "data.save": ("Save", "Сохранить"),
    "chart.title": (
        "Paid in the last 28 days, today included (UTC)",
        "Оплачено за последние 28 дней, включая сегодня (UTC)",
    ),
    "chart.before": (
        "the last 14 days compared with the 14 before",
        "последние 14 дней по сравнению с предыдущими 14",
    ),
    "chart.nothing_before": (
        "Nothing was paid in the first 14 of these days.",
        "За первые 14 из этих дней ничего не оплачено.",
    ),
    "chart.empty": ("There were no orders in these days.", "За эти дни заказов не было."),
    "chart.paid": ("Paid", "Оплачено"),
    "chart.orders": ("Orders", "Заказы"),
    "chart.best": ("Best day", "Лучший день"),
    "chart.table": ("Show as a table", "Показать в виде таблицы"),
    "chart.day": ("Day", "День"),
    "admin.sign_in": ("For the shop's staff", "Для сотрудников магазина"),
    "admin.sign_in.lead": (
        "Sign in with an account that has the role admin.",
        "Войдите в учётную запись с ролью admin.",
    ),
    "admin.not_staff": (
        "You are signed in, but this account does not have the role admin",
        "Вы вошли, но у этой учётной записи нет роли admin",
    ),
    "data.end_sessions": ("End all sessions", "Завершить все сеансы"),
}
