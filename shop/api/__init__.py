"""The API, version 1, put together from the apps' own parts."""
