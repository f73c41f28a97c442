package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/session"
)

// Warnings that only the program gives: about files, environment variables and HTTPS.
const (
	warningFileExposed     delegation.WarningCode = "file_exposed"
	warningFileWritable    delegation.WarningCode = "file_writable"
	warningUnknownVariable delegation.WarningCode = "environment_unknown"
	warningTLSExpires      delegation.WarningCode = "tls_certificate_expires"
	warningTLSExpired      delegation.WarningCode = "tls_certificate_expired"
	warningTLSNotYetValid  delegation.WarningCode = "tls_certificate_not_yet_valid"
	tlsCertificateSoon                            = 30 * 24 * time.Hour
)

// Bits of a file's mode. othersWrite is set if anyone but the owner may write.
const (
	othersRead  os.FileMode = 0o004
	groupWrite  os.FileMode = 0o020
	othersWrite os.FileMode = 0o022
)

// addChecks gives a version of a service its findings about the machine, and its answer to
// /ready?verbose.
func (s surroundings) addChecks(built *service.Service) {
	now := s.clockFunc()
	built.Own = func() []delegation.CheckResult { return findings(built, now) }
	built.Verbose = service.NewDetails(built, detailsOf(built.Place), now)
}

// findings returns the findings about the machine: the endpoint of STS, files with secrets, the
// certificate of HTTPS, and environment variables.
func findings(built *service.Service, now func() time.Time) (results []delegation.CheckResult) {
	results = append(results, endpointFindings(built)...)
	results = append(results, exposedSecrets(built.Secrets)...)
	if built.Certificate != nil {
		results = append(results, certificateFinding(built, now()))
	}
	for _, name := range built.UnknownVariables {
		results = append(results, finding(service.CheckEnvironment, "environment "+name,
			delegation.CheckWarning{
				Code:   warningUnknownVariable,
				Text:   "environment variable sets nothing",
				Remedy: "correct its name, or unset it",
			}))
	}
	return results
}

// finding is a result that only warns.
func finding(
	kind delegation.CheckKind, name string, w delegation.CheckWarning,
) delegation.CheckResult {
	return delegation.CheckResult{
		Name:     name,
		Kind:     kind,
		Degrades: true,
		Warning:  w.String(),
		Warnings: []delegation.CheckWarning{w},
	}
}

// endpointFindings warn of an endpoint that is not AWS's.
func endpointFindings(built *service.Service) []delegation.CheckResult {
	var regions []string
	for _, r := range built.Delegator.Regions() {
		regions = append(regions, r.Region)
	}
	text := session.EndpointWarning(built.Endpoint.URL, built.Endpoint.From, regions)
	if text == "" {
		return nil
	}
	return []delegation.CheckResult{finding(delegation.CheckSettings, "sts endpoint",
		delegation.CheckWarning{
			Code:   delegation.WarningSTSEndpoint,
			Text:   text,
			Remedy: session.EndpointRemedy,
		})}
}

// certificateFinding checks the dates of the certificate of HTTPS.
func certificateFinding(built *service.Service, now time.Time) delegation.CheckResult {
	leaf := built.Certificate.Leaf()
	ends := leaf.NotAfter.UTC().Format(time.RFC3339)
	w := delegation.CheckWarning{
		Remedy: "renew it before then: browsers and SDKs refuse an expired certificate",
	}
	// Certificates with a lifetime of less than a few months are renewed later.
	soon := min(tlsCertificateSoon, leaf.NotAfter.Sub(leaf.NotBefore)/4)
	switch {
	case now.After(leaf.NotAfter):
		w.Code = warningTLSExpired
		w.Text = "the certificate expired at " + ends
		w.Remedy = "renew it: browsers and SDKs refuse it"
	case now.Before(leaf.NotBefore):
		w.Code = warningTLSNotYetValid
		w.Text = "the certificate is valid from " + leaf.NotBefore.UTC().Format(time.RFC3339)
		w.Remedy = "check this machine's clock (NTP), or use the certificate later"
	case now.Add(soon).After(leaf.NotAfter):
		w.Code = warningTLSExpires
		w.Text = "the certificate expires at " + ends
	default:
		return delegation.CheckResult{
			Name:     "tls certificate",
			Kind:     service.CheckTLS,
			Degrades: true,
		}
	}
	return finding(service.CheckTLS, "tls certificate", w)
}

// exposedSecrets warns of each file with a secret that every user of the machine can read, or that
// anyone but its owner can write. The group may read: systemd and Kubernetes give a service its
// keys that way. A file that all can read is only a warning, because container platforms mount
// secrets that way, where there are no other users. Windows has no such modes.
func exposedSecrets(files []service.SecretFile) (results []delegation.CheckResult) {
	if runtime.GOOS == "windows" {
		return nil
	}
	for _, file := range files {
		info, err := os.Stat(file.Path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if w := modeWarning(file, info.Mode()); w.Code != "" {
			results = append(results, finding(service.CheckFile, "file "+file.Path, w))
		}
	}
	return results
}

// modeWarning describes what is wrong with the mode of a file; its code is empty if nothing is. The
// remedy lets the group keep its right to read.
func modeWarning(file service.SecretFile, mode os.FileMode) delegation.CheckWarning {
	what := "secret"
	if file.SigningKey {
		what = "signing key"
	}
	w := delegation.CheckWarning{Field: file.At}
	quoted := term.QuoteForShell(file.Path)
	switch {
	case mode&othersRead != 0:
		w.Code = warningFileExposed
		w.Text = fmt.Sprintf("every user of this machine can read this %s (mode %04o)",
			what, mode.Perm())
		w.Remedy = "chmod o= " + quoted
		if mode&groupWrite != 0 {
			w.Remedy = "chmod g-w,o= " + quoted
		}
	case mode&othersWrite != 0:
		w.Code = warningFileWritable
		w.Text = fmt.Sprintf("users other than its owner can replace this %s (mode %04o)",
			what, mode.Perm())
		w.Remedy = "chmod go-w " + quoted
	}
	return w
}

// placed returns the results with places in the configuration instead of fields of the library.
// place may be nil.
func placed(
	results []delegation.CheckResult, place func(string) string,
) []delegation.CheckResult {
	if place == nil {
		return results
	}
	at := func(kind delegation.CheckKind, field string) string {
		if field == "" || kind == service.CheckFile { // a file's place is already set
			return field
		}
		return place(field)
	}
	list := slices.Clone(results)
	for i := range list {
		r := &list[i]
		r.Field = at(r.Kind, r.Field)
		r.Warnings = slices.Clone(r.Warnings)
		for j := range r.Warnings {
			r.Warnings[j].Field = at(r.Kind, r.Warnings[j].Field)
		}
	}
	return list
}
