"""A page in the browser, used as a person would, which records its errors and forbidden requests."""

import json
import re
import time
from contextlib import suppress
from typing import Any

from tests.browser.chromium import PATIENCE, Chromium, Event, Gone, Refused

#: Finds a visible element by selector and, if given, by its text or label.
FIND = """(selector, text) => [...document.querySelectorAll(selector)].find(one => {
  const labels = [...(one.labels ?? [])].map(label => label.textContent).join(" ");
  const texts = [one.innerText, one.value, one.getAttribute("aria-label"), labels].join(" ");
  return one.checkVisibility({visibilityProperty: true}) && texts.includes(text);
})"""
#: Keys that are pressed by name, with their virtual key codes.
CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40}


class Page:
    """A tab with cookies of its own; its events are kept for `complaints`."""

    def __init__(self, chromium: Chromium, origin: str) -> None:
        """Open an empty tab for pages of this origin."""
        self.origin = origin
        #: Error statuses that a test expects; browsers log them to the console.
        self.expected: set[int] = set()
        self._chromium = chromium
        self._context = chromium.send("Target.createBrowserContext")["browserContextId"]
        target = chromium.send("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = chromium.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        self._events: list[Event] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")
        self.emulate()

    def command(self, method: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol to this tab."""
        return self._chromium.send(method, session=self._session, **parameters)

    def emulate(
        self, *, width: int = 1280, height: int = 900, dark: bool = False, language: str = "en"
    ) -> None:
        """Emulate a screen of this size in CSS pixels, a colour scheme and a preferred language."""
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.command("Emulation.setEmulatedMedia", features=[scheme])
        self.command("Emulation.setUserAgentOverride", userAgent="Chromium", acceptLanguage=language)

    def open(self, path: str) -> None:
        """Go to a path of the server, and wait until it has loaded."""
        self._collect()
        before = len(self._events)
        navigation = self.command("Page.navigate", url=self.origin + path)
        if "loaderId" not in navigation:
            # A fragment of the same page, which loads nothing.
            return
        self._until(
            lambda: any(one["method"] == "Page.loadEventFired" for one in self._events[before:]), path
        )

    def run(self, script: str) -> Any:
        """Evaluate a JavaScript expression, awaiting a promise, and return its value."""
        answer = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Refused(answer["exceptionDetails"].get("exception", {}).get("description", script))
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true, even across page loads."""

        def holds() -> bool:
            with suppress(Gone):
                return bool(self.run(f"!!({script})"))
            return False

        self._until(holds, script)

    def see(self, text: str, *, within: str = "body") -> None:
        """Wait until a text is visible."""
        self.wait(f"({FIND})({json.dumps(within)}, {json.dumps(text)})")

    def text(self, selector: str) -> str:
        """The visible text of an element, once it is there."""
        self.wait(f"({FIND})({json.dumps(selector)}, '')")
        return str(self.run(f"({FIND})({json.dumps(selector)}, '').innerText"))

    def click(self, selector: str, text: str = "") -> None:
        """Click the middle of an element, once it is there."""
        found = f"({FIND})({json.dumps(selector)}, {json.dumps(text)})"
        self.wait(found)
        place = self.run(
            f"(() => {{const one = {found}; one.scrollIntoView({{block: 'center', behavior: 'instant'}});"
            " const box = one.getBoundingClientRect();"
            " return {x: box.x + box.width / 2, y: box.y + box.height / 2}})()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.command("Input.dispatchMouseEvent", type=kind, **place, button="left", clickCount=1)

    def fill(self, selector: str, value: str, *, text: str = "") -> None:
        """Click a field and replace its value."""
        self.click(selector, text)
        self.run("document.activeElement.select()")
        self.write(value)

    def write(self, value: str) -> None:
        """Type into the focused element."""
        self.command("Input.insertText", text=value)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key of CODES."""
        code = CODES[key]
        writes = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.command("Input.dispatchKeyEvent", type="keyDown" if writes else "rawKeyDown", **common, **writes)
        self.command("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, text: str) -> None:
        """Press Tab until the focus is visibly on the element with this text or label."""
        has = f"({FIND})(':focus-visible', {json.dumps(text)})"
        ring = f"getComputedStyle({has}).outlineStyle"
        for _ in range(100):
            self.press("Tab")
            if self.run(f"!!{has}"):
                assert self.run(ring) != "none", f"nobody sees the focus on {text!r}"
                return
        raise AssertionError(f"Tab does not lead to {text!r}")

    def overflow(self) -> int:
        """By how many pixels the page is wider than the screen."""
        return int(self.run("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def received(self) -> int:
        """The number of bytes received over the network so far."""
        self._collect()
        finished = [one["params"] for one in self._events if one["method"] == "Network.loadingFinished"]
        return int(sum(one["encodedDataLength"] for one in finished))

    def complaints(self) -> list[str]:
        """Requests to other hosts, errors in the console and violations of the Content-Security-Policy."""
        # Events that the last step caused may still be on their way.
        self._chromium.listen(0.1)
        self._collect()
        return [found for event in self._events if (found := self._complaint(event))]

    def forget(self) -> None:
        """Discard the events kept for `complaints`."""
        self._collect()
        self._events.clear()

    def close(self) -> None:
        """Close the tab and discard its cookies."""
        self._chromium.send("Target.disposeBrowserContext", browserContextId=self._context)

    def _complaint(self, event: Event) -> str | None:
        details = event["params"]
        match event["method"]:
            case "Network.requestWillBeSent":
                url = details["request"]["url"]
                ours = (f"{self.origin}/", "data:", "blob:")
                return None if url.startswith(ours) else f"request to {url}"
            case "Runtime.consoleAPICalled" if details["type"] in ("error", "warning", "assert"):
                return f"console: {[one.get('value', one.get('description')) for one in details['args']]}"
            case "Runtime.exceptionThrown":
                return f"exception: {details['exceptionDetails']}"
            case "Log.entryAdded" if details["entry"]["level"] in ("error", "warning"):
                status = re.search(r"status of (\d+)", details["entry"]["text"])
                return None if status and int(status[1]) in self.expected else f"log: {details['entry']}"
        return None

    def _until(self, true: Any, what: str) -> None:
        until = time.monotonic() + PATIENCE
        while not true():
            if time.monotonic() > until:
                raise AssertionError(f"never came: {what}; {self.complaints()}")
            self._chromium.listen(0.05)
            self._collect()

    def _collect(self) -> None:
        self._chromium.listen(0)
        events = self._chromium.events
        self._events += [one for one in events if one.get("sessionId") == self._session]
        events.clear()
