//go:build !pkcs11

package main_test

import (
	"strings"
	"testing"
)

// TestWithoutPKCS11: a program without C libraries says how to build one with them.
func TestWithoutPKCS11(t *testing.T) {
	p := start(t, nil, "pkcs11:token=saml?module-path=/lib/p11.so")
	a := p.read()
	if a.Error == nil || !strings.Contains(a.Error.Text, "built without PKCS#11") ||
		!strings.Contains(a.Error.Remedy, "CGO_ENABLED=1 go install -tags pkcs11 ") {
		t.Errorf("%+v", a)
	}
	if _, _, code := p.end(); code != 1 {
		t.Errorf("exit code %d", code)
	}
}
