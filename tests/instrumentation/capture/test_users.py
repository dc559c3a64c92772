from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.authentication import SimpleUser, UnauthenticatedUser

from instrumentation.capture.users import Users
from instrumentation.identity import Hasher

HASHER = Hasher(b"k" * 32)


def _claims(**claims: Any) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.c2ln"


def _scope(*headers: tuple[str, str], **parts: Any) -> dict[str, Any]:
    return {"headers": [(name.encode(), value.encode()) for name, value in headers], **parts}


class _Base(DeclarativeBase):
    """Tables of the test."""


class _Row(_Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)


class _Account:
    def __init__(self) -> None:
        self.email = "bob@example.com"


@pytest.mark.parametrize(
    ("scope", "user"),
    [
        (_scope(state={"user": {"id": 7, "email": "bob@example.com"}}), HASHER.hash("7")),
        (_scope(state={"user": _Account()}), HASHER.e_mail("bob@example.com")),
        (_scope(state={"user": "bob"}), HASHER.hash("bob")),
        (_scope(state={"user_id": 7}), HASHER.hash("7")),
        (_scope(user=SimpleUser("bob")), HASHER.hash("bob")),
        (_scope(user=UnauthenticatedUser()), None),
        (_scope(("authorization", f"Bearer {_claims(sub='bob')}")), HASHER.hash("bob")),
        (_scope(("authorization", "Bearer not.a.token")), None),
        (_scope(("authorization", f"Bearer {_claims()}")), None),
        (_scope(("authorization", "Bearer e30.W10.x")), None),
        (_scope(), None),
    ],
)
def test_a_user_is_found_where_apps_keep_it_and_hashed(scope: dict[str, Any], user: str | None) -> None:
    """`request.state.user` before `scope["user"]` before the token's subject."""
    assert Users(HASHER, ()).user(scope) == user


def test_a_row_that_expired_is_asked_nothing() -> None:
    """To read its id would send a query in the middle of a response."""
    engine = create_engine("sqlite://")
    _Base.metadata.create_all(engine)
    with Session(engine) as session:
        row = _Row(id=7)
        session.add(row)
        session.commit()
    assert Users(HASHER, ()).user(_scope(state={"user": row})) == HASHER.hash("7")


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (("authorization", "Bearer abc"), "abc"),
        (("authorization", "abc"), "abc"),
        (("cookie", "theme=dark; session=abc"), "abc"),
        (("cookie", "theme=dark"), None),
        (("cookie", "\x00=;;;"), None),
    ],
)
def test_a_session_is_the_hash_of_its_token(header: tuple[str, str], token: str | None) -> None:
    """From the Authorization header, else a session's cookie."""
    assert Users(HASHER, ()).session(_scope(header)) == (token and HASHER.hash(token))
