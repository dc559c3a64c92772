from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy import ForeignKey, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import QueuePool

POOL_CONNECTIONS = 10

engine = create_engine(
    f"sqlite:///{os.environ.get('FOSSAWORK_DATABASE', 'fossawork_v2.db')}",
    connect_args={"check_same_thread": False, "timeout": 30},
    poolclass=QueuePool,
    pool_size=POOL_CONNECTIONS // 2,
    max_overflow=POOL_CONNECTIONS // 2,
    pool_timeout=3,
)
sessions = sessionmaker(engine, expire_on_commit=True)


@event.listens_for(engine, "connect")
def _teach_sqlite_to_sleep(connection: object, _record: object) -> None:
    """`SELECT sleep(0.5)`: for the fault of a slow query, inside the database as a real one is."""
    connection.create_function("sleep", 1, lambda seconds: time.sleep(seconds) or 0)  # type: ignore[attr-defined]


class Base(DeclarativeBase):
    """The tables."""


class User(Base):
    __tablename__ = "users"
    id: Mapped[str] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)


class WorkOrder(Base):
    __tablename__ = "work_orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    store: Mapped[str]
    dispensers: Mapped[int]


def get_db() -> Iterator[Session]:
    with sessions() as session:
        yield session


Database = Annotated[Session, Depends(get_db)]


def make_tables() -> None:
    Base.metadata.create_all(engine)
    with sessions() as session:
        if session.get(User, "user-1") is None:
            session.add_all(User(id=f"user-{number}", email=f"tech{number}@example.com") for number in range(1, 6))
            session.flush()
            session.add_all(
                WorkOrder(
                    id=number, user_id=f"user-{number % 5 + 1}", store=f"#{4000 + number}", dispensers=number % 8 + 1
                )
                for number in range(1, 61)
            )
            session.commit()
