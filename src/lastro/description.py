"""What the API says of itself: FastAPI's description and what only we know, under names to make clients of."""

import json
import re
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from lastro.auth.permissions import Permission
from lastro.http import ApiRoute

TEXT = """
Contas bancárias, Pix e um razão de partidas dobradas. Autenticação: `Authorization: Bearer <token>`.
Todo `POST` com efeito aceita `Idempotency-Key`. Valores são números em reais com até duas casas decimais.
"""


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: with the token, each route's permission, and the tags in the order of the routes."""
    routes = api_routes(app)
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    document["tags"] = [{"name": tag} for tag in dict.fromkeys(str(tag) for route in routes for tag in route.tags)]
    summaries: dict[Permission, list[str]] = {permission: [] for permission in Permission}
    for route in routes:
        assert route.permission is not None  # noqa: S101 - the API has no route without one
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            operation["security"] = [{"bearer": []}, {"oauth": [str(route.permission)]}]
            operation["summary"] = operation.get("description", "").rstrip(".")
            operation["description"] = f"Permissão: `{route.permission}`."
            summaries[route.permission].append(operation["summary"])
    document["components"]["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "Token opaco de `POST /oauth/token`, de `POST /tokens` ou de `lastro tokens create`.",
        },
        "oauth": {
            "type": "oauth2",
            "description": "client_id e client_secret de `POST /clients`; o token vale uma hora.",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "/oauth/token",
                    "scopes": {str(permission): "; ".join(told) for permission, told in summaries.items()},
                }
            },
        },
    }
    return _named_by_titles(document)


def api_routes(app: FastAPI) -> Sequence[ApiRoute]:
    """The routes of the public API."""
    return [route for route in app.routes if isinstance(route, ApiRoute)]


def _named_by_titles(document: dict[str, Any]) -> dict[str, Any]:
    """AccountDocument, where FastAPI says `Document_Literal__accounts___AccountAttributes_`."""
    schemas: dict[str, Any] = document["components"].pop("schemas")
    titles = {name: schema["title"] for name, schema in schemas.items()}
    assert len({*titles.values()}) == len(titles)  # noqa: S101 - or two would be one

    def retitled(reference: re.Match[str]) -> str:
        return f'"#/components/schemas/{titles[reference[1]]}"'

    named = {**document, "schemas": {titles[name]: schema for name, schema in schemas.items()}}
    renamed: dict[str, Any] = json.loads(
        re.sub(r'"#/components/schemas/([^"]+)"', retitled, json.dumps(named, ensure_ascii=False))
    )
    renamed["components"]["schemas"] = renamed.pop("schemas")
    return renamed
