"""Login through an OpenID provider: authorization code with PKCE, state and nonce, by Authlib."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.base_client import OAuthError  # type: ignore[import-untyped]
from authlib.integrations.starlette_client import OAuth  # type: ignore[import-untyped]
from fastapi import Request
from httpx2 import HTTPError
from joserfc.errors import JoseError
from starlette.responses import Response

from inbox.security import Problem

CALLBACK = "/login/callback"
LOGGED_OUT = "/logged-out"
PATIENCE = 10.0
"""Seconds for the provider to answer."""
LONGEST_NAME = 200
MOST_GROUPS = 200

log = logging.getLogger("workunits.inbox")


@dataclass(frozen=True, slots=True)
class Known:
    """Who a provider says that someone is."""

    name: str
    display: str
    email: str
    groups: list[str]


@dataclass(frozen=True)
class Provider:
    """An OpenID provider, and how its claims are read."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    """Empty for a client that keeps none."""
    scopes: str = "openid profile email"
    name_claim: str = "sub"
    """Whose value stands on records; one that people can change themselves would let them act as others."""
    groups_claim: str = "groups"

    def __post_init__(self) -> None:
        """Prepare the client; its metadata is read at the first login."""
        client = OAuth()
        client.register(
            "inbox",
            client_id=self.client_id,
            client_secret=self.client_secret or None,
            server_metadata_url=f"{self.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": self.scopes,
                "code_challenge_method": "S256",
                "timeout": PATIENCE,
                "token_endpoint_auth_method": "client_secret_basic" if self.client_secret else "none",
            },
        )
        object.__setattr__(self, "_client", client.create_client("inbox"))

    @property
    def _app(self) -> Any:
        return self.__dict__["_client"]

    @property
    def origin(self) -> str:
        """Scheme, host and port of the issuer."""
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    async def redirect(self, request: Request, url: str) -> Response:
        """Send a browser to the provider.

        Args:
            request: Its session keeps state, nonce and the code's verifier.
            url: Where people find the inbox.

        Raises:
            Problem: 503: the provider does not answer.
        """
        try:
            response: Response = await self._app.authorize_redirect(request, url + CALLBACK)
        except (HTTPError, ValueError, KeyError, RuntimeError) as error:
            raise _unavailable(error) from None
        return response

    async def identify(self, request: Request) -> Known:
        """Take the provider's answer.

        Raises:
            Problem: 400: it is not an answer to what this browser asked, or does not say who it is; 503.
        """
        try:
            token = await self._app.authorize_access_token(request)
            claims = token.get("userinfo")
            if claims is None:
                raise _refused("the provider sent no ID token")
            claims = await self._complete(claims, token)
        except (OAuthError, JoseError) as error:
            raise _refused(f"{type(error).__name__} {_code(error)}") from None
        except HTTPError as error:
            raise _unavailable(error) from None
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise _refused(type(error).__name__) from None
        return self._known(claims)

    async def logout_url(self, url: str) -> str:
        """Where the provider ends its own session too; empty when it does not say, or does not answer."""
        try:
            made = await self._app.create_logout_url(
                post_logout_redirect_uri=url + LOGGED_OUT, client_id=self.client_id
            )
        except (HTTPError, ValueError, RuntimeError):
            return ""
        return str(made["url"])

    async def _complete(self, claims: Mapping[str, Any], token: Mapping[str, Any]) -> Mapping[str, Any]:
        """Add what is not in the ID token; the provider's other answer has to be about the same person."""
        if {self.name_claim, self.groups_claim} <= set(claims):
            return claims
        more = await self._app.userinfo(token=token)
        if more.get("sub") != claims["sub"]:
            raise _refused("the provider's answers are about different people")
        return {**more, **claims}

    def _known(self, claims: Mapping[str, Any]) -> Known:
        name = claims.get(self.name_claim)
        fits = isinstance(name, str) and name.isprintable() and name.strip() == name and 0 < len(name) <= LONGEST_NAME
        if not fits or str(name).startswith("token:"):
            raise _refused(f"the claim {self.name_claim} is missing, or is no name")
        if self.name_claim == "email" and claims.get("email_verified") is not True:
            raise _refused("the provider has not verified the address")
        groups = claims.get(self.groups_claim, [])
        groups = [groups] if isinstance(groups, str) else groups
        if not (isinstance(groups, list) and all(isinstance(group, str) for group in groups)):
            raise _refused(f"the claim {self.groups_claim} is no list of names")
        return Known(str(name), _text(claims, "name") or str(name), _text(claims, "email"), groups[:MOST_GROUPS])


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value[:LONGEST_NAME] if isinstance(value, str) and value.isprintable() else ""


def _code(error: Exception) -> str:
    """The error's code when it is one; never its description, which the sender of a forged answer writes."""
    code = str(getattr(error, "error", ""))
    return code if code.replace("_", "").isalnum() and len(code) <= 60 else ""  # noqa: PLR2004


def _refused(why: str) -> Problem:
    log.warning("a login was refused: %s", why)
    return Problem(400, "login_failed", "the login did not succeed; begin again at the login page")


def _unavailable(error: Exception) -> Problem:
    log.error("the OpenID provider does not answer: %s", type(error).__name__)
    return Problem(503, "login_unavailable", "the login service does not answer; try again shortly", retry_after=10)
