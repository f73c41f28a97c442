package delegation_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

// keyName is how Check names a key.
func keyName(key delegation.SigningKey, entity string) string {
	sum := sha256.Sum256(key.Certificate.Raw)
	return fmt.Sprintf("signing key %x of %s", sum[:8], entity)
}

// names lists results, in order.
func names(results []delegation.CheckResult) (list []string) {
	for _, r := range results {
		list = append(list, r.Name)
	}
	return list
}

// result finds one result.
func result(t testing.TB, results []delegation.CheckResult, name string) delegation.CheckResult {
	t.Helper()
	i := slices.IndexFunc(results, func(r delegation.CheckResult) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("no %q in %q", name, names(results))
	}
	return results[i]
}

// TestCheck_Everything: each thing once, in order, and all in order.
func TestCheck_Everything(t *testing.T) {
	w, fake := strictWorld(t)
	own := delegation.IdentityProvider{
		EntityID: "urn:own.example.com",
		Keys:     []delegation.SigningKey{nextKey(), signingKey()},
	}
	target := w.config.Targets.(delegation.Targets)[app]
	other, third, open := target, target, target
	other.Region = "us-east-1"
	other.FailoverRegions = []string{"us-east-2", "eu-central-1"}
	other.Identity = &own
	third.Region, third.Identity = "us-east-1", &own
	open.Region = ""
	w.config.Rules = []delegation.RuleFunc{ // which may choose a region
		func(context.Context, *delegation.User, *delegation.RuleContext) error { return nil },
	}
	w.config.Targets = delegation.Targets{app: target, "other": other, "third": third, "open": open}
	results := w.delegator(t).Check(t.Context())
	want := []string{
		"issuer " + w.url, "metadata of " + entityID, keyName(signingKey(), entityID),
		"metadata of urn:own.example.com",
		// by the names of the targets
		keyName(nextKey(), own.EntityID), keyName(signingKey(), own.EntityID), "sts us-east-1",
		"sts us-east-2", "sts eu-central-1",
	}
	if !slices.Equal(names(results), want) {
		t.Fatalf("got %q, want %q", names(results), want)
	}
	for i, r := range results {
		if r.Err != nil || r.Warning != "" || r.Degrades != (i > 0) {
			t.Errorf("got %+v", r)
		}
	}
	for _, call := range fake.Calls() {
		if call.Action != "AssumeRoleWithSAML" || call.Code != "AccessDenied" ||
			call.RoleARN != "arn:aws:iam::000000000000:role/delegation-check" ||
			call.PrincipalARN != "arn:aws:iam::000000000000:saml-provider/delegation-check" ||
			call.AccessKeyID != "" {
			t.Errorf("STS was asked %+v", call)
		}
	}
	if n := len(fake.Calls()); n != 3 {
		t.Errorf("%d calls of STS", n)
	}
}

// TestCheck_DatabaseTargets: what a TargetSource holds is not known.
func TestCheck_DatabaseTargets(t *testing.T) {
	w := newWorld(t)
	w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
		t.Error("the source was asked")
		return nil, nil
	})
	got := names(w.delegator(t).Check(t.Context()))
	want := []string{"issuer " + w.url, "metadata of " + entityID, keyName(signingKey(), entityID)}
	if !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// withCertificate is the signing key with another certificate of its own.
func withCertificate(change func(*x509.Certificate)) delegation.SigningKey {
	key := signingKey().Signer.(*rsa.PrivateKey)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "delegation test"},
		NotBefore:    start.Add(-time.Hour),
		NotAfter:     start.AddDate(1, 0, 0),
	}
	change(template)
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	return delegation.SigningKey{Signer: key, Certificate: must(x509.ParseCertificate(der))}
}

