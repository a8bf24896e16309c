"""Staff's pages of carts: found by what staff has at hand, live beside recorded, read-only, never a token."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from cart import recorder, services, store
from cart.models import CartEvent, CartRecord, DeadLetter
from cart.types import CartRef
from pricing import services as pricing
from shop.accounts.models import User
from shop.core.money import Money
from tests.cart.helpers import NOW, customer, make_sku, new_guest
from tests.ports import free_port

pytestmark = pytest.mark.django_db


def staff(*permissions: str) -> Client:
    """Sign a member of staff in who may see everything of carts, and more."""
    user = User.objects.create_user("staff@shop.example", "irrelevant-1", is_staff=True)
    seen = Permission.objects.filter(content_type__app_label="cart")
    user.user_permissions.set(seen.filter(codename__startswith="view_"))
    user.user_permissions.add(*seen.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, model: str = "cartrecord", query: str = "") -> str:
    """Read a list."""
    answer = client.get(reverse(f"admin:cart_{model}_changelist") + query)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def cart_page(client: Client, ref: CartRef) -> str:
    """Read the page of a recorded cart."""
    record = CartRecord.objects.exclude(state="converted").get(owner=ref.owner)
    return client.get(reverse("admin:cart_cartrecord_change", args=[record.pk])).content.decode()


def owners(text: str) -> set[str]:
    """Tell whose carts a list shows."""
    return set(re.findall(r'field-who"><a[^>]*>([ug]:\w+)', text))


def put(ref: CartRef, sku_id: str = "MUG", quantity: int = 1) -> CartRef:
    """Put something into a cart."""
    services.add_line(ref=ref, sku_id=sku_id, quantity=quantity, now=NOW)
    return ref


def test_carts_are_found_by_mail_address_number_guest_and_sku_also_of_the_saved_list() -> None:
    make_sku("MUG")
    make_sku("LAMP")
    ada = User.objects.create_user("ada@example.com", "irrelevant-1")
    put(customer(ada.pk))
    guest = put(new_guest(), "LAMP")
    services.set_saved_quantity(ref=put(customer(998), "MUG"), sku_id="LAMP", quantity=1, now=NOW)
    recorder.drain()
    client = staff()
    short, a, b = f"g:{guest.key[:6]}", f"u:{ada.pk}", "u:998"

    assert owners(page(client)) == {short, a, b}
    assert owners(page(client, query="?q=Ada@example.com")) == {a}
    assert owners(page(client, query="?q=998")) == {b}
    assert owners(page(client, query=f"?q={short}")) == {short}
    assert owners(page(client, query="?q=MUG")) == {a, b}
    assert owners(page(client, query="?q=LAMP")) == {short, b}
    assert owners(page(client, query="?q=nobody@example.com")) == set()
    for odd in ("%00", "g:", "'", "9" * 40, "%F0%9F%98%80", "@", '"%7D'):
        assert client.get(reverse("admin:cart_cartrecord_changelist") + f"?q={odd}").status_code == 200


def test_the_search_for_a_sku_uses_its_index() -> None:
    make_sku()
    put(customer(1))
    recorder.drain()
    # Enough carts that the planner has something to choose between, whatever the table looked like before.
    other = [{"sku_id": "OTHER", "quantity": 1}]
    CartRecord.objects.bulk_create(
        CartRecord(
            owner=f"u:{n}",
            user_id=n,
            version=1,
            content_version=1,
            lines=other,
            saved=other,
            units=1,
            currency="GBP",
            last_activity_at=NOW,
        )
        for n in range(1_000, 3_000)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE cart_cartrecord")
    sql = (
        "SELECT id FROM cart_cartrecord WHERE jsonb_path_query_array(lines, '$[*].sku_id') @> '[\"MUG\"]'"
        " OR jsonb_path_query_array(saved, '$[*].sku_id') @> '[\"MUG\"]'"
    )
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}")
        direct = str(cursor.fetchall())
        cursor.execute("EXPLAIN SELECT * FROM cart_savedline WHERE skus @> '[\"MUG\"]' AND sku_id = 'MUG'")
        unfolded = str(cursor.fetchall())
    assert "cart_by_sku" in direct
    assert "cart_by_sku" in unfolded


def test_carts_are_filtered_by_shopper_idleness_and_value() -> None:
    make_sku("CHEAP", price=500)
    make_sku("DEAR", price=15_000)
    put(customer(1), "CHEAP")
    guest = put(new_guest(), "DEAR")
    recorder.drain()
    CartRecord.objects.filter(user_id=1).update(last_activity_at=NOW)
    client = staff()
    short = f"g:{guest.key[:6]}"

    assert owners(page(client, query="?shopper=guest")) == {short}
    assert owners(page(client, query="?shopper=customer")) == {"u:1"}
    assert owners(page(client, query="?idle=7")) == {"u:1"}
    assert owners(page(client, query="?value=low")) == {"u:1"}
    assert owners(page(client, query="?value=high")) == {short}
    assert owners(page(client, query="?value=middle&idle=x&shopper=x")) == set()


def test_a_list_costs_the_same_for_one_cart_and_for_many() -> None:
    make_sku()
    client = staff()
    client.get(reverse("admin:cart_cartrecord_changelist"))
    counts: list[int] = []
    for number in (1, 30):
        for user_id in range(number):
            put(customer(user_id))
        recorder.drain()
        for model in ("cartrecord", "savedline", "merge", "deadletter"):
            with CaptureQueriesContext(connection) as queries:
                page(client, model)
            counts.append(len(queries))
    assert counts[:4] == counts[4:]
    assert max(counts) <= 12


def test_a_cart_is_shown_live_beside_recorded_with_prices_then_and_now_and_its_notices() -> None:
    make_sku("MUG", price=1_200)
    make_sku("LAMP", price=3_000)
    ref = put(customer(5), "MUG", 2)
    recorder.drain()
    pricing.set_prices(prices={"MUG": Money(1_350, "GBP")}, valid_from=NOW)
    client = staff()

    settled = cart_page(client, ref)
    put(ref, "LAMP")
    ahead = cart_page(client, ref)

    assert "The record is as new as the live cart." in settled
    assert "(differs)" not in settled
    assert "£12.00" in settled
    assert "£13.50" in settled
    assert "price up £1.50 to £13.50" in settled
    assert "£27.00" in settled
    assert "The record is behind" in ahead
    assert ahead.count("(differs)") == 1


def test_a_cart_that_redis_lost_is_shown_as_recorded_and_not_brought_back_by_looking() -> None:
    make_sku()
    ref = put(customer(5), quantity=3)
    recorder.drain()
    store.run(lambda client: client.flushdb())

    assert "There is no live cart" in cart_page(staff(), ref)
    assert store.read(ref.owner) == {}


def test_a_cart_is_shown_as_recorded_while_redis_cannot_answer(settings: Any) -> None:
    settings.CART = replace(settings.CART, redis_url=f"redis://127.0.0.1:{free_port()}/0")
    CartRecord.objects.create(
        owner="u:5", user_id=5, version=1, content_version=1, currency="GBP", last_activity_at=NOW
    )
    assert "Redis cannot answer right now" in cart_page(staff(), customer(5))


def test_the_page_tells_how_a_cart_came_to_be_with_its_merges_and_undos() -> None:
    make_sku("MUG")
    make_sku("LAMP")
    guest, ref = put(new_guest(), "LAMP", 2), put(customer(5), "MUG", 2)
    services.save_line(ref=ref, sku_id="MUG", now=NOW, quantity=1)
    result = services.merge_guest_cart(guest_ref=guest, user_id=5, now=NOW)
    services.undo(ref=ref, undo=result.undo)
    recorder.drain()
    client = staff()

    text = re.sub(r"\s+", " ", cart_page(client, ref))
    merges = page(client, "merge")

    assert "LAMP 0 → 2" in text
    assert "MUG (saved) 0 → 1" in text
    assert "joined with a guest&#x27;s cart" in text
    assert "LAMP: added, account 0, guest 2, after 2" in text
    assert text.index("undone") < text.index("joined with a guest") < text.index("saved for later")
    assert "1 × added" in merges
    assert "max" in merges
    assert 'alt="True"' in merges
    assert "&lt;" not in merges


def test_no_page_shows_a_token_or_a_guests_whole_hash() -> None:
    make_sku("MUG")
    guest, ref = put(new_guest()), put(customer(5))
    short = f"g:{guest.key[:6]}"
    merged = services.merge_guest_cart(guest_ref=guest, user_id=5, now=NOW)
    removed = services.remove_line(ref=ref, sku_id="MUG", now=NOW)
    other = put(new_guest())
    recorder.drain()
    letter = _letter(owner=other.owner, fields='{"t": "secret"}')
    merge = CartEvent.objects.get(reason="merge")
    client = staff()

    texts = [page(client, model) for model in ("cartrecord", "savedline", "merge", "deadletter")]
    texts += [cart_page(client, ref), cart_page(client, other), cart_page(client, guest)]
    texts += [
        client.get(reverse("admin:cart_merge_change", args=[merge.pk])).content.decode(),
        client.get(reverse("admin:cart_deadletter_change", args=[letter.pk])).content.decode(),
    ]

    assert short in texts[0]
    for text in texts:
        for secret in (merged.undo, removed.undo, guest.key[:7], other.key[:7], "secret"):
            assert secret not in text


@pytest.mark.parametrize("model", ["cartrecord", "savedline", "merge", "deadletter"])
def test_staff_without_permission_see_nothing_and_nobody_may_write(model: str) -> None:
    make_sku()
    put(customer(5))
    recorder.drain()
    nobody = User.objects.create_user("new@shop.example", "irrelevant-1", is_staff=True)
    client = Client()
    client.force_login(nobody)
    assert client.get(reverse(f"admin:cart_{model}_changelist")).status_code == 403
    strong = staff(f"add_{model}", f"change_{model}", f"delete_{model}")
    assert strong.get(reverse(f"admin:cart_{model}_add")).status_code == 403
    record = CartRecord.objects.get()
    assert strong.post(reverse("admin:cart_cartrecord_change", args=[record.pk]), {"units": 9}).status_code == 403
    assert strong.post(reverse("admin:cart_cartrecord_delete", args=[record.pk]), {"post": "yes"}).status_code == 403


def test_saved_lines_are_found_by_sku_customer_date_and_a_fallen_price() -> None:
    make_sku("MUG", price=1_200)
    make_sku("LAMP", price=3_000)
    for user_id, sku_id in ((1, "MUG"), (2, "LAMP")):
        services.set_saved_quantity(ref=customer(user_id), sku_id=sku_id, quantity=2, now=NOW)
    recorder.drain()
    pricing.set_prices(prices={"LAMP": Money(2_500, "GBP")}, valid_from=NOW)
    client = staff()

    def found(query: str) -> list[str]:
        return re.findall(r'field-sku_id">(\w+)', page(client, "savedline", query))

    assert found("") == ["MUG", "LAMP"]
    assert found("?q=MUG") == ["MUG"]
    assert found("?q=u:2") == ["LAMP"]
    assert found("?price=fallen") == ["LAMP"]
    assert "?added_at__gte=" in page(client, "savedline")
    assert found("?added_at__gte=2000-01-01T00:00:00Z") == ["MUG", "LAMP"]
    assert found("?added_at__lt=2000-01-01T00:00:00Z") == []
    assert "£25.00" in page(client, "savedline", "?price=fallen")

    where = reverse("admin:cart_savedline_changelist") + "?price=fallen"
    chosen = re.findall(r'name="_selected_action" value="([^"]+)"', page(client, "savedline", "?price=fallen"))
    answer = client.post(where, {"action": "export", "_selected_action": chosen})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="saved-lines.csv"'
    out = io.StringIO()
    call_command("export_saved_lines", "--dropped", stdout=out)
    assert answer.content.decode() == out.getvalue()
    assert out.getvalue().splitlines()[1].startswith("2,LAMP,2,")
    assert out.getvalue().endswith(",3000,2500,500,GBP\n")


def _letter(**fields: Any) -> DeadLetter:
    values = {"partition": 1, "entry_id": "1-0", "owner": "u:5", "fields": "{}", "error": "x", "deliveries": 6}
    letter = DeadLetter(**{**values, **fields})
    letter.save()
    return letter


def test_a_dead_letter_is_tried_again_from_the_live_cart_if_it_cannot_be_read_and_staff_may_give_it_up() -> None:
    make_sku()
    put(customer(5), quantity=4)
    client = staff("retry_deadletter")
    where = reverse("admin:cart_deadletter_changelist")
    readable, lost = _letter(), _letter(entry_id="2-0", owner="u:6")

    answer = client.post(where, {"action": "retry", "_selected_action": [readable.pk, lost.pk]}, follow=True)

    assert "1 change was recorded." in answer.content.decode()
    assert "It still cannot be recorded" in answer.content.decode()
    assert CartRecord.objects.get(owner="u:5").units == 4
    assert DeadLetter.objects.get() == lost
    client.post(where, {"action": "give_up", "_selected_action": [lost.pk]})
    assert not DeadLetter.objects.exists()
    assert list(LogEntry.objects.order_by("id").values_list("change_message", flat=True)) == [
        "Recorded on another try",
        "Given up",
    ]


def test_who_may_only_read_dead_letters_cannot_retry_them() -> None:
    letter = _letter()
    staff().post(reverse("admin:cart_deadletter_changelist"), {"action": "give_up", "_selected_action": [letter.pk]})
    assert DeadLetter.objects.exists()
