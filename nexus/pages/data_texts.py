"""The texts of the pages that show rows of the database."""

DATA_TEXTS: dict[str, tuple[str, str]] = {
    "data.title": ("Data", "Данные"),
    "data.tables": ("Tables", "Таблицы"),
    "data.read_only": ("Read-only", "Только чтение"),
    "data.writing": ("Changes are possible", "Можно менять"),
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
        "The first rows only: what tells the rows of this table apart is secret, so it has no pages.",
        "Только первые строки: то, чем строки этой таблицы различаются, секретно, и страниц у неё нет.",
    ),
    "data.no_list": (
        "No index finds rows by this, or there can be no such value. Rows of this table are found by:",
        "По этому нет индекса, или такого значения быть не может. Строки этой таблицы находят по:",
    ),
    "data.referring": ("What refers to it", "Что на неё ссылается"),
    "data.events": ("What happened to it", "Что с ним происходило"),
    "data.audit": ("What people of the shop did to it", "Что с ней делали сотрудники"),
    "data.problem": ("That did not work", "Не получилось"),
    "data.closed": ("The studio is closed to you", "Студия закрыта"),
    "data.closed.lead": (
        "The link that `flask studio` prints opens it, once. Start the command again for another link.",
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
    "data.final": (
        "Yes: no step leads back from this one",
        "Да: из этого состояния заказ уже не выйдет",
    ),
    "data.save": ("Save", "Сохранить"),
    "chart.title": (
        "Paid in the last 28 days, today included (UTC)",
        "Оплачено за 28 дней, включая сегодня (UTC)",
    ),
    "chart.before": ("the last 14 days against the 14 before", "последние 14 дней к предыдущим 14"),
    "chart.nothing_before": (
        "In the first 14 of them, nothing was paid.",
        "За первые 14 из них ничего не оплачено.",
    ),
    "chart.empty": ("Nothing was ordered in these days.", "За эти дни ничего не заказали."),
    "chart.paid": ("Paid", "Оплачено"),
    "chart.orders": ("Orders", "Заказы"),
    "chart.best": ("The most in a day", "Больше всего за день"),
    "chart.table": ("The same as a table", "То же таблицей"),
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