// TestCheck_CertificateDates: a date is a warning and never a failure, for every key that is
// published.
func TestCheck_CertificateDates(t *testing.T) {
	w := newWorld(t)
	expired := withCertificate(func(c *x509.Certificate) { c.NotAfter = start.Add(-time.Second) })
	soon := withCertificate(func(c *x509.Certificate) { c.NotAfter = start.AddDate(0, 0, 29) })
	later := withCertificate(func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = start.Add(time.Hour), start.AddDate(1, 0, 0)
	})
	w.config.IdentityProvider.Keys = []delegation.SigningKey{expired, soon, later, signingKey()}
	d := w.delegator(t)
	results := d.Check(t.Context())
	for key, want := range map[delegation.SigningKey]string{
		expired:      "the certificate expired on 2026-11-23T08:59:59Z; AWS ignores the dates",
		soon:         "the certificate expires on 2026-12-22T09:00:00Z; AWS ignores the dates",
		later:        "the certificate is valid from 2026-11-23T10:00:00Z; AWS ignores the dates",
		signingKey(): "",
	} {
		if r := result(t, results, keyName(key, entityID)); r.Err != nil || r.Warning != want {
			t.Errorf("got %+v, want %q", r, want)
		}
	}
	e := w.explained(t)
	if !slices.Contains(e.Warnings,
		"the certificate expired on 2026-11-23T08:59:59Z; AWS ignores the dates") {
		t.Errorf("Explain does not warn: %q", e.Warnings)
	}
}

func TestCheck_Metadata(t *testing.T) {
	w := newWorld(t)
	w.config.IdentityProvider.Keys = []delegation.SigningKey{withCertificate(func(
		c *x509.Certificate,
	) {
		c.ExtraExtensions = []pkix.Extension{{
			Id:    asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1},
			Value: bytes.Repeat([]byte{0}, 7_500_000),
		}}
	})}
	d := w.delegator(t)
	e := wantError(t, result(t, d.Check(t.Context()), "metadata of "+entityID).Err,
		delegation.StageConfig, delegation.CodeConfigInvalid)
	if !strings.Contains(e.Error(), "characters, more than 10000000 (") || len(e.Error()) > 300 {
		t.Errorf("got %.400s", e)
	}
	if _, err := d.Metadata(); !errors.Is(err, delegation.CodeConfigInvalid) {
		t.Errorf("got %v", err)
	}
}

