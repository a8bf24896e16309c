"""The demo's assortment; `manage.py load_demo` puts it into the shop."""
