// Package ststest is an AWS Security Token Service that runs in memory, for
// tests of programs that redeem SAML responses at AssumeRoleWithSAML and use
// the credentials it gives. A [Server] is an [http.Handler] that speaks the
// STS query protocol, so the AWS SDKs and the AWS CLI talk to it unchanged.
//
// # What it checks
//
// It is as strict as AWS and, where AWS says nothing, stricter. It checks the
// request constraints of the STS API model, the ARNs, the SAML document, the
// Issuer, the XML signature, the subject confirmation, every instant, the
// audience, the attributes (roles, session name, session tags, transitive tag
// keys, source identity, session duration), the role's maximum duration, the
// trust policy with sts:TagSession and sts:SetSourceIdentity, the session
// policies and their size. It refuses with the codes, HTTP statuses and
// messages of AWS. GetCallerIdentity checks Signature Version 4.
//
// [Server.Federation] is the endpoint that turns the credentials into console
// sign-in URLs, and the one that such a URL leads to.
//
// Signatures are verified by code of its own, which shares nothing with the
// libraries that make SAML responses in Go. Only RSA-SHA256 with exclusive
// canonicalization is accepted, made by a key of the registered metadata over
// the assertion around the signature. What follows is read from the signed
// bytes alone. A signature on the Response, if there is one, must be good too.
//
// Encrypted assertions are decrypted by code of its own as well, for SAML
// providers that [Server.PutSAMLEncryption] gave private keys: AES-128 and
// AES-256 in CBC and GCM mode, which AWS lists, with a key by rsa-oaep-mgf1p and
// SHA-1. The signature is inside. The mode Required refuses what is not encrypted.
//
// # What it approximates
//
// AWS publishes neither the order of its checks nor all of its messages. The
// order here is that of the list above. These refusals carry a code that AWS
// uses and a text that is ours: bad session tags, transitive tag keys and
// SessionDuration, a NotBefore or IssueInstant in the future, a Status other
// than Success, several session names, policy ARNs, and in the mode Required
// an assertion that is not encrypted or not addressed to the provider's own
// sign-in URL. What AWS answers to an assertion that it cannot decrypt is not
// published: here it is "Response signature invalid", whatever went wrong, but
// the time that the answer takes is not levelled. AWS's packed binary size is
// secret: PackedPolicySize is the length of the session policy without white
// space, the policy ARNs and the tags, in percent of 4,096 bytes. What the
// console sign-in approximates stands at [Server.Federation].
//
// # What it does not check
//
// It does not check Destination, InResponseTo, the Format of the NameID or
// whether a policy says anything IAM would accept. It accepts one assertion as
// often as AWS does, any number of times in five minutes. Recipient is not
// compared with anything but the trust policy, except in the mode Required.
// Encrypted NameIDs and attributes are not read. Permission policies do not
// exist, and no action of STS other than AssumeRoleWithSAML and
// GetCallerIdentity does. Presigned URLs are not accepted. Behind the console
// sign-in there is no console.
package ststest
