from __future__ import annotations

import logging

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database, User
from app.middleware.auth_middleware import make_token

logger = logging.getLogger(__name__)
router = APIRouter(prefix="/api/auth")
_PASSWORD = "pump-and-nozzle"  # noqa: S105  # of an example whose users do not exist


class AuthenticationError(Exception):
    """WorkFossa did not take the credentials."""


class Login(BaseModel):
    username: str
    password: str


class AuthenticationService:
    def __init__(self, db: Session) -> None:
        self.db = db

    async def authenticate_with_workfossa(self, username: str, password: str) -> tuple[User, bool]:
        """The user, and whether it is new; raise AuthenticationError."""
        logger.info("Authenticating with WorkFossa: %s", username)
        user = self.db.scalar(select(User).where(User.email == username))
        if user is None or password != _PASSWORD:
            logger.warning("WorkFossa verification failed: %s", "invalid credentials")
            raise AuthenticationError("invalid credentials")
        logger.info("WorkFossa credentials verified for: %s", username)
        return user, False


@router.post("/login")
async def login(credentials: Login, db: Database) -> dict[str, str]:
    service = AuthenticationService(db)
    try:
        user, _ = await service.authenticate_with_workfossa(credentials.username, credentials.password)
    except AuthenticationError as error:
        raise HTTPException(401, "Invalid WorkFossa credentials") from error
    return {"access_token": make_token(user.id, user.email), "token_type": "bearer"}
