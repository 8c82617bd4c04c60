"""Requests to registries: transport, authentication, retries, limits, paging. Nothing here knows what a tag is for."""
