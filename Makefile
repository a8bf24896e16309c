# Every target explains itself: `make` or `make help` lists them.
# A machine needs Python 3.11 and make; everything else is installed into .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/requirements-dev.lock.cksum
PORT ?= 8000
DATA_DIR ?= var
export PORT DATA_DIR

# Every package of every platform, pinned with its hashes: nothing else is installed.
RESOLVE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --strip-extras --no-annotate --generate-hashes --custom-compile-command 'make lock'
LOCK_ARGS = --upgrade
# Run where they are needed, by people; neither is part of the shop or its tests.
PIP_AUDIT := pip-audit==2.10.1
CYCLONEDX := cyclonedx-bom==7.5.0
# Every process that tests and demo start would compile Django and the shop anew.
unexport PYTHONDONTWRITEBYTECODE

# Commands that read code and ask no server.
OFFLINE := DJANGO_SETTINGS_MODULE=shop.settings.test $(BIN)/python
# The settings of production with made-up values, to see whether they are fit for it.
REHEARSAL := chance() { head -c 48 /dev/urandom | base64; }; env DJANGO_SETTINGS_MODULE=shop.settings.prod STAGING=true SECRET_KEY=$$(chance) \
  ALLOWED_HOSTS=shop.example.com BASE_URL=https://shop.example.com EMAIL_URL=smtp://mail.example.com CHECKOUT_WEBHOOK_SECRET=rehearsal \
  DATABASE_URL=postgres://shop@db.example.com/shop CART_REDIS_URL=redis://:rehearsal@cart.example.com/0 \
  CACHE_URL=redis://cache.example.com/1 CELERY_BROKER_URL=redis://broker.example.com/2 NOTIFICATIONS_LINK_KEYS=$$(chance) \
  NOTIFICATIONS_PEPPERS=$$(chance) NOTIFICATIONS_POSTAL_ADDRESS='1 High Street, London' $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format schema messages mails bench peers migrate shell lock audit sbom clean

help: ## list what make can do
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk 'BEGIN {FS = ":.*## "} {printf "  make %-10s %s\n", $$1, $$2}'

setup: ## make .venv and install everything pinned (does nothing when it is up to date)
	@cksum < requirements-dev.lock | cmp -s - $(STAMP) || { \
	  echo "Installing into $(VENV) with $(PYTHON) ..." && \
	  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11")' && \
	  { test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV); } && \
	  sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock > $(VENV)/uv.txt && \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt && \
	  $(BIN)/uv pip install --compile-bytecode --require-hashes --python $(BIN)/python -r requirements-dev.lock && \
	  cksum < requirements-dev.lock > $(STAMP); }

demo: setup ## run the whole shop on its own PostgreSQL and Redis (PORT=8000 DATA_DIR=var)
	@$(BIN)/python -m shop.embedded.demo

test: setup ## run every test on private servers (PYTEST_ARGS="-k cart" narrows it)
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: setup ## every check that is not a test: style, types, imports, templates, migrations, schema, deployment
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/djlint --quiet --lint templates
	$(OFFLINE) -W ignore::RuntimeWarning manage.py makemigrations --check --dry-run
	$(OFFLINE) manage.py spectacular --validate --fail-on-warn --file $(VENV)/openapi.yaml
	@diff -u docs/openapi.yaml $(VENV)/openapi.yaml || { echo "docs/openapi.yaml is not what the code says: make schema"; exit 1; }
	$(REHEARSAL) manage.py check --deploy --fail-level WARNING

format: setup ## rewrite Python in the house format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

schema: setup ## write docs/openapi.yaml from the code
	@$(OFFLINE) manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml

# Staff's pages are in English alone: their texts are left out.
NOT_FOR_SHOPPERS := tests/* var/* */admin/* */admin.py */models/* */models.py */management/* */migrations/* */conf.py shop/watch/* shop/personal/* .venv/*
messages: setup ## gather what shoppers read into locale/, for translation, and compile it (needs GNU gettext)
	@command -v xgettext >/dev/null || { echo "make messages needs GNU gettext (Debian: gettext)"; exit 1; }
	@DJANGO_SETTINGS_MODULE=shop.settings.test $(BIN)/python manage.py makemessages --all --no-wrap --add-location file --no-obsolete \
	  $(foreach path,$(NOT_FOR_SHOPPERS),--ignore '$(path)')
	@sed -i.was "/^\"POT-Creation-Date/d" locale/*/LC_MESSAGES/django.po && rm locale/*/LC_MESSAGES/django.po.was
	@$(BIN)/pybabel compile --directory locale --domain django --statistics

mails: setup ## make the templates of mails from their sources in MJML (notifications/mails)
	@$(BIN)/python -m notifications.mails

bench: setup ## measure against a floor in one run, write docs/benchmarks.md (needs wrk)
	@$(BIN)/python -m tests.bench $(BENCH_ARGS)

peers: setup ## the cart beside django-oscar's in one run, write docs/peers.md (needs wrk, installs Oscar for the run)
	@$(BIN)/python -m tests.bench.peers $(BENCH_ARGS)

migrate: setup ## bring the database of the running demo, or of DATABASE_URL, up to date
	@$(BIN)/python manage.py migrate

shell: setup ## a Python shell inside the shop
	@$(BIN)/python manage.py shell

lock: setup ## resolve both lock files anew from the direct dependencies (LOCK_ARGS= keeps what is pinned)
	@$(RESOLVE) $(LOCK_ARGS) requirements-dev.txt -o requirements-dev.lock
	@$(RESOLVE) $(LOCK_ARGS) --constraint requirements-dev.lock requirements.txt -o requirements.lock

audit: setup ## ask the public lists whether what is pinned has known holes (needs the network)
	@$(BIN)/uv tool run --quiet --from '$(PIP_AUDIT)' pip-audit --strict --disable-pip --require-hashes -r requirements-dev.lock

sbom: setup ## write sbom.json, what production consists of as CycloneDX, with hashes (fetches its tool once)
	@$(BIN)/uv tool run --quiet --from '$(CYCLONEDX)' cyclonedx-py requirements requirements.lock --output-reproducible -o sbom.json

clean: ## stop the demo's servers and delete its data
	@if test -x $(BIN)/python; then $(BIN)/python -m shop.embedded.clean; else rm -rf "$(DATA_DIR)"; fi
