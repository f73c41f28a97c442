package session

// chainRefusals lists the codes that mean something else for AssumeRole than for
// AssumeRoleWithSAML. AssumeRole is signed with the credentials of the previous role;
// AssumeRoleWithSAML is anonymous (STS API Reference, "Common Error Types").
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
