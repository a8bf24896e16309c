"""What each environment refuses, in a sentence, and what it sets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from django.conf import settings

from shop.settings.caches import cache

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "DJANGO_SETTINGS_MODULE": "shop.settings.prod",
    "STAGING": "true",
    "SECRET_KEY": "abcdefghijklmnopqrstuvwxyz0123456789" * 2,
    "ALLOWED_HOSTS": "shop.example.com",
    "BASE_URL": "https://shop.example.com",
    "EMAIL_URL": "smtp://mail.example.com",
    "CHECKOUT_WEBHOOK_SECRET": "w" * 32,
    "NOTIFICATIONS_LINK_KEYS": "k" * 32,
    "NOTIFICATIONS_PEPPERS": "p" * 32,
    "NOTIFICATIONS_POSTAL_ADDRESS": "Shop Ltd, 1 High Street, London",
    "DATABASE_URL": "postgres://shop@db.example.com/shop",
    "CART_REDIS_URL": "redis://:rehearsal@cart.example.com/0",
    "CACHE_URL": "redis://cache.example.com/1",
    "CELERY_BROKER_URL": "redis://broker.example.com/2",
}


def manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py with that environment and nothing else of ours."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**bare, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_production_with_everything_named_is_fit_to_be_deployed() -> None:
    done = manage(PRODUCTION, "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr


def test_a_proxy_whose_address_would_be_everybodys_is_warned_of() -> None:
    behind = {**PRODUCTION, "TRUST_X_FORWARDED_PROTO": "true"}
    warned = manage(behind, "check", "--deploy", "--fail-level", "WARNING")
    assert warned.returncode == 1
    assert "core.W002" in warned.stderr
    known = manage({**behind, "API_TRUSTED_PROXIES": "1"}, "check", "--deploy", "--fail-level", "WARNING")
    assert known.returncode == 0


def test_a_web_process_without_static_files_does_not_start(tmp_path: Path) -> None:
    bare = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}

    def start() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", "import shop.wsgi"],
            cwd=ROOT,
            env={**bare, **PRODUCTION, "STATIC_ROOT": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    assert "No static files are in STATIC_ROOT: run `manage.py collectstatic --noinput` first." in start().stderr
    # What collecting leaves; doing so here would compress them all.
    (tmp_path / "staticfiles.json").write_text(
        '{"paths": {"a.css": "a.0123456789ab.css"}, "version": "1.1", "hash": ""}'
    )
    done = start()
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set in production."),
        ({"SECRET_KEY": "short"}, "SECRET_KEY must have at least 50 characters."),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS must be set in production."),
        (
            {"ALLOWED_HOSTS": "*"},
            "ALLOWED_HOSTS must name the shop's hosts, not *: links in mails would follow any Host.",
        ),
        ({"BASE_URL": ""}, "BASE_URL must be set in production."),
        (
            {"BASE_URL": "http://shop.example.com"},
            "BASE_URL must be the shop's address with https://, such as https://shop.example.com.",
        ),
        ({"DEBUG": "true"}, "DEBUG must not be on in production: its pages show settings and data."),
        ({"CHECKOUT_WEBHOOK_SECRET": ""}, "CHECKOUT_WEBHOOK_SECRET must be set in production."),
        ({"NOTIFICATIONS_LINK_KEYS": ""}, "NOTIFICATIONS_LINK_KEYS must be set in production."),
        ({"NOTIFICATIONS_PEPPERS": ""}, "NOTIFICATIONS_PEPPERS must be set in production."),
        (
            {"NOTIFICATIONS_LINK_KEYS": f"{'k' * 32},offline-links"},
            "NOTIFICATIONS_LINK_KEYS must be secrets of at least 16 characters: links in mails rest on them.",
        ),
        (
            {"NOTIFICATIONS_PEPPERS": "offline-pepper"},
            "NOTIFICATIONS_PEPPERS must be secrets of at least 16 characters: links in mails rest on them.",
        ),
        ({"NOTIFICATIONS_POSTAL_ADDRESS": ""}, "NOTIFICATIONS_POSTAL_ADDRESS must be set in production."),
        ({"DATABASE_URL": ""}, "DATABASE_URL must be set in production."),
        ({"CART_REDIS_URL": ""}, "CART_REDIS_URL must be set in production."),
        ({"CACHE_URL": ""}, "CACHE_URL must be set in production."),
        ({"CELERY_BROKER_URL": ""}, "CELERY_BROKER_URL must be set in production."),
        ({"EMAIL_URL": ""}, "EMAIL_URL must be set in production."),
        (
            {"EMAIL_URL": "", "ANYMAIL_PROVIDER": "postmark"},
            "ANYMAIL_WEBHOOK_SECRET must be set in production.",
        ),
        ({"ANYMAIL_PROVIDER": "pigeon"}, "ANYMAIL_PROVIDER: must be a provider that anymail knows, such as postmark."),
        (
            {"STAGING": "false"},
            "CHECKOUT_GATEWAY=fake is the offline gateway, which takes no money: production must name a real one.",
        ),
        (
            {"CHECKOUT_GATEWAY": "stripe"},
            "STRIPE_SECRET_KEY: must be set with CHECKOUT_GATEWAY=stripe.",
        ),
        (
            {"CHECKOUT_GATEWAY": "stripe", "STRIPE_SECRET_KEY": "sk_test_0123456789", "STAGING": "false"},
            "STRIPE_SECRET_KEY is a key for test mode, in which nobody pays: production must name a live one.",
        ),
        (
            {
                "CHECKOUT_GATEWAY": "stripe",
                "STRIPE_SECRET_KEY": "sk_live_0123456789",
                "STRIPE_API_BASE": "https://stripe.example.com",
                "STAGING": "false",
            },
            "STRIPE_API_BASE is for tests: production must ask Stripe itself.",
        ),
        (
            {"STRIPE_SECRET_KEY": "pk_live_0123456789"},
            "STRIPE_SECRET_KEY: must be a secret or restricted key, such as sk_live_….",
        ),
        (
            {
                "CHECKOUT_GATEWAY": "stripe",
                "STRIPE_SECRET_KEY": "sk_live_0123456789",
                "CHECKOUT_WEBHOOK_SECRET": "offline-gateway",
            },
            "CHECKOUT_WEBHOOK_SECRET: must be the provider's signing secret with CHECKOUT_GATEWAY=stripe.",
        ),
        ({"CHECKOUT_GATEWAY": "cash"}, "CHECKOUT_GATEWAY: must be fake or stripe."),
        ({"CART_TTL_DAYS": "soon"}, "CART_TTL_DAYS='soon': must be a whole number."),
    ],
)
def test_production_refuses_what_must_not_be_wrong_in_one_sentence(changed: dict[str, str], sentence: str) -> None:
    done = manage({**PRODUCTION, **changed}, "check")
    assert (done.returncode, done.stderr.strip()) == (1, sentence)


def test_a_command_without_servers_says_what_to_do(tmp_path: Path) -> None:
    done = manage({"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgres://x@localhost/x"}, "showmigrations")
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "No servers are running here: run `make demo`, or set CART_REDIS_URL, CACHE_URL, CELERY_BROKER_URL."
    )


def test_a_command_that_needs_no_server_runs_without_one(tmp_path: Path) -> None:
    done = manage({"DATA_DIR": str(tmp_path)}, "check")
    assert done.returncode == 0, done.stderr


def test_the_secret_key_of_a_developers_machine_stays_the_same(tmp_path: Path) -> None:
    for _ in range(2):
        assert manage({"DATA_DIR": str(tmp_path)}, "check").returncode == 0
    keys = list(tmp_path.glob("secret_key*"))
    assert [key.name for key in keys] == ["secret_key"]
    assert keys[0].stat().st_mode & 0o777 == 0o600


def test_the_example_lists_every_setting_of_every_app() -> None:
    listed = set(re.findall(r"^# ([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    confs = ("CART", "PRICING", "INVENTORY", "NOTIFICATIONS", "CHECKOUT", "STRIPE", "API")
    known = {f"{app}_{field.name.upper()}" for app in confs for field in fields(getattr(settings, app))}
    read = set()
    for path in (ROOT / "shop" / "settings").glob("*.py"):
        read |= set(re.findall(r'(?:env\.\w+|_required)\(\s*"([A-Z_]+)"', path.read_text()))
    assert (known | read) - {"EMAIL_BACKEND"} - listed == set()


def test_cache_and_tasks_carry_json_and_never_pickle() -> None:
    assert cache("redis://x")["OPTIONS"]["SERIALIZER"].endswith("JSONSerializer")
    assert settings.CELERY_ACCEPT_CONTENT == ["json"]
    assert settings.SESSION_SERIALIZER.endswith("JSONSerializer")


def test_each_wake_up_expires_before_the_next_and_names_a_task_that_exists() -> None:
    from shop.celery import app  # noqa: PLC0415 - after the settings

    app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["options"]["expires"] <= entry["schedule"].run_every.total_seconds()
        assert entry["task"] in app.tasks


@pytest.mark.parametrize(("gateway", "targets"), [("fake", "'self'"), ("stripe", "'self' https://checkout.stripe.com")])
def test_forms_may_lead_to_the_providers_page_only_where_it_is_used(tmp_path: Path, gateway: str, targets: str) -> None:
    chosen = {"CHECKOUT_GATEWAY": gateway, "STRIPE_SECRET_KEY": "sk_test_0123456789", "DATA_DIR": str(tmp_path)}
    code = "from django.conf import settings as s; print(*s.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action'])"
    done = manage({**PRODUCTION, **chosen}, "shell", "--no-imports", "-c", code)
    assert done.stdout.strip() == targets, done.stderr
