"""Who may do what: each list × each group × add, change, delete and the list's actions, as one table."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import RequestFactory

from shop.accounts.models import User
from shop.watch.groups import GROUPS
from tests.watch.test_groups import make

pytestmark = pytest.mark.django_db

# What is not named is denied. Only superusers open what stands nowhere here (members of staff, groups).
TABLE: dict[str, dict[str, str]] = {
    "accounts.customer": dict.fromkeys(("Support", "Finance", "Auditor"), "view"),
    "cart.cartrecord": dict.fromkeys(("Support", "Finance", "Auditor"), "view"),
    "cart.deadletter": {"Auditor": "view"},
    "cart.merge": dict.fromkeys(("Support", "Finance", "Auditor"), "view"),
    "cart.savedline": dict.fromkeys(GROUPS, "view export"),
    "catalog.product": {
        **dict.fromkeys(("Support", "Finance", "Auditor"), "view"),
        "Stock": "view add change",
    },
    "catalog.sku": {
        **dict.fromkeys(("Support", "Finance", "Auditor"), "view"),
        "Stock": "view add change start_selling stop_selling",
    },
    "checkout.checkout": dict.fromkeys(("Support", "Finance", "Auditor"), "view"),
    "checkout.idempotencyrecord": {"Auditor": "view"},
    "checkout.order": dict.fromkeys(("Support", "Finance", "Auditor"), "view"),
    "checkout.payment": {
        **dict.fromkeys(("Support", "Auditor"), "view"),
        "Finance": "view attach_to_order check_with_provider",
    },
    "checkout.refundrequest": {**dict.fromkeys(("Support", "Auditor"), "view"), "Finance": "view approve refuse"},
    "checkout.webhookevent": {"Auditor": "view", "Finance": "view give_up retry"},
    "inventory.location": {"Stock": "view add change"},
    "inventory.locationstock": dict.fromkeys(("Support", "Stock", "Finance", "Auditor"), "view"),
    "inventory.reservation": dict.fromkeys(("Support", "Stock", "Finance", "Auditor"), "view"),
    "inventory.stockentry": dict.fromkeys(("Support", "Stock", "Finance", "Auditor"), "view"),
    "inventory.stockitem": {
        **dict.fromkeys(("Support", "Finance", "Auditor"), "view export"),
        "Stock": "view export mark_cold mark_hot",
    },
    "notifications.abandonment": dict.fromkeys(("Marketing", "Auditor"), "view"),
    "notifications.campaign": {"Auditor": "view", "Marketing": "view add change"},
    "notifications.message": {
        "Auditor": "view",
        "Finance": "view resend",
        "Marketing": "view suppress",
        "Support": "view resend suppress",
    },
    "notifications.preference": dict.fromkeys(("Marketing", "Auditor"), "view"),
    "notifications.suppression": {"Auditor": "view", **dict.fromkeys(("Marketing", "Support"), "view add")},
    "notifications.variant": dict.fromkeys(("Marketing", "Auditor"), "view"),
    "pricing.customersegment": dict.fromkeys(("Marketing", "Auditor"), "view"),
    "pricing.discountcode": {"Auditor": "view", "Marketing": "view add change revoke"},
    "pricing.price": {"Auditor": "view", "Marketing": "view add change"},
    "pricing.pricedelta": dict.fromkeys(("Support", "Marketing", "Finance", "Auditor"), "view export"),
    "pricing.promotion": {"Auditor": "view", "Marketing": "view add change"},
    "pricing.promotionuse": dict.fromkeys(("Marketing", "Auditor"), "view"),
    "pricing.redemption": dict.fromkeys(("Marketing", "Auditor"), "view"),
    "watch.alert": dict.fromkeys(("Support", "Stock", "Finance", "Auditor"), "view"),
}


def test_each_group_may_do_what_the_table_says_and_no_more(rf: RequestFactory) -> None:
    make()
    found: dict[str, dict[str, str]] = {}
    for group in ("", *GROUPS):
        user = User.objects.create_user(f"{group.lower()}staff@example.com", None, is_staff=True)
        user.groups.set(Group.objects.filter(name=group))
        request = rf.get("/")
        request.user = User.objects.get(pk=user.pk)
        for model, page in admin.site._registry.items():
            rights = [name for name in ("view", "add", "change", "delete") if _may(page, name, request)]
            if rights:
                words = " ".join([*rights, *sorted(page.get_actions(request))])
                found.setdefault(model._meta.label_lower, {})[group] = words

    assert found == TABLE


def _may(page: admin.ModelAdmin, name: str, request: object) -> bool:  # type: ignore[type-arg]  # none at run time
    return bool(getattr(page, f"has_{name}_permission")(request))
