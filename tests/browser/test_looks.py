"""People's own settings: wider text, larger letters, forced colors, no motion. And how much a page asks for."""

from __future__ import annotations

import gzip
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import Open, Visitor
from tests.web.helpers import sell

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# What WCAG 2.2 asks of every page in 1.4.12.
SPACED = """
* {line-height:1.5!important;letter-spacing:.12em!important;word-spacing:.16em!important}
p {margin-bottom:2em!important}
"""
CUT = """
[...document.querySelectorAll("main *, header *, footer *")].filter((one) => {
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  if (!box.width || one.closest(".vh,[hidden],select,svg,thead")) return false;
  const hides = style.overflowX !== "visible" || style.overflowY !== "visible";
  const outside = box.right > innerWidth + 1 && one.textContent.trim();
  return outside || (hides && (one.scrollWidth > one.clientWidth + 1 || one.scrollHeight > one.clientHeight + 1));
}).map((one) => one.outerHTML.slice(0, 120))
"""
UNBOUND = """
() => {
const all = ".btn, input:not([type=hidden],[type=checkbox],[type=radio]), select, .box, .rows, .notice";
return [...document.querySelectorAll(all)].filter((one) => {
  const style = getComputedStyle(one);
  const isBound = parseFloat(style.borderTopWidth) >= 1 && style.borderTopStyle !== "none";
  return one.getBoundingClientRect().width && !one.closest(".vh") && !isBound;
}).map((one) => one.outerHTML.slice(0, 120))
}
"""
MOVING = """
document.getAnimations().length + [...document.querySelectorAll("*")].filter((one) => {
  const style = getComputedStyle(one);
  return parseFloat(style.transitionDuration) > 0 || parseFloat(style.animationDuration) > 0;
}).length
"""


@pytest.fixture
def shopper(visit: Open) -> Visitor:
    """Give somebody with two lines in the cart, on a small screen, who may style the pages."""
    sell("MUG", "Enamel mug", price=1_400, on_hand=40)
    sell("TRIVET", "Cork trivet with a name so long that it has to be broken into several lines", price=900)
    visitor = visit(width=360, is_resized=True, bypass_csp=True)
    visitor.add("/p/enamel-mug/", "/p/cork-trivet-with-a-name-so-long-that-it-has-to-be-broken-into-several-lines/")
    return visitor


def pages(visitor: Visitor) -> list[str]:
    """Open the pages of a purchase one after the other."""
    visitor.open("/cart/")
    visitor.page.get_by_role("button", name="Check out").locator("visible=true").first.click()
    visitor.page.get_by_role("heading", name="Delivery", exact=True).wait_for()
    return ["/", "/p/enamel-mug/", "/cart/", urlsplit(visitor.page.url).path]


def test_no_text_is_cut_when_it_is_spaced_or_twice_as_large(shopper: Visitor) -> None:
    for path in pages(shopper):
        page = shopper.open(path)
        for width, style in ((360, SPACED), (1280, "html {font-size:200%}")):
            page.set_viewport_size({"width": width, "height": 800})
            sheet = page.add_style_tag(content=style)
            assert page.evaluate(CUT) == [], f"{path} with {style}"
            sheet.evaluate("one => one.remove()")
    # The check sees a text that is cut.
    page = shopper.page
    page.add_style_tag(content="h1 {overflow:hidden;white-space:nowrap;inline-size:1rem}")
    assert page.evaluate(CUT) != []


def test_in_forced_colors_everything_keeps_its_bounds_and_without_motion_nothing_moves(shopper: Visitor) -> None:
    shopper.page.emulate_media(forced_colors="active", reduced_motion="reduce")
    for path in pages(shopper):
        page = shopper.open(path)
        assert page.evaluate(UNBOUND) == [], path
        assert page.evaluate(MOVING) == 0, path
    page = shopper.page
    page.add_style_tag(content=".btn {border:0!important} a {transition:color 1s!important}")
    assert page.evaluate(UNBOUND) != []
    assert page.evaluate(MOVING) > 0


def test_the_cart_asks_for_little_and_for_nothing_elsewhere(shopper: Visitor) -> None:
    asked: list[tuple[str, str]] = []
    shopper.page.on("request", lambda request: asked.append((request.resource_type, request.url)))
    shopper.open("/cart/")
    shopper.page.wait_for_load_state("networkidle")
    assert {urlsplit(url).netloc for _, url in asked} == {urlsplit(shopper.url).netloc}
    assert not [url for kind, url in asked if kind == "font"]
    assert len([url for kind, url in asked if kind != "image" and not url.endswith(".svg")]) <= 5
    html = shopper.page.request.get(f"{shopper.url}/cart/").body()
    assert len(html) <= 40_000
    assert len(gzip.compress(html)) <= 6_000
