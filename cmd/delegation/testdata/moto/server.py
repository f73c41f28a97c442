"""moto's server, with what its KMS lacks (5.2.1): it hashes a digest once more, as if MessageType
were RAW, and signs with keys that are disabled."""

import base64
import json
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms.responses import KmsResponse
from moto.server import main

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


def sign(self):
    """Sign of the KMS API Reference, for digests and PKCS #1 v1.5."""
    self._validate_key_id(self._get_param("KeyId"))
    key = self.kms_backend.keys[self.kms_backend.any_id_to_key_id(self._get_param("KeyId"))]
    if key.key_state == "Disabled":
        raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
    if key.key_state != "Enabled":
        raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
    algorithm = self._get_param("SigningAlgorithm")
    if self._get_param("MessageType") != "DIGEST" or "PKCS1" not in algorithm:
        raise JsonRESTError("ValidationException", "not a digest")
    digest = self._get_param("Message")  # decoded
    signature = key.private_key.private_key.sign(
        digest, padding.PKCS1v15(), Prehashed(HASHES[algorithm[-3:]]())
    )
    return json.dumps(
        {
            "KeyId": key.arn,
            "Signature": base64.b64encode(signature).decode(),
            "SigningAlgorithm": algorithm,
        }
    )


KmsResponse.sign = sign
main(sys.argv[1:])
