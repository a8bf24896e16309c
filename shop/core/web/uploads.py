"""Files that are sent to us: staff's tables, which are small. None is written to a disk before somebody looks at it."""

from __future__ import annotations

from typing import IO

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import MemoryFileUploadHandler


class SmallUploads(MemoryFileUploadHandler):
    """Keeps files in memory, and refuses a form that is too large for that.

    Django's limit of forms leaves their files out: anybody could fill the disk through any form of the shop.
    """

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: dict[str, str],  # noqa: N803 - Django's name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        """Look at the size that is announced, of which not more is read.

        :raises RequestDataTooBig: if it is over `FILE_UPLOAD_MAX_MEMORY_SIZE`.
        """
        if content_length > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            msg = "A form with its files is larger than any may be."
            raise RequestDataTooBig(msg)
        super().handle_raw_input(input_data, META, content_length, boundary, encoding)
