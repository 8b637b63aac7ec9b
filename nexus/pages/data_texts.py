"""The texts of the pages that show rows of the database."""

DATA_TEXTS: dict[str, tuple[str, str]] = {
    "data.title": ("Data", "Данные"),
    "data.tables": ("Tables", "Таблицы"),
    "data.read_only": ("Read-only", "Только чтение"),
    "data.writing": ("Changes allowed", "Можно менять"),
    "data.about": ("about", "примерно"),
    "data.rows": ("Rows", "Строк"),
    "data.table": ("Table", "Таблица"),
    "data.find": ("Find", "Найти"),
    "data.find.label": (
        "An id, an e-mail address, or words of a product",
        "Id, адрес e-mail или слова из товара",
    ),
    "data.found_none": ("Nothing was found.", "Ничего не найдено."),
    "data.filter": ("Filter", "Отобрать"),
    "data.any": ("any", "любое"),
    "data.clear": ("Clear filters", "Сбросить отбор"),
    "data.sort": ("Sort by", "Сортировать по"),
    "data.down": ("descending", "по убыванию"),
    "data.up": ("ascending", "по возрастанию"),
    "data.next": ("Next page", "Следующая страница"),
    "data.first": ("First page", "Первая страница"),
    "data.csv": ("Download CSV", "Скачать CSV"),
    "data.none": ("There are no rows.", "Строк нет."),
    "data.end": ("These are the last rows.", "Это последние строки."),
    "data.few": (
        "Only the first rows are shown: the key of this table is secret, so it cannot be paged.",
        "Только первые строки: то, чем строки этой таблицы различаются, секретно, и страниц у неё нет.",
    ),
    "data.no_list": (
        "No index supports this filter or order, or there can be no such value. This table is filtered by:",
        "По этому нет индекса, или такого значения быть не может. Строки этой таблицы находят по:",
    ),
    "data.referring": ("Referenced by", "Что на неё ссылается"),
    "data.events": ("What happened to it", "Что с ним происходило"),
    "data.audit": ("What staff did to it", "Что с ней делали сотрудники"),
    "data.problem": ("That did not work", "Не получилось"),
    "data.closed": ("The studio is closed", "Студия закрыта"),
    "data.closed.lead": (
        "The link that `flask studio` prints opens it, but only once. Start the command again for another.",
        (
            "Её открывает, и только раз, ссылка, которую печатает `flask studio`. За другой ссылкой "
            "запустите команду снова."
        ),
    ),
    "data.not_done": ("Nothing was changed.", "Ничего не изменено."),
    "data.move": ("Move the order to", "Перевести заказ в"),
    "data.no_steps": ("This order has no steps left.", "Шагов у этого заказа не осталось."),
    "data.change": ("Change", "Изменить"),
    "data.saved": ("Saved.", "Сохранено."),
    "data.unchanged": ("There was nothing to change.", "Менять было нечего."),
    "data.final": (
        "Yes, this step cannot be undone",
        "Да: из этого состояния заказ уже не выйдет",
    ),
    "data.save": ("Save", "Сохранить"),
    "chart.title": (
        "Paid in the last 28 days, today included (UTC)",
        "Оплачено за 28 дней, включая сегодня (UTC)",
    ),
    "chart.before": ("the last 14 days compared with the 14 before", "последние 14 дней к предыдущим 14"),
    "chart.nothing_before": (
        "Nothing was paid in the first 14 of these days.",
        "За первые 14 из них ничего не оплачено.",
    ),
    "chart.empty": ("There were no orders in these days.", "За эти дни ничего не заказали."),
    "chart.paid": ("Paid", "Оплачено"),
    "chart.orders": ("Orders", "Заказы"),
    "chart.best": ("Best day", "Больше всего за день"),
    "chart.table": ("Show as a table", "То же таблицей"),
    "chart.day": ("Day", "День"),
    "admin.sign_in": ("For the shop's staff", "Для сотрудников магазина"),
    "admin.sign_in.lead": (
        "Sign in with an account that has the role admin.",
        "Войдите с учётной записью, у которой роль admin.",
    ),
    "admin.not_staff": (
        "You are signed in with an account that is not staff's",
        "Вы вошли с учётной записью, которая не принадлежит сотруднику",
    ),
    "data.end_sessions": ("End all sessions", "Завершить все сеансы"),
}
