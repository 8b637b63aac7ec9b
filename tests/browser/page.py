"""A page in the browser, used as a person does, and everything about it that nobody should have to see."""

import base64
import json
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.browser.chromium import PATIENCE, Chromium, Event, Gone, Refused

#: A visible element by selector and, where one is given, by a text it has or is labelled with.
FIND = """(selector, text) => [...document.querySelectorAll(selector)].find(one => {
  const labels = [...(one.labels ?? [])].map(label => label.textContent).join(" ");
  const texts = [one.innerText, one.value, one.getAttribute("aria-label"), labels].join(" ");
  return one.checkVisibility({visibilityProperty: true}) && texts.includes(text);
})"""
#: Keys that write no character, with the code that a browser knows them by.
CODES = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowDown": 40}


class Page:
    """A tab of its own, without cookies at first; all that it does is kept for `complaints`."""

    def __init__(self, chromium: Chromium, origin: str) -> None:
        """Open an empty tab, for pages of a server."""
        self.origin = origin
        #: Statuses of answers that a test asks for; browsers write those that are errors to the console.
        self.expected: set[int] = set()
        self._chromium = chromium
        self._context = chromium.send("Target.createBrowserContext")["browserContextId"]
        target = chromium.send("Target.createTarget", url="about:blank", browserContextId=self._context)
        attached = chromium.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        self._events: list[Event] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.tell(f"{domain}.enable")
        self.look()

    def tell(self, method: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol to this tab."""
        return self._chromium.send(method, session=self._session, **parameters)

    def look(self, *, width: int = 1280, height: int = 900, dark: bool = False, language: str = "en") -> None:
        """Be a screen of this size in CSS pixels, in light or dark, of a person who reads this language."""
        self.tell(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.tell("Emulation.setEmulatedMedia", features=[scheme])
        self.tell("Emulation.setUserAgentOverride", userAgent="Chromium", acceptLanguage=language)

    def open(self, path: str) -> None:
        """Go to an address of the server, and wait until it is loaded."""
        self._collect()
        before = len(self._events)
        went = self.tell("Page.navigate", url=self.origin + path)
        if "loaderId" not in went:
            # To another place on the same page, which loads nothing.
            return
        self._until(
            lambda: any(one["method"] == "Page.loadEventFired" for one in self._events[before:]), path
        )

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript; a promise is waited for."""
        answer = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Refused(answer["exceptionDetails"].get("exception", {}).get("description", script))
        return answer["result"].get("value")

    def wait(self, script: str) -> None:
        """Wait until an expression is true, on the next page too where this one goes away."""

        def holds() -> bool:
            with suppress(Gone):
                return bool(self.run(f"!!({script})"))
            return False

        self._until(holds, script)

    def see(self, text: str, *, within: str = "body") -> None:
        """Wait until a text can be read."""
        self.wait(f"({FIND})({json.dumps(within)}, {json.dumps(text)})")

    def text(self, selector: str) -> str:
        """What can be read in an element, once it is there."""
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
            self.tell("Input.dispatchMouseEvent", type=kind, **place, button="left", clickCount=1)

    def fill(self, selector: str, value: str, *, text: str = "") -> None:
        """Click a field and write over what is in it."""
        self.click(selector, text)
        self.run("document.activeElement.select()")
        self.write(value)

    def write(self, value: str) -> None:
        """Write where the focus is."""
        self.tell("Input.insertText", text=value)

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key of CODES."""
        code = CODES[key]
        writes = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": 8 if shift else 0}
        self.tell("Input.dispatchKeyEvent", type="keyDown" if writes else "rawKeyDown", **common, **writes)
        self.tell("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, text: str) -> None:
        """Press Tab until the focus is, for all to see, on what has this text or label."""
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

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write what is seen to a PNG, or the whole page."""
        shot = self.tell("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def received(self) -> int:
        """Bytes that came over the wire so far."""
        self._collect()
        finished = [one["params"] for one in self._events if one["method"] == "Network.loadingFinished"]
        return int(sum(one["encodedDataLength"] for one in finished))

    def complaints(self) -> list[str]:
        """Requests to other hosts, errors in the console and violations of the policy."""
        # What the last step set off may still be on its way.
        self._chromium.listen(0.1)
        self._collect()
        return [found for event in self._events if (found := self._complaint(event))]

    def forget(self) -> None:
        """Begin anew with what is kept for `complaints`."""
        self._collect()
        self._events.clear()

    def close(self) -> None:
        """Forget the tab and its cookies."""
        self._chromium.send("Target.disposeBrowserContext", browserContextId=self._context)

    def _complaint(self, event: Event) -> str | None:
        told = event["params"]
        match event["method"]:
            case "Network.requestWillBeSent":
                url = told["request"]["url"]
                ours = (f"{self.origin}/", "data:", "blob:")
                return None if url.startswith(ours) else f"request to {url}"
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                return f"console: {[one.get('value', one.get('description')) for one in told['args']]}"
            case "Runtime.exceptionThrown":
                return f"exception: {told['exceptionDetails']}"
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                status = re.search(r"status of (\d+)", told["entry"]["text"])
                return None if status and int(status[1]) in self.expected else f"log: {told['entry']}"
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
