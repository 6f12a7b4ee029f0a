"""The wire format: JSON:API envelopes, strict JSON, lists, errors. Knows Pydantic, knows no domain."""
