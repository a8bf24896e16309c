"""Paths of checkout and orders."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from shop.checkout.web import keeping, orders, paying, starting, steps

_checkout: list[URLPattern | URLResolver] = [
    path("", starting.StartView.as_view(), name="start"),
    path("<str:checkout_id>/delivery/", steps.DeliveryView.as_view(), name="delivery"),
    path("<str:checkout_id>/payment/", steps.PaymentStepView.as_view(), name="payment"),
    path("<str:checkout_id>/review/", steps.ReviewView.as_view(), name="review"),
    path("<str:checkout_id>/pay/", paying.PayView.as_view(), name="pay"),
    path("<str:checkout_id>/waiting/", paying.WaitingView.as_view(), name="waiting"),
    path("<str:checkout_id>/stop/", paying.StopView.as_view(), name="stop"),
    path("payer/<str:token>/", paying.PayerView.as_view(), name="payer"),
    path("<str:checkout_id>/renew/", keeping.RenewView.as_view(), name="renew"),
    path("<str:checkout_id>/reserve/", keeping.ReserveView.as_view(), name="reserve"),
    path("<str:checkout_id>/cancel/", keeping.CancelView.as_view(), name="cancel"),
]

_orders: list[URLPattern | URLResolver] = [
    path("", orders.OrderListView.as_view(), name="list"),
    path("find/", orders.FindOrderView.as_view(), name="find"),
    path("link/<str:token>/", orders.OrderLinkView.as_view(), name="link"),
    path("<str:number>/", orders.OrderView.as_view(), name="order"),
    path("<str:number>/again/", orders.OrderAgainView.as_view(), name="again"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("checkout/", include((_checkout, "checkout"))),
    path("orders/", include((_orders, "orders"))),
]