// TestCheck_Signers: each key makes a real signature, which its certificate verifies.
func TestCheck_Signers(t *testing.T) {
	stranger := must(rsa.GenerateKey(rand.Reader, 2048))
	for name, row := range map[string]struct {
		sign func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)
		want string // empty: it works
	}{
		"good": {signingKey().Signer.Sign, ""},
		"fails": {func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
			return nil, errors.New("the HSM is locked")
		}, "the HSM is locked"},
		"of another key": {stranger.Sign, "does not verify"},
		"nothing": {
			func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil },
			"does not verify",
		},
		"panics": {
			func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { panic("a bug") },
			"it panicked",
		},
		"always the first": {func(r io.Reader, _ []byte, o crypto.SignerOpts) ([]byte, error) {
			return signingKey().Signer.Sign(r, make([]byte, 32), o)
		}, "does not verify"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.IdentityProvider.Keys = []delegation.SigningKey{
				nextKey(), {Signer: signer(row.sign), Certificate: signingKey().Certificate},
			}
			results := w.delegator(t).Check(t.Context())
			if r := result(t, results, keyName(nextKey(), entityID)); r.Err != nil {
				t.Errorf("the other key: %v", r.Err)
			}
			r := result(t, results, keyName(signingKey(), entityID))
			if row.want == "" {
				if r.Err != nil {
					t.Errorf("got %v", r.Err)
				}
				return
			}
			e := wantError(t, r.Err, delegation.StageSAML, delegation.CodeSigningFailed)
			if !strings.Contains(e.Error(), row.want) || !r.Degrades {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// TestCheck_ReplacedKey: an HSM that has another key since New is found out, by its signatures and
// by what it says of itself.
func TestCheck_ReplacedKey(t *testing.T) {
	w := newWorld(t)
	f := &fickle{signer(signingKey().Signer.Sign), signingKey().Signer.Public}
	w.signWith(f)
	d := w.delegator(t)
	f.signer, f.public = signer(nextKey().Signer.Sign), nextKey().Signer.Public
	results := d.Check(t.Context())
	wantError(t, result(t, results, keyName(signingKey(), entityID)).Err, delegation.StageSAML,
		delegation.CodeSigningFailed)
	wantError(t, result(t, results, "metadata of "+entityID).Err, delegation.StageConfig,
		delegation.CodeConfigInvalid)
	f.public = func() crypto.PublicKey { panic("no connection to the KMS") }
	w.clock.Advance(time.Minute)
	wantError(t, result(t, d.Check(t.Context()), "metadata of "+entityID).Err,
		delegation.StageConfig, delegation.CodeConfigInvalid)
}

// TestCheck_STS: a definite refusal is the proof; everything else is not.
func TestCheck_STS(t *testing.T) {
	for name, row := range map[string]struct {
		fault ststest.Fault
		code  delegation.Code // empty: reachable
	}{
		"as AWS does": {ststest.Fault{}, ""},
		"another refusal": {
			ststest.Refuse(400, "InvalidIdentityToken", "Invalid base64 SAMLResponse"), "",
		},
		"unknown refusal":   {ststest.Refuse(403, "Canary", "unheard of"), ""},
		"throttled":         {ststest.Throttle(), delegation.CodeSTSThrottled},
		"down":              {ststest.Status(503), delegation.CodeSTSUnavailable},
		"region not active": {ststest.RegionDisabled(), delegation.CodeSTSRegionDisabled},
		"hangs":             {ststest.Hang(), delegation.CodeSTSTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			w, fake := strictWorld(t)
			w.config.STSTimeout = 300 * time.Millisecond
			if name != "as AWS does" {
				fake.Script(ststest.Repeat(3, row.fault))
			}
			if name != "hangs" {
				w.config.STSTimeout = 0
			}
			r := result(t, w.delegator(t).Check(t.Context()), "sts eu-central-1")
			if row.code == "" {
				if r.Err != nil {
					t.Errorf("got %v", r.Err)
				}
				return
			}
			if wantError(t, r.Err, delegation.StageSTS, row.code); !r.Degrades {
				t.Errorf("got %+v", r)
			}
		})
	}
	answer := func(status int, body string) delegation.STS {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return stsClient(server.URL)
	}
	for name, client := range map[string]delegation.STS{
		"says yes to anything": stsFunc(func(
			context.Context, *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			return &sts.AssumeRoleWithSAMLOutput{Credentials: &types.Credentials{}}, nil
		}),
		"says yes whole": stsFunc(func(
			context.Context, *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			text, end := "x", start.Add(time.Hour)
			return &sts.AssumeRoleWithSAMLOutput{
				Credentials: &types.Credentials{
					AccessKeyId:     &text,
					SecretAccessKey: &text,
					SessionToken:    &text,
					Expiration:      &end,
				},
				AssumedRoleUser: &types.AssumedRoleUser{Arn: &text, AssumedRoleId: &text},
			}, nil
		}),
		"says yes for another session": stsFunc(func(
			context.Context, *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			text, end := "x", start.Add(time.Hour)
			return &sts.AssumeRoleWithSAMLOutput{
				Credentials: &types.Credentials{
					AccessKeyId: &text, SecretAccessKey: &text, SessionToken: &text,
					Expiration: &end,
				},
				AssumedRoleUser: &types.AssumedRoleUser{Arn: &text, AssumedRoleId: &text},
				Subject:         &text,
			}, nil
		}),
		"panics": stsFunc(func(
			context.Context, *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			panic("a bug")
		}),
		"fails by itself": stsFunc(func(
			context.Context, *sts.AssumeRoleWithSAMLInput,
		) (*sts.AssumeRoleWithSAMLOutput, error) {
			return nil, errors.New("no configuration")
		}),
		"a page of a proxy":   answer(200, "<html>sign in here</html>"),
		"a refusal by no AWS": answer(403, "<html>forbidden</html>"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config.STS = client
			var e *delegation.Error
			r := result(t, w.delegator(t).Check(t.Context()), "sts eu-central-1")
			if !errors.As(r.Err, &e) || e.Stage != delegation.StageSTS {
				t.Errorf("got %+v", r)
			}
		})
	}
}

