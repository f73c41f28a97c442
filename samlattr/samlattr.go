// Package samlattr names the SAML attributes, besides AWS's own, that trust policies can read.
// They are keys of delegation.Mappings; the comment of each says which condition key a trust policy
// reads it by. The names are those of the IAM User Guide, "Available keys for SAML-based
// federation", spelled as AWS spells them.
//
// The condition keys exist while the role is assumed and not later: only saml:sub, saml:sub_type
// and saml:namequalifier stay with the session. Send anything else that policies need as a session
// tag, for example with delegation.TagsFromClaims.
//
//	target.Mappings = delegation.Mappings{
//		samlattr.EduPersonAffiliation: "groups",
//		samlattr.Mail:                 "email",
//	}
package samlattr

// Attributes of eduPerson and eduOrg (Internet2/REFEDS), which universities use.
const (
	// EduPersonAffiliation is what the condition key saml:edupersonaffiliation reads.
	EduPersonAffiliation = "urn:oid:1.3.6.1.4.1.5923.1.1.1.1"
	// EduPersonNickname is what the condition key saml:edupersonnickname reads.
	EduPersonNickname = "urn:oid:1.3.6.1.4.1.5923.1.1.1.2"
	// EduPersonOrgDN is what the condition key saml:edupersonorgdn reads.
	EduPersonOrgDN = "urn:oid:1.3.6.1.4.1.5923.1.1.1.3"
	// EduPersonOrgUnitDN is what the condition key saml:edupersonorgunitdn reads.
	EduPersonOrgUnitDN = "urn:oid:1.3.6.1.4.1.5923.1.1.1.4"
	// EduPersonPrimaryAffiliation is what the condition key saml:edupersonprimaryaffiliation reads.
	EduPersonPrimaryAffiliation = "urn:oid:1.3.6.1.4.1.5923.1.1.1.5"
	// EduPersonPrincipalName is what the condition key saml:edupersonprincipalname reads.
	EduPersonPrincipalName = "urn:oid:1.3.6.1.4.1.5923.1.1.1.6"
	// EduPersonEntitlement is what the condition key saml:edupersonentitlement reads.
	EduPersonEntitlement = "urn:oid:1.3.6.1.4.1.5923.1.1.1.7"
	// EduPersonPrimaryOrgUnitDN is what the condition key saml:edupersonprimaryorgunitdn reads.
	EduPersonPrimaryOrgUnitDN = "urn:oid:1.3.6.1.4.1.5923.1.1.1.8"
	// EduPersonScopedAffiliation is what the condition key saml:edupersonscopedaffiliation reads.
	EduPersonScopedAffiliation = "urn:oid:1.3.6.1.4.1.5923.1.1.1.9"
	// EduPersonTargetedID is what the condition key saml:edupersontargetedid reads.
	EduPersonTargetedID = "urn:oid:1.3.6.1.4.1.5923.1.1.1.10"
	// EduPersonAssurance is what the condition key saml:edupersonassurance reads.
	EduPersonAssurance = "urn:oid:1.3.6.1.4.1.5923.1.1.1.11"
	// EduOrgHomePageURI is what the condition key saml:eduorghomepageuri reads.
	EduOrgHomePageURI = "urn:oid:1.3.6.1.4.1.5923.1.2.1.2"
	// EduOrgIdentityAuthNPolicy is what the condition key saml:eduorgidentityauthnpolicyuri reads.
	EduOrgIdentityAuthNPolicy = "urn:oid:1.3.6.1.4.1.5923.1.2.1.3"
	// EduOrgLegalName is what the condition key saml:eduorglegalname reads.
	EduOrgLegalName = "urn:oid:1.3.6.1.4.1.5923.1.2.1.4"
	// EduOrgSuperiorURI is what the condition key saml:eduorgsuperioruri reads.
	EduOrgSuperiorURI = "urn:oid:1.3.6.1.4.1.5923.1.2.1.5"
	// EduOrgWhitePagesURI is what the condition key saml:eduorgwhitepagesuri reads.
	EduOrgWhitePagesURI = "urn:oid:1.3.6.1.4.1.5923.1.2.1.6"
)

// Attributes of X.500 and of the claims in WS-Federation, as Active Directory names them.
const (
	// CN is what the condition key saml:cn reads.
	CN = "urn:oid:2.5.4.3"
	// Name is what the condition key saml:name reads.
	Name = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name"
	// CommonName is what the condition key saml:commonName reads.
	CommonName = "http://schemas.xmlsoap.org/claims/CommonName"
	// GivenName is what the condition key saml:givenName reads.
	GivenName = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname"
	// Surname is what the condition key saml:surname reads.
	Surname = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname"
	// Mail is what the condition key saml:mail reads.
	Mail = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"
	// PrimaryGroupSID is what the condition keys saml:primaryGroupSID and saml:uid read: AWS
	// documents both.
	PrimaryGroupSID = "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid"
)

// Attributes under a bare object identifier. AWS lists them so, without urn:oid: in front.
const (
	// CommonNameOID is what the condition key saml:commonName reads.
	CommonNameOID = "2.5.4.3"
	// SurnameOID is what the condition key saml:surname reads.
	SurnameOID = "2.5.4.4"
	// GivenNameOID is what the condition key saml:givenName reads. AWS documents it as 2.4.5.42;
	// X.520 has 2.5.4.42.
	GivenNameOID = "2.4.5.42"
	// X500UniqueIdentifier is what the condition key saml:x500UniqueIdentifier reads.
	X500UniqueIdentifier = "2.5.4.45"
	// UID is what the condition key saml:uid reads.
	UID = "0.9.2342.19200300100.1.1"
	// MailOID is what the condition key saml:mail reads.
	MailOID = "0.9.2342.19200300100.1.3"
	// OrganizationStatus is what the condition key saml:organizationStatus reads. The dot after
	// 19200300 is AWS's spelling.
	OrganizationStatus = "0.9.2342.19200300.100.1.45"
)
