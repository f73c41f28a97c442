package samlattr_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/seed055b7978/delegation/samlattr"
)

// TestNames holds the constants against the table of the IAM User Guide, "Available keys for
// SAML-based federation", spelling mistakes included.
func TestNames(t *testing.T) {
	table := map[string]string{
		samlattr.EduPersonAffiliation:        "urn:oid:1.3.6.1.4.1.5923.1.1.1.1",
		samlattr.EduPersonNickname:           "urn:oid:1.3.6.1.4.1.5923.1.1.1.2",
		samlattr.EduPersonOrgDN:              "urn:oid:1.3.6.1.4.1.5923.1.1.1.3",
		samlattr.EduPersonOrgUnitDN:          "urn:oid:1.3.6.1.4.1.5923.1.1.1.4",
		samlattr.EduPersonPrimaryAffiliation: "urn:oid:1.3.6.1.4.1.5923.1.1.1.5",
		samlattr.EduPersonPrincipalName:      "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
		samlattr.EduPersonEntitlement:        "urn:oid:1.3.6.1.4.1.5923.1.1.1.7",
		samlattr.EduPersonPrimaryOrgUnitDN:   "urn:oid:1.3.6.1.4.1.5923.1.1.1.8",
		samlattr.EduPersonScopedAffiliation:  "urn:oid:1.3.6.1.4.1.5923.1.1.1.9",
		samlattr.EduPersonTargetedID:         "urn:oid:1.3.6.1.4.1.5923.1.1.1.10",
		samlattr.EduPersonAssurance:          "urn:oid:1.3.6.1.4.1.5923.1.1.1.11",
		samlattr.EduOrgHomePageURI:           "urn:oid:1.3.6.1.4.1.5923.1.2.1.2",
		samlattr.EduOrgIdentityAuthNPolicy:   "urn:oid:1.3.6.1.4.1.5923.1.2.1.3",
		samlattr.EduOrgLegalName:             "urn:oid:1.3.6.1.4.1.5923.1.2.1.4",
		samlattr.EduOrgSuperiorURI:           "urn:oid:1.3.6.1.4.1.5923.1.2.1.5",
		samlattr.EduOrgWhitePagesURI:         "urn:oid:1.3.6.1.4.1.5923.1.2.1.6",
		samlattr.CN:                          "urn:oid:2.5.4.3",
		samlattr.Name:                        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
		samlattr.CommonName:                  "http://schemas.xmlsoap.org/claims/CommonName",
		samlattr.GivenName:                   "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
		samlattr.Surname:                     "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
		samlattr.Mail:                        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
		samlattr.PrimaryGroupSID:             "http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid",
		samlattr.CommonNameOID:               "2.5.4.3",
		samlattr.SurnameOID:                  "2.5.4.4",
		samlattr.GivenNameOID:                "2.4.5.42",
		samlattr.X500UniqueIdentifier:        "2.5.4.45",
		samlattr.UID:                         "0.9.2342.19200300100.1.1",
		samlattr.MailOID:                     "0.9.2342.19200300100.1.3",
		samlattr.OrganizationStatus:          "0.9.2342.19200300.100.1.45",
	}
	for constant, documented := range table {
		if constant != documented {
			t.Errorf("got %q, documented %q", constant, documented)
		}
	}
	if got := constants(t); got != len(table) {
		t.Errorf("there are %d constants, and %d in the table above", got, len(table))
	}
}

// constants counts the constants of the package's source.
func constants(t *testing.T) (count int) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "samlattr.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if spec, ok := node.(*ast.ValueSpec); ok {
			count += len(spec.Names)
		}
		return true
	})
	return count
}
