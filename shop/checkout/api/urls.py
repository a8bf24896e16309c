"""Addresses of checkouts, payments, orders and webhooks."""

from __future__ import annotations

from django.urls import URLPattern, path

from shop.checkout.api import orders, problems, views, webhooks  # noqa: F401 - problems registers its words

urlpatterns: list[URLPattern] = [
    path("checkouts", views.CheckoutListView.as_view(), name="api-checkouts"),
    path("checkouts/<str:checkout_id>", views.CheckoutDetailView.as_view(), name="api-checkout"),
    path("checkouts/<str:checkout_id>/reservation-renewals", views.RenewalView.as_view(), name="api-renewals"),
    path("checkouts/<str:checkout_id>/reservations", views.ReservationView.as_view(), name="api-reservations"),
    path("checkouts/<str:checkout_id>/payments", views.PaymentListView.as_view(), name="api-payments"),
    path(
        "checkouts/<str:checkout_id>/payments/<str:payment_id>", views.PaymentDetailView.as_view(), name="api-payment"
    ),
    path(
        "checkouts/<str:checkout_id>/payments/<str:payment_id>/checks",
        views.PaymentCheckView.as_view(),
        name="api-payment-check",
    ),
    path("orders", orders.OrderListView.as_view(), name="api-orders"),
    path("orders/<str:number>", orders.OrderDetailView.as_view(), name="api-order"),
    path("orders/<str:number>/reorders", orders.ReorderView.as_view(), name="api-reorders"),
    path("webhooks/<str:provider>", webhooks.WebhookView.as_view(), name="api-webhook"),
]