// TestCheck_AsksOnceAMinute: probes do not hammer signers and AWS, however often Check is called.
// New keys are tried at once.
func TestCheck_AsksOnceAMinute(t *testing.T) {
	w, fake := strictWorld(t)
	var signed atomic.Int32
	counting := func(sign func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error)) signer {
		return func(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
			signed.Add(1)
			return sign(r, digest, o)
		}
	}
	w.signWith(counting(signingKey().Signer.Sign))
	d := w.delegator(t)
	check := func(wantSigned int32, wantCalls int) {
		t.Helper()
		for range 20 {
			for _, r := range d.Check(t.Context()) {
				if r.Err != nil {
					t.Errorf("got %v", r)
				}
			}
		}
		if signed.Load() != wantSigned || len(fake.Calls()) != wantCalls {
			t.Errorf("%d signatures and %d calls, want %d and %d", signed.Load(), len(fake.Calls()),
				wantSigned, wantCalls)
		}
	}
	check(1, 1)
	w.clock.Advance(time.Minute - 1)
	check(1, 1)
	w.clock.Advance(1)
	check(2, 2)
	fake.Script(ststest.Repeat(3, ststest.Status(500)))
	w.clock.Advance(time.Minute)
	for range 2 {
		r := result(t, d.Check(t.Context()), "sts eu-central-1")
		if !errors.Is(r.Err, delegation.CodeSTSUnavailable) {
			t.Errorf("a failure counts for a minute too, got %v", r.Err)
		}
	}
	if err := d.SetIdentityProvider(w.config.IdentityProvider); err != nil {
		t.Fatal(err)
	}
	check(4, 6) // three attempts of the SDK failed
}

// TestCheck_Canceled: who gives up gets what is there, and the checks go on behind them.
func TestCheck_Canceled(t *testing.T) {
	w := newWorld(t)
	asked, answer := make(chan struct{}, 2), make(chan struct{})
	w.signWith(signer(func(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
		asked <- struct{}{}
		<-answer
		return signingKey().Signer.Sign(r, digest, o)
	}))
	w.config.STS = stsFunc(func(
		ctx context.Context, _ *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		asked <- struct{}{}
		<-answer
		return nil, &types.InvalidIdentityTokenException{}
	})
	d := w.delegator(t)
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan []delegation.CheckResult, 1)
	go func() { results <- d.Check(ctx) }()
	<-asked
	<-asked
	cancel()
	got := <-results
	wantError(t, result(t, got, keyName(signingKey(), entityID)).Err, delegation.StageSAML,
		delegation.CodeCanceled)
	wantError(t, result(t, got, "sts eu-central-1").Err, delegation.StageSTS,
		delegation.CodeCanceled)
	close(answer)
	for _, r := range d.Check(t.Context()) { // would hang on a third question
		if r.Err != nil {
			t.Errorf("got %v", r)
		}
	}
}

// TestCheck_SignerHangs: it is given up after STSTimeout, not before, by a real clock that nobody
// waits for.
func TestCheck_SignerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		d := must(delegation.New(t.Context(), delegation.Config{
			Issuers: []delegation.Issuer{{
				URL:          "https://legacy.example.com",
				SharedSecret: delegation.NewSecret(strings.Repeat("s", 32)),
			}},
			IdentityProvider: delegation.IdentityProvider{
				EntityID: entityID,
				Keys: []delegation.SigningKey{{
					Signer: signer(func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
						<-release
						return nil, errors.New("too late")
					}),
					Certificate: signingKey().Certificate,
				}},
			},
			Targets: delegation.Targets{}, STS: stsFunc(nil),
			Now: func() time.Time { return start },
		}))
		began := time.Now()
		r := result(t, d.Check(t.Context()), keyName(signingKey(), entityID))
		e := wantError(t, r.Err, delegation.StageSAML, delegation.CodeSigningFailed)
		if !errors.Is(e, context.DeadlineExceeded) || time.Since(began) != 10*time.Second {
			t.Errorf("got %v after %s", e, time.Since(began))
		}
	})
}

