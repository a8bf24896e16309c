"""A shopper without JavaScript: opens pages, fills in fields, presses buttons, follows redirects, keeps cookies.

Buttons are found by what they say, in the HTML that was answered, with the fields that their form really has, and the
CSRF check is on: a form that does not work does not work here either.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

from django.http.response import HttpResponseBase
from django.test import Client

_CHOICES = frozenset({"policy", "provider_token", "consent_reminders", "sku_id"})
"""Radio buttons and boxes: fields only when chosen."""
_VOID = frozenset({"input", "meta", "link", "img", "br", "hr"})


@dataclass(slots=True)
class Form:
    """A form as it stands on the page."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class Button:
    """A button: what it says, what is read out instead, its form, and what it adds to it."""

    text: str
    label: str
    form: Form | None
    form_id: str
    action: str
    name: str
    value: str


class _Reader(HTMLParser):
    """Reads forms, buttons, links, headings and text out of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.buttons: list[Button] = []
        self.forms: dict[str, Form] = {}
        self.links: list[tuple[str, str]] = []
        self.loose: list[tuple[str, tuple[str, str]]] = []
        self.words: list[str] = []
        self.title = ""
        self._form: Form | None = None
        self._button: Button | None = None
        self._link: str | None = None
        self._select: str = ""
        self._hidden: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append(tag)
            if "hidden" in given or tag in ("script", "style", "title"):
                self._hidden.append(tag + str(len(self._open)))
        match tag:
            case "form":
                self._form = Form(given.get("action", ""), given.get("method", "get").lower())
                if "id" in given:
                    self.forms[given["id"]] = self._form
            case "input":
                self._input(given)
            case "select":
                self._select = given.get("name", "")
            case "option" if "selected" in given and self._form:
                self._form.fields.append((self._select, given["value"]))
            case "button":
                self._button = Button(
                    text="",
                    label=given.get("aria-label", ""),
                    form=self._form,
                    form_id=given.get("form", ""),
                    action=given.get("formaction", ""),
                    name=given.get("name", ""),
                    value=given.get("value", ""),
                )
                self.buttons.append(self._button)
            case "a":
                self._link = given.get("href", "")
                self.links.append(("", self._link))

    def _input(self, given: dict[str, str]) -> None:
        if self._form is None or "name" not in given:
            return
        if given.get("type") in ("radio", "checkbox") and "checked" not in given:
            return
        self._form.fields.append((given["name"], given.get("value", "on")))

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and self._hidden[-1] == tag + str(len(self._open)):
            self._hidden.pop()
        if self._open and self._open[-1] == tag:
            self._open.pop()
        match tag:
            case "form":
                self._form = None
            case "button":
                self._button = None
            case "a":
                self._link = None

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if not text:
            return
        if self._open and self._open[-1] == "title":
            self.title += text
        if self._button:
            self._button.text = f"{self._button.text} {text}".strip()
        elif self._link is not None:
            said, href = self.links[-1]
            self.links[-1] = (f"{said} {text}".strip(), href)
        if not self._hidden:
            self.words.append(text)


class Shopper:
    """One browser without JavaScript."""

    def __init__(self) -> None:
        self.client = Client(enforce_csrf_checks=True, headers={"Sec-Fetch-Site": "same-origin"})
        self.url = ""
        self.status = 0
        self.response: HttpResponseBase | None = None
        self.seen: list[int] = []
        """The statuses of the last action, redirects included."""
        self._page = _Reader()

    def open(self, url: str) -> Shopper:
        """Open an address."""
        self.seen = []
        self._take(self.client.get(url), url)
        return self

    def press(self, button: str, **typed: str) -> Shopper:
        """Press the first button that says this (or is read out as this), after typing into its form's fields."""
        pressed = self._find(button)
        data = self.fields_of(button)
        form = self._form_of(pressed)
        for name, value in typed.items():
            assert name in data or name in _CHOICES, f"the form has no field {name!r}, only {sorted(data)}"
            data[name] = [value]
        action = pressed.action or form.action
        if form.method == "get":
            self.seen = []
            self._take(self.client.get(action, data), action)
            return self
        return self.post(action, data)

    def post(self, url: str, data: dict[str, list[str]]) -> Shopper:
        """Send a form that a page had."""
        self.seen = []
        self._take(self.client.post(url, data), url)
        return self

    def fields_of(self, button: str) -> dict[str, list[str]]:
        """Give what the form of a button would send."""
        pressed = self._find(button)
        data: dict[str, list[str]] = {}
        for name, value in self._form_of(pressed).fields:
            data.setdefault(name, []).append(value)
        if pressed.name:
            data[pressed.name] = [pressed.value]
        return data

    def _form_of(self, pressed: Button) -> Form:
        form = self._page.forms[pressed.form_id] if pressed.form_id else pressed.form
        assert form is not None, f"the button {pressed.text!r} belongs to no form"
        return form

    def _find(self, button: str) -> Button:
        for candidate in self._page.buttons:
            if button in (candidate.text, candidate.label):
                return candidate
        said = [candidate.label or candidate.text for candidate in self._page.buttons]
        msg = f"no button {button!r} on {self.url} ({self.status}), only {said}"
        raise AssertionError(msg)

    def can_press(self, button: str) -> bool:
        """Tell whether there is such a button."""
        return any(button in (candidate.text, candidate.label) for candidate in self._page.buttons)

    def follow(self, text: str) -> Shopper:
        """Follow the first link that says this."""
        href = next((href for said, href in self._page.links if said.startswith(text)), None)
        assert href is not None, f"no link {text!r} on {self.url}, only {[said for said, _ in self._page.links]}"
        return self.open(href)

    def sees(self, text: str) -> bool:
        """Tell whether this stands on the page."""
        return text in " ".join(self._page.words)

    @property
    def title(self) -> str:
        """The page's title."""
        return self._page.title

    @property
    def text(self) -> str:
        """All that stands on the page."""
        return " ".join(self._page.words)

    def _take(self, response: HttpResponseBase, url: str) -> None:
        for _ in range(6):
            self.seen.append(response.status_code)
            if response.status_code not in (301, 302, 303):
                break
            url = response["Location"]
            response = self.client.get(url)
        self.url = urlsplit(url).path
        self.status = response.status_code
        self.response = response
        self._page = _Reader()
        self._page.feed(bytes(getattr(response, "content", b"")).decode())
