"""The customer: signs in with a mail address."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from shop.accounts.sessions import SessionStore


class UserManager(BaseUserManager["User"]):
    """Makes users by mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:  # noqa: ANN401 - model fields
        """Make a user; the mail address is kept in lower case."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:  # noqa: ANN401 - model fields
        """Make a user who may do everything in the admin."""
        return self.create_user(email, password, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a user by mail address, whatever its case."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A customer or a member of staff. There is no user name: the mail address is it."""

    username = None  # type: ignore[assignment]  # AbstractUser's field is taken away
    email = models.EmailField(_("mail address"), unique=True)
    language = models.CharField(_("language"), max_length=16, blank=True, default="", db_default="")
    """Chosen by the customer, for mails; empty: that of their last checkout."""
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="", db_default="")
    """Of the browser in which they last signed in, such as Europe/Berlin; empty: not known."""

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects: ClassVar[UserManager] = UserManager()  # type: ignore[assignment]  # replaces the one with user names

    class Meta(AbstractUser.Meta):
        """One account a mail address, whatever its case."""

        constraints: ClassVar = [models.UniqueConstraint(Lower("email"), name="one_account_a_mail_address")]

    def __str__(self) -> str:
        """Name the customer by number; addresses stay out of logs."""
        return f"customer {self.pk}"


class Customer(User):
    """A user who is not staff, as staff see one."""

    class Meta:
        proxy = True
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        default_permissions = ("view",)
        permissions: ClassVar = [
            ("export_customer", _("Can give out all that is known of a customer")),
            ("erase_customer", _("Can erase a customer")),
        ]


class StaffMember(User):
    """A user who works in the admin."""

    class Meta:
        proxy = True
        verbose_name = _("member of staff")
        verbose_name_plural = _("members of staff")
        default_permissions = ("view", "add", "change")

    def __str__(self) -> str:
        """Name them for their colleagues; this is shown in the admin only."""
        return self.get_full_name() or self.email


class WebSession(AbstractBaseSession):
    """A session of the shop's pages, or of an app that signed in; Django's own, with its customer beside it."""

    user_id = models.BigIntegerField(_("customer"), null=True)
    """Who is signed in with it; no foreign key: a session may outlive its account by a moment."""

    class Meta(AbstractBaseSession.Meta):
        """Found by its customer."""

        default_permissions = ()
        indexes: ClassVar = [
            models.Index(fields=["user_id"], condition=models.Q(user_id__isnull=False), name="web_session_of_user")
        ]

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        """Read and write by this app's engine."""
        return SessionStore