// TestCheck_TargetSource: a source cannot be asked for all of its targets, so Check looks at the
// identities and regions of those that exchanges and explanations have had within the last hour.
func TestCheck_TargetSource(t *testing.T) {
	for use, run := range map[string]func(*delegation.Delegator, string) error{
		"Exchange": func(d *delegation.Delegator, token string) error {
			_, err := d.Exchange(t.Context(), token, app)
			return err
		},
		"Explain": func(d *delegation.Delegator, token string) error {
			_, err := d.Explain(t.Context(), token, app)
			return err
		},
	} {
		t.Run(use, func(t *testing.T) {
			w := newWorld(t)
			w.config.STS = stsFunc(func(
				context.Context, *sts.AssumeRoleWithSAMLInput,
			) (*sts.AssumeRoleWithSAMLOutput, error) {
				return nil, errAWSDenies
			})
			target := w.config.Targets.(delegation.Targets)[app]
			broken := signer(func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
				return nil, errors.New("the HSM is locked")
			})
			own := delegation.IdentityProvider{
				EntityID: "urn:own.example.com",
				Keys: []delegation.SigningKey{
					{Signer: broken, Certificate: signingKey().Certificate},
				},
			}
			target.Identity = &own
			target.FailoverRegions = []string{"eu-west-1"}
			w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
				return &target, nil
			})
			d := w.delegator(t)
			before := names(d.Check(t.Context()))
			ownKey := keyName(signingKey(), own.EntityID)
			if slices.Contains(before, ownKey) || slices.Contains(before, "sts eu-central-1") {
				t.Errorf("nobody has asked for the target: %q", before)
			}

			_ = run(d, w.token(nil))
			results := d.Check(t.Context())
			want := append(before, "metadata of urn:own.example.com", ownKey, "sts eu-central-1",
				"sts eu-west-1")
			if !slices.Equal(names(results), want) {
				t.Errorf("got  %q\nwant %q", names(results), want)
			}
			wantError(t, result(t, results, ownKey).Err, delegation.StageSAML,
				delegation.CodeSigningFailed)

			// The source replaces the key: both are looked at, and after an hour the old one no
			// more.
			w.clock.Advance(30 * time.Minute)
			own.Keys = []delegation.SigningKey{nextKey()}
			_ = run(d, w.token(nil))
			w.clock.Advance(30 * time.Minute)
			results = d.Check(t.Context())
			if got := names(results); slices.Contains(got, ownKey) {
				t.Errorf("an hour later: %q", got)
			}
			if r := result(t, results, keyName(nextKey(), own.EntityID)); r.Err != nil {
				t.Error(r.Err)
			}
		})
	}
}

// TestCheck_TargetSource_Refused: whoever may not call a target does not have it remembered.
func TestCheck_TargetSource_Refused(t *testing.T) {
	w := newWorld(t)
	target := w.config.Targets.(delegation.Targets)[app]
	target.Audiences = []string{"another"}
	target.Identity = &delegation.IdentityProvider{
		EntityID: "urn:own.example.com",
		Keys:     identity().Keys,
	}
	w.config.Targets = source(func(context.Context, string) (*delegation.Target, error) {
		return &target, nil
	})
	d := w.delegator(t)
	if _, err := d.Exchange(t.Context(), w.token(nil), app); err == nil {
		t.Fatal("the exchange was not refused")
	}
	if got := names(d.Check(t.Context())); slices.Contains(got, "metadata of urn:own.example.com") {
		t.Errorf("got %q", got)
	}
}
