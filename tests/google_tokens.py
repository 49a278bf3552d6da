"""Google as far as a token goes: RSA keys made here, certificates of them as Google serves them, tokens they signed."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

AUDIENCE = "https://sync-connection-abc.a.run.app"
EMAIL = "pusher@project.iam.gserviceaccount.com"


@cache
def key_of(name: str) -> rsa.RSAPrivateKey:
    """A key pair; making one takes a tenth of a second."""
    return rsa.generate_private_key(65537, 2048)


def certificate(name: str) -> str:
    """The PEM certificate of the key of this name."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "federated-signon.system.gserviceaccount.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key_of(name).public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2036, 1, 1, tzinfo=UTC))
        .sign(key_of(name), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


def certificates(*names: str) -> bytes:
    """What Google's `/oauth2/v1/certs` answers."""
    return json.dumps({name: certificate(name) for name in names}).encode()


@dataclass
class Issued:
    """A token to be: `claims` may be changed or taken out before it is signed."""

    now: datetime
    kid: str = "first"
    claims: dict[str, object] = field(default_factory=dict)
    header: dict[str, object] = field(default_factory=dict)

    def signed(self, by: str | None = None) -> str:
        """The token, signed by the key of its `kid` or of another name."""
        signature = key_of(by or self.kid).sign(self.body(), padding.PKCS1v15(), hashes.SHA256())
        return f"{self.body().decode()}.{encoded(signature)}"

    def cut(self) -> str:
        """As the platform hands it to a private function."""
        return f"{self.body().decode()}.SIGNATURE_REMOVED_BY_GOOGLE"

    def body(self) -> bytes:
        """Header and claims, as they are signed."""
        header = {"alg": "RS256", "kid": self.kid, "typ": "JWT", **self.header}
        claims: dict[str, object] = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "email": EMAIL,
            "email_verified": True,
            "iat": int(self.now.timestamp()),
            "exp": int((self.now + timedelta(hours=1)).timestamp()),
            **self.claims,
        }
        kept = {name: value for name, value in claims.items() if value is not ...}
        return f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(kept).encode())}".encode()


def encoded(part: bytes) -> str:
    """Base64 for addresses, without padding."""
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()
