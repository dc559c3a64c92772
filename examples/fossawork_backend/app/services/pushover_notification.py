from __future__ import annotations

import logging

logger = logging.getLogger(__name__)


class PushoverNotificationService:
    async def send_notification(self, title: str, message: str, priority: int = 0) -> bool:
        """Whether it was sent; an error comes back as False."""
        logger.info("Sending Pushover notification: title='%s', message='%s', priority=%d", title, message, priority)
        return priority >= 0
