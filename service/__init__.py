"""The service: what people deploy. It composes agents, evaluators and billing, and owns database, settings and CLI."""
