"""Checkouts and payments for programs."""

from __future__ import annotations

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from cart import identity
from shop.checkout import selectors, services
from shop.checkout.api import serializers
from shop.checkout.api.edge import IDEMPOTENCY_KEY, IF_MATCH, CheckoutApiView
from shop.checkout.api.representations import checkout_json, payment_json
from shop.checkout.errors import CartEmptyError
from shop.checkout.types import CheckoutView, PaymentState, PaymentView
from shop.core import clock
from shop.core.api import plain
from shop.core.http import network_address
from shop.core.preconditions import etag, expected_version
from shop.core.web.own import remember_own


def _checkout(view: CheckoutView, *, status: int = 200) -> Response:
    headers = {"ETag": etag(view.version), "Cache-Control": "no-store"}
    if status == 201:  # noqa: PLR2004 - created
        headers["Location"] = reverse("api-checkout", args=[view.checkout_id])
    return Response(checkout_json(view), status=status, headers=headers)


def _payment(view: PaymentView) -> Response:
    status = 201 if view.state is PaymentState.SUCCEEDED else 202
    headers = {"Location": reverse("api-payment", args=[view.checkout_id, view.payment_id])}
    return Response(payment_json(view), status=status, headers=headers)


class CheckoutListView(CheckoutApiView):
    """`/checkouts`."""

    limited = {"POST": "checkout_starts"}

    @extend_schema(
        operation_id="start_checkout",
        tags=["checkout"],
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=serializers.StartCheckout,
        responses={201: serializers.CheckoutSchema, 200: serializers.CheckoutSchema},
    )
    def post(self, request: Request) -> Response:
        """Quote the cart anew, compare with the prices shown, reserve. 200 if this cart had an open checkout."""
        key = self.key(request, is_required=True)
        version = expected_version(plain(request), is_required=True)
        data = self.body(serializers.StartCheckout, request)
        ref = identity.cart_ref(plain(request))
        if ref is None:
            raise CartEmptyError
        principal = self.principal_of(request, ref)

        def effect() -> Response:
            view, is_new = services.start_checkout(
                ref=ref,
                principal=principal,
                accepted_total=data.get("accepted_total"),
                expected_cart_version=version,
                email=data.get("email", ""),
                now=clock.now(),
                network_address=network_address(plain(request)),
            )
            return _checkout(view, status=201 if is_new else 200)

        response = self.once(request, principal, key, {**data, "if_match": version}, effect)
        remember_own(response, plain(request), response.data["id"])
        return response


class CheckoutDetailView(CheckoutApiView):
    """`/checkouts/{id}`."""

    cache_control = "no-store"

    @extend_schema(operation_id="get_checkout", tags=["checkout"], responses={200: serializers.CheckoutSchema})
    def get(self, request: Request, checkout_id: str) -> Response:
        """Show a checkout."""
        return _checkout(
            selectors.get_checkout(checkout_id=checkout_id, principal=self.principal(request), now=clock.now()),
        )

    @extend_schema(
        operation_id="update_checkout",
        tags=["checkout"],
        parameters=[IF_MATCH],
        request=serializers.UpdateCheckout,
        responses={200: serializers.CheckoutSchema},
    )
    def patch(self, request: Request, checkout_id: str) -> Response:
        """Take the mail address, the delivery address and the consent to reminders."""
        principal = self.principal(request)
        version = expected_version(plain(request), is_required=True)
        data = self.body(serializers.UpdateCheckout, request)
        details: dict[str, str | bool] = {**data.pop("shipping_address", {}), **data}
        return _checkout(
            services.update_details(
                checkout_id=checkout_id,
                principal=principal,
                details=details,
                expected_version=version,
                now=clock.now(),
            ),
        )

    @extend_schema(operation_id="cancel_checkout", tags=["checkout"], request=None, responses={204: None})
    def delete(self, request: Request, checkout_id: str) -> Response:
        """Give the checkout up; what it reserved is given back."""
        services.cancel(checkout_id=checkout_id, principal=self.principal(request), now=clock.now())
        return Response(status=204)


class RenewalView(CheckoutApiView):
    """`/checkouts/{id}/reservation-renewals`."""

    @extend_schema(
        operation_id="renew_reservation",
        tags=["checkout"],
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses={200: serializers.CheckoutSchema},
    )
    def post(self, request: Request, checkout_id: str) -> Response:
        """Keep the reserved units for longer."""
        key = self.key(request, is_required=True)
        self.no_body(request)
        principal = self.principal(request)
        return self.once(
            request,
            principal,
            key,
            {},
            lambda: _checkout(services.renew(checkout_id=checkout_id, principal=principal, now=clock.now(), key=key)),
        )


class ReservationView(CheckoutApiView):
    """`/checkouts/{id}/reservations`."""

    @extend_schema(
        operation_id="reserve_again",
        tags=["checkout"],
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.ReserveAgain,
        responses={201: serializers.CheckoutSchema},
    )
    def post(self, request: Request, checkout_id: str) -> Response:
        """Reserve again after the reservation ended."""
        key = self.key(request, is_required=True)
        data = self.body(serializers.ReserveAgain, request)
        principal = self.principal(request)

        def effect() -> Response:
            return _checkout(
                services.reserve_again(
                    checkout_id=checkout_id,
                    principal=principal,
                    accepted_total=data.get("accepted_total"),
                    now=clock.now(),
                    network_address=network_address(plain(request)),
                ),
                status=201,
            )

        return self.once(request, principal, key, data, effect)


class PaymentListView(CheckoutApiView):
    """`/checkouts/{id}/payments`."""

    @extend_schema(
        operation_id="pay",
        tags=["checkout"],
        parameters=[IDEMPOTENCY_KEY],
        request=serializers.Pay,
        responses={201: serializers.PaymentSchema, 202: serializers.PaymentSchema},
    )
    def post(self, request: Request, checkout_id: str) -> Response:
        """Pay. 201: paid, the order is placed. 202: `processing` or `requires_action`; ask again."""
        key = self.key(request, is_required=True)
        data = self.body(serializers.Pay, request)
        principal = self.principal(request)

        def effect() -> Response:
            return _payment(
                services.pay(
                    checkout_id=checkout_id,
                    principal=principal,
                    method=data["method"],
                    provider_token=data["provider_token"],
                    expected_total=data["expected_total"],
                    key=key,
                    now=clock.now(),
                ),
            )

        return self.once(request, principal, key, data, effect)


class PaymentDetailView(CheckoutApiView):
    """`/checkouts/{id}/payments/{payment_id}`."""

    cache_control = "no-store"

    @extend_schema(operation_id="get_payment", tags=["checkout"], responses={200: serializers.PaymentSchema})
    def get(self, request: Request, checkout_id: str, payment_id: str) -> Response:
        """Show how a payment stands."""
        payment = selectors.get_payment(
            checkout_id=checkout_id,
            payment_id=payment_id,
            principal=self.principal(request),
        )
        return Response(payment_json(payment))


class PaymentCheckView(CheckoutApiView):
    """`/checkouts/{id}/payments/{payment_id}/checks`."""

    @extend_schema(
        operation_id="check_payment",
        tags=["checkout"],
        request=None,
        responses={201: serializers.PaymentSchema, 202: serializers.PaymentSchema},
    )
    def post(self, request: Request, checkout_id: str, payment_id: str) -> Response:
        """Ask the provider how a payment stands, instead of waiting for its news."""
        self.no_body(request)
        return _payment(
            services.check_payment(
                checkout_id=checkout_id,
                payment_id=payment_id,
                principal=self.principal(request),
                now=clock.now(),
            ),
        )
