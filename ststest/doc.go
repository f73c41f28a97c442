// Package ststest is an AWS Security Token Service that runs in memory, for
// tests of programs that redeem SAML responses at AssumeRoleWithSAML and use
// the credentials it gives. A [Server] is an [http.Handler] that speaks the
// STS query protocol, so the AWS SDKs and the AWS CLI talk to it unchanged.
//
// # What it checks
//
// It is as strict as AWS's documentation says that AWS is, and no stricter. It
// checks the request constraints of the STS API model, the ARNs, the SAML
// document, the Issuer, the XML signature, the subject confirmation, every
// instant, the conditions, the audience, the attributes (roles, session name,
// session tags, transitive tag keys, source identity, session duration), the
// role's maximum duration, the trust policy with sts:TagSession and
// sts:SetSourceIdentity, the session policies and their size. It refuses with
// the codes, HTTP statuses and messages of AWS. Where AWS's message gives no
// reason, [Call.Cause] does, for the test alone.
//
// AssumeRole takes the credentials of a session that the Server issued, so a
// test can chain roles. It evaluates the caller's policies ([Role.Policies], the
// session policy) and the role's trust policy for sts:AssumeRole,
// sts:TagSession and sts:SetSourceIdentity. The trust policy must allow each of
// them, also in one account. It has policy variables only if its Version is
// 2012-10-17. Transitive tags and the source identity are inherited and cannot be
// changed, and a session lasts an hour at most. AssumeRole and GetCallerIdentity
// check Signature Version 4.
//
// DurationSeconds and SessionNotOnOrAfter limit a session, whichever is shorter.
// The SessionDuration attribute is for the console and shortens no session here.
//
// [Server.Gate] is for fakes of other services. It checks the signatures of requests with
// credentials that the Server issued, and evaluates the policies of role and session by the package
// iampolicy, which also judges trust policies.
//
// [Server.Federation] is the endpoint that turns the credentials into console
// sign-in URLs, and the one that such a URL leads to.
//
// Signatures are verified by code of its own, which shares nothing with the
// libraries that make SAML responses in Go. Only RSA-SHA256 with exclusive
// canonicalization is accepted, made by a key of the registered metadata over
// the assertion around the signature. [Config.AllowSHA1] adds SHA-1. Everything
// after that is read from the signed bytes alone.
//
// Encrypted assertions are decrypted by code of its own as well, for SAML
// providers that [Server.PutSAMLEncryption] gave private keys: AES-128 and
// AES-256 in CBC and GCM mode, which AWS lists, with a key by rsa-oaep-mgf1p and
// SHA-1. The signature is inside. The mode Required refuses what is not encrypted.
// A response has exactly one Assertion or exactly one EncryptedAssertion, which
// hides an Assertion and nothing else. Whatever is wrong with one, the answer is
// the same, so that no answer tells what a changed ciphertext decrypts to.
//
// # What AWS does not say
//
// AWS publishes no rule for the points below. Each is a choice, which may be
// stricter or laxer than AWS is.
//
// The document:
//
//   - Base64 may be broken into lines by CR and LF anywhere; they count towards the length.
//   - Blanks and tabs in base64, base64url, and base64 without its padding are refused.
//   - A byte order mark, a document type, a processing instruction and an encoding other than UTF-8
//     are refused.
//   - The Response needs an ID. Elements that it should not have are ignored.
//   - Instants end in Z; an offset such as +00:00 is refused.
//   - Two assertions are refused, even if both are good or one is inside an Advice.
//   - A Status other than Success is refused, with a message of ours.
//   - Destination, InResponseTo, Address and the Format of the NameID are ignored.
//
// Signatures and encryption:
//
//   - SHA-1 is refused unless [Config.AllowSHA1] is set, in a signature and in a digest alike.
//   - RSA-SHA384, RSA-SHA512, RSA-PSS, ECDSA and other digests than SHA-256 are refused.
//   - Inclusive canonicalization, canonicalization with comments and other transforms are refused.
//   - The assertion must be signed; a signature on the Response alone is refused.
//   - A signature on the Response next to that of the assertion must be good too.
//   - An ID that two elements share is refused, even if neither is signed.
//   - KeyInfo is ignored.
//   - An assertion that cannot be decrypted is refused with "Response signature invalid", whatever
//     went wrong. The time of an answer is not constant.
//   - Comments, white space and an XML declaration next to the hidden Assertion are refused, and so
//     is one that relies on namespaces declared outside.
//   - In the mode Required the messages for an assertion that is not encrypted, or not addressed to
//     the provider's own sign-in URL, are ours.
//
// Instants and conditions:
//
//   - The five minutes are counted from the older of the two IssueInstants.
//   - An IssueInstant or NotBefore in the future is refused, without any skew.
//   - Conditions without NotOnOrAfter are accepted; without AudienceRestriction they are refused.
//   - An audience is compared with its white space.
//   - The sign-in URL of another region than the endpoint's is no audience; the global one is.
//   - OneTimeUse and ProxyRestriction have no effect; any other condition is refused.
//   - Of several AuthnStatements the first SessionNotOnOrAfter to come ends the session; a response
//     without any is accepted.
//
// Subject and attributes:
//
//   - A NameID of more than 256 characters is refused, whatever its Format.
//   - An EncryptedID or BaseID, alone or next to a NameID, is AccessDenied, as a missing NameID is.
//   - More than one SubjectConfirmation is refused.
//   - SubjectType is the whole Format unless that begins as the formats of SAML 2.0 do.
//   - A Role value may have blanks after its comma and one comma at its end.
//   - Blanks before the comma, and tabs and line ends anywhere in a Role value, are refused.
//   - A SessionDuration outside 900 to 43,200, or twice, is refused, though it has no effect.
//   - A value that is an element counts as a value, and no attribute that AWS reads may have one.
//   - Encrypted attributes are ignored.
//   - SourceIdentity has at most 64 characters; [Config.MaxSourceIdentity] changes that.
//   - An attribute that holds two values for a condition key of one value sets the first.
//
// Trust policies ([Role.TrustPolicy]):
//
//   - An Allow for everyone ("*") lets in no SAML provider; a Deny for everyone does count.
//   - A Deny for a principal of AWS, such as an account, does not concern a SAML provider.
//   - aws:SourceIp is the address of the connection; no header changes it.
//   - aws:SecureTransport is true, as it is at every endpoint of AWS.
//   - A condition key with several values and no ForAnyValue or ForAllValues is refused by PutRole.
//   - A condition in a statement for SAML that cannot be evaluated is refused by PutRole, by name.
//
// The gate ([Server.Gate]):
//
//   - The order of the checks is ours: scope, service, signed headers, signature, times, payload,
//     policies.
//   - Every header that begins with x-amz- must be signed.
//   - A parameter x-amz-… of a presigned URL counts as that header for S3, in any letter case.
//     S3 may ignore some there, such as x-amz-tagging (aws-sdk-go-v2, pull request 1017).
//   - A request needs all its permissions at once, as DeleteObjects does not at S3.
//   - Requests without Authorization are anonymous at S3, and refused by other services.
//   - Messages for bad signatures are shorter than AWS's.
//   - s3:object-lock-remaining-retention-days is rounded up to whole days.
//
// AssumeRole:
//
//   - A request's own limits come first, then the role's maximum, the hour of a chain, the source
//     identity and tags, the policies, and the packed size.
//   - Tags that are inherited need sts:TagSession, as new ones do. Their keys are in
//     sts:TransitiveTagKeys, and they are no aws:RequestTag.
//   - A statement of a trust policy for principals of AWS whose condition has a key that the Server
//     never sets, such as aws:MultiFactorAuthPresent, lets nobody assume the role.
//   - MFA and provided contexts are refused.
//
// The order of the checks, and the messages for bad session tags, transitive tag
// keys, SessionDuration, several session names and policy ARNs, are ours. AWS's
// packed binary size is secret: PackedPolicySize is an estimate by a model that was
// fitted to published percentages, which docs/packed-size.md lists with its error.
// [Server.Federation] says what the console sign-in approximates.
//
// # What it does not do
//
// It accepts one assertion as often as AWS does, any number of times in five
// minutes. Recipient is not compared with anything but the trust policy, except
// in the mode Required. AssumeRoleWithSAML and AssumeRole do not check whether
// IAM would accept a session policy; a gate refuses every request of a session
// whose policy it cannot evaluate. No action of STS other than these two and
// GetCallerIdentity exists, and they take no presigned URLs. The console sign-in
// leads to no console.
package ststest
