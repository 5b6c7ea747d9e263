"""Ed25519 signatures over canonical JSON: who said what, checkable by anyone with the public key."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import BaseModel, ConfigDict

from agents.canonical import canonical_json, sha256_hex
from evaluators.errors import UnusableKey


class Signature(BaseModel):
    """One signature, with the name of the signer's role and the public key it verifies under."""

    model_config = ConfigDict(frozen=True)

    signer: str
    """Who signs: ``evaluator``, ``vendor`` or ``customer``."""
    public_key: str
    """The raw Ed25519 public key, 64 hex digits."""
    signature: str
    """128 hex digits over the signer's name and the canonical JSON of what is signed."""


class SigningKey:
    """A private key; only its public half ever leaves this object."""

    def __init__(self, private: Ed25519PrivateKey, signer: str) -> None:
        self._private = private
        self.signer = signer
        self.public_key = private.public_key().public_bytes_raw().hex()

    @classmethod
    def generate(cls, signer: str) -> SigningKey:
        """A new key, kept in memory only."""
        return cls(Ed25519PrivateKey.generate(), signer)

    @classmethod
    def load_or_create(cls, path: Path, signer: str) -> SigningKey:
        """The key in the file ``path`` (32 raw bytes, mode 0600), made there if the file does not exist.

        Raises:
            UnusableKey: the file holds something else, or cannot be read.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            fresh = Ed25519PrivateKey.generate().private_bytes_raw()
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(fresh)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(path.read_bytes()), signer)
        except (ValueError, OSError) as error:
            raise UnusableKey(str(path), getattr(error, "strerror", None) or str(error)) from None

    def sign(self, value: object) -> Signature:
        """Sign the canonical JSON of ``value``."""
        signed = self._private.sign(_message(self.signer, value))
        return Signature(signer=self.signer, public_key=self.public_key, signature=signed.hex())


def verifies(signature: Signature, value: object) -> bool:
    """True if ``signature`` is its key's signature over ``value``; says nothing about whose key that is."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
        key.verify(bytes.fromhex(signature.signature), _message(signature.signer, value))
    except (InvalidSignature, ValueError):
        return False
    return True


def key_fingerprint(public_key: str) -> str:
    """A short name for a public key, for people to compare: four groups of four hex digits."""
    digest = sha256_hex(bytes.fromhex(public_key))[:16]
    return "-".join(digest[start : start + 4] for start in range(0, 16, 4))


def _message(signer: str, value: object) -> bytes:
    return b"settle/1:" + signer.encode() + b":" + canonical_json(value)
