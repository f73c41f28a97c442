package session

// chainRefusals lists the codes of AssumeRole that mean something else than those of
// AssumeRoleWithSAML: that call is anonymous, and this one is signed with the credentials of the
// role before (STS API Reference, "Common Error Types").
var chainRefusals = []refusal{
	{"AccessDenied", "", chainDenied},
	{"ExpiredToken", "", chainCredentials},
	{"IncompleteSignature", "", chainCredentials},
	{"InvalidClientTokenId", "", chainCredentials},
	{"MissingAuthenticationToken", "", chainCredentials},
	{"SignatureDoesNotMatch", "", chainCredentials},
}

// ChainErrorOf is [ErrorOf] for a call of AssumeRole.
func ChainErrorOf(err error, timedOut bool) *Error { return errorOf(err, timedOut, chainRefusals) }
