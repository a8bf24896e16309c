"""Groups of staff and what each may do. Denied is what is not named here."""

from __future__ import annotations

from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import transaction

from shop.watch.models import GroupRight

SEE_SALES = (
    "accounts.view_customer",
    *("cart.view_cartrecord", "cart.view_merge", "cart.view_savedline"),
    *("checkout.view_checkout", "checkout.view_order", "checkout.view_payment", "checkout.view_refundrequest"),
)
SEE_STOCK = (
    *("catalog.view_product", "catalog.view_sku"),
    *("inventory.view_stockitem", "inventory.view_stockentry", "inventory.view_reservation"),
    "inventory.view_locationstock",
)
SEE_PRICES = (
    *("pricing.view_price", "pricing.view_promotion", "pricing.view_discountcode", "pricing.view_redemption"),
    *("pricing.view_pricedelta", "pricing.view_customersegment", "pricing.view_promotionuse"),
)
SEE_MAIL = (
    *("notifications.view_campaign", "notifications.view_variant", "notifications.view_message"),
    *("notifications.view_abandonment", "notifications.view_suppression", "notifications.view_preference"),
)

GROUPS: dict[str, tuple[str, ...]] = {
    "Support": (
        *SEE_SALES,
        *SEE_STOCK,
        *("accounts.export_customer", "accounts.erase_customer"),
        *("checkout.view_pii", "inventory.release_reservation", "pricing.view_pricedelta", "watch.view_alert"),
        *("notifications.view_message", "notifications.view_suppression", "notifications.add_suppression"),
        "notifications.resend_message",
    ),
    "Stock": (
        *SEE_STOCK,
        *("catalog.add_product", "catalog.change_product", "catalog.add_sku", "catalog.change_sku"),
        *("inventory.adjust_stock", "inventory.view_location", "inventory.add_location", "inventory.change_location"),
        *("cart.view_savedline", "watch.view_alert"),
    ),
    "Marketing": (
        *SEE_PRICES,
        *SEE_MAIL,
        *("pricing.add_price", "pricing.change_price", "pricing.add_promotion", "pricing.change_promotion"),
        *("pricing.add_discountcode", "pricing.change_discountcode"),
        *("notifications.add_campaign", "notifications.change_campaign", "notifications.run_campaign"),
        *("notifications.add_suppression", "cart.view_savedline"),
    ),
    "Finance": (
        *SEE_SALES,
        *SEE_STOCK,
        *("checkout.view_pii", "checkout.check_payment", "checkout.refund_payment", "checkout.review_payment"),
        *("checkout.approve_refund", "checkout.view_webhookevent", "checkout.retry_webhook"),
        *("inventory.force_release", "pricing.view_pricedelta", "notifications.resend_message"),
        *("notifications.view_message", "watch.view_alert"),
    ),
    "Auditor": (
        *SEE_SALES,
        *SEE_STOCK,
        *SEE_PRICES,
        *SEE_MAIL,
        *("checkout.view_webhookevent", "checkout.view_idempotencyrecord", "cart.view_deadletter", "watch.view_alert"),
    ),
}


def make_groups(*, app_config: object = None, **_: object) -> None:
    """Make the groups that do not exist, and give each what the table names and it was never given before.

    What the shop's staff added to a group or took away from it stays so. Safe to repeat, and from several processes.
    Hears `post_migrate`, which Django sends for each app as its permissions come into being: the last app's is the
    time. (A migration would run before the permissions of later apps exist.)
    """
    if app_config is not [config for config in apps.get_app_configs() if config.models_module is not None][-1]:
        return
    given = set(GroupRight.objects.values_list("group", "right"))
    there = set(Group.objects.filter(name__in=GROUPS).values_list("name", flat=True))
    missing = {
        name: [right for right in rights if name not in there or (name, right) not in given]
        for name, rights in GROUPS.items()
    }
    if not any(missing.values()):
        return
    known = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    with transaction.atomic():
        for name, rights in missing.items():
            group, _made = Group.objects.get_or_create(name=name)
            now_there = [right for right in rights if right in known]
            group.permissions.add(*(known[right] for right in now_there))
            GroupRight.objects.bulk_create(
                (GroupRight(group=name, right=right) for right in now_there), ignore_conflicts=True
            )
