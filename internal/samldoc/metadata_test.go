package samldoc_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/samldoc"
)

// TestMetadata_Size: the largest document that IAM takes is written, and one character more is not.
func TestMetadata_Size(t *testing.T) {
	const limit = 10_000_000
	certificates := []*x509.Certificate{{Raw: make([]byte, 7_490_000)}}
	text, err := samldoc.Metadata("", certificates)
	if err != nil {
		t.Fatal(err)
	}
	missing := limit - len(text)
	for _, entityID := range []string{strings.Repeat("x", missing), strings.Repeat("é", missing)} {
		// characters, not bytes
		if text, err := samldoc.Metadata(entityID, certificates); err != nil ||
			strings.Count(string(text), entityID) != 1 {
			t.Errorf("at the limit: %v", err)
		}
	}
	if _, err := samldoc.Metadata(strings.Repeat("x", missing+1), certificates); err == nil {
		t.Error("a character more was written")
	}
}
