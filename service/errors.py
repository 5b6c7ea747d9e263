"""What can go wrong in a deployment.

ServiceError
├── NoDeployment         there is no settle.toml to work with
├── FolderInUse          a folder that was to be made new holds something
├── NoState              there is no state folder, or it is not one of Settle's
├── StateInUse           another process works on the same state
├── DatabaseDamaged      a database's file is damaged
├── WrongKey             a key in the state is not the one that the signed contract names
├── ProcessFailed        a process of the deployment did not start
├── BadTicketFile        a file of tickets cannot be read at all
├── NoLiveHelpdesk       the deployment names no helpdesk elsewhere to work on
├── TicketsElsewhere     tickets are opened in the helpdesk that the deployment names, not here
├── ToolNotTried         a tool cannot be tried like this: it has an effect, or other arguments
├── ToolNotMade          a new tool cannot be written: its name is none, or its files exist
├── AnswerRefused        an answer to an approval that does not count
└── SettingMissing       a setting refers to a secret or a process that is not there
"""

from __future__ import annotations


class ServiceError(Exception):
    """The root of this package's errors; the message says what to do."""


class NoDeployment(ServiceError):
    """There is no settle.toml to work with."""


class FolderInUse(ServiceError):
    """A folder that was to be made new holds something, or cannot be made."""


class NoState(ServiceError):
    """There is no state folder, or it is not one of Settle's."""


class StateInUse(ServiceError):
    """Another process works on the same state."""


class DatabaseDamaged(ServiceError):
    """The file of a database is damaged; ``file`` says which."""

    def __init__(self, file: str, message: str) -> None:
        self.file = file
        super().__init__(
            f"{file} is damaged ({message}): stop settle, and restore the whole state folder from a backup; "
            "`settle doctor` says what else is wrong with it"
        )


class WrongKey(ServiceError):
    """A key in the state is missing, or is not the one that the signed contract names."""


class ProcessFailed(ServiceError):
    """A process of the deployment did not start; ``name`` says which."""

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(f"process {name}: {message}")


class BadTicketFile(ServiceError):
    """A file of tickets cannot be read at all; ``path`` says which."""

    def __init__(self, path: str, message: str) -> None:
        self.path = path
        super().__init__(f"{path}: {message}")


class ToolNotTried(ServiceError):
    """A tool cannot be tried like this: there is none, it has an effect, or it takes other arguments."""


class ToolNotMade(ServiceError):
    """A new tool cannot be written: its name is none, or something of it exists already."""


class AnswerRefused(ServiceError):
    """An answer to an approval that does not count; the message says why."""


class NoLiveHelpdesk(ServiceError):
    """The deployment names no helpdesk elsewhere to work on."""

    def __init__(self) -> None:
        super().__init__(
            "settle.toml names no helpdesk: add [helpdesk] with its kind, url and token (docs/connectors.md), "
            "or work on tickets from a file with `settle run FILE`"
        )


class TicketsElsewhere(ServiceError):
    """Tickets are opened in the helpdesk that the deployment names, not here; ``kind`` is its connector."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(
            f"this deployment works on tickets of its helpdesk ([helpdesk] kind = {kind!r}): open them there, and run "
            "`settle serve`; a deployment without [helpdesk] takes them from files"
        )


class SettingMissing(ServiceError):
    """A setting refers to something that is not there; ``setting`` says which."""

    def __init__(self, setting: str, message: str) -> None:
        self.setting = setting
        super().__init__(f"settle.toml: {setting}: {message}")
