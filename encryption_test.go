package delegation_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/ststest"
)

const (
	providerUUID = "SAMLSPEXAMPLE000000001"
	ownRecipient = "https://eu-central-1.signin.aws.amazon.com/saml/acs/" + providerUUID
)

// Two pairs of keys, of which IAM has the private halves.
var (
	readerKey = sync.OnceValue(func() *rsa.PrivateKey {
		return must(rsa.GenerateKey(rand.Reader, 2048))
	})
	nextReaderKey = sync.OnceValue(func() *rsa.PrivateKey {
		return must(rsa.GenerateKey(rand.Reader, 2048))
	})
)

func publicPEM(key *rsa.PrivateKey) string {
	return string(pem.EncodeToMemory(&pem.Block{
		Type:  "PUBLIC KEY",
		Bytes: must(x509.MarshalPKIXPublicKey(key.Public())),
	}))
}

func privatePEM(key *rsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{
		Type:  "PRIVATE KEY",
		Bytes: must(x509.MarshalPKCS8PrivateKey(key)),
	})
}

// encryptFor makes the target encrypt for a key in IAM.
func (w *world) encryptFor(key *rsa.PrivateKey) {
	w.target(func(target *delegation.Target) {
		target.EncryptionKey, target.SAMLProviderUUID = publicPEM(key), providerUUID
	})
}

// captured runs an exchange as far as STS and returns the response: an agreeable STS could not read
// it.
func (w *world) captured(t testing.TB, claims map[string]any) (response []byte, err error) {
	t.Helper()
	w.config.STS = stsFunc(func(
		_ context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		response = xmlOf(in)
		return nil, errors.New("that is enough")
	})
	_, err = w.exchange(t, claims)
	return response, err
}

// encryptedWorld is a strict world whose target encrypts for readerKey.
func encryptedWorld(t testing.TB) (*world, *ststest.Server) {
	w, fake := strictWorld(t)
	w.encryptFor(readerKey())
	return w, fake
}

func setKeys(t testing.TB, fake *ststest.Server, required bool, keys ...*rsa.PrivateKey) {
	t.Helper()
	e := ststest.SAMLEncryption{Required: required, UUID: providerUUID}
	for _, key := range keys {
		e.PrivateKeys = append(e.PrivateKeys, privatePEM(key))
	}
	if err := fake.PutSAMLEncryption(principal, e); err != nil {
		t.Fatal(err)
	}
}

func TestEncryption_Modes(t *testing.T) {
	w, fake := encryptedWorld(t)
	w.target(func(target *delegation.Target) {
		target.Tags, target.SourceIdentity = map[string]string{"team": "press"}, "alice"
	})
	token := w.token(nil)
	encrypted := w.delegator(t)
	w.target(func(target *delegation.Target) { target.EncryptionKey = "" })
	toOwnURL := w.delegator(t)
	w.target(func(target *delegation.Target) { target.SAMLProviderUUID = "" })
	plain := w.delegator(t)
	w.encryptFor(readerKey())
	w.target(func(target *delegation.Target) {
		target.SAMLProviderUUID = ""
		target.SAMLRecipient = "https://eu-central-1.signin.aws.amazon.com/saml"
	})
	toEverybody := w.delegator(t)
	const signature, other = delegation.CodeSTSSignature, delegation.CodeSTSIdentityToken
	for _, mode := range []struct {
		name     string
		required bool
		keys     []*rsa.PrivateKey
		// For each Delegator the code, empty if it gets credentials.
		encrypted, toOwnURL, plain, toEverybody delegation.Code
	}{
		{"no key", false, nil, signature, "", "", signature},
		{"Allowed", false, []*rsa.PrivateKey{readerKey()}, "", "", "", ""},
		{"Required", true, []*rsa.PrivateKey{readerKey()}, "", other, other, other},
		{"Required, another key", true, []*rsa.PrivateKey{nextReaderKey()},
			signature, other, other, signature},
	} {
		t.Run(mode.name, func(t *testing.T) {
			setKeys(t, fake, mode.required, mode.keys...)
			for _, tt := range []struct {
				name string
				d    *delegation.Delegator
				want delegation.Code
			}{
				{"encrypted", encrypted, mode.encrypted},
				{"plain to the own URL", toOwnURL, mode.toOwnURL}, {"plain", plain, mode.plain},
				{"encrypted to everybody's URL", toEverybody, mode.toEverybody},
			} {
				credentials, err := tt.d.Exchange(t.Context(), token, app)
				own := tt.d == encrypted || tt.d == toOwnURL
				switch {
				case tt.want != "":
					wantError(t, err, delegation.StageSTS, tt.want)
				case err != nil:
					t.Errorf("%s: %v", tt.name, err)
				case credentials.Subject != alice || credentials.SourceIdentity != "alice" ||
					(credentials.Audience == ownRecipient) != own:
					t.Errorf("%s: %+v", tt.name, credentials)
				}
			}
		})
	}
}

// TestEncryption_SurvivesOddTexts holds that the signature verifies after decryption, whatever
// stands in the assertion.
func TestEncryption_SurvivesOddTexts(t *testing.T) {
	w, fake := encryptedWorld(t)
	setKeys(t, fake, true, readerKey())
	w.carryText()
	d, token := w.delegator(t), w.token(nil)
	for _, odd := range oddTexts {
		if _, err := d.Exchange(t.Context(), token, app, withText(odd.text)); err != nil {
			t.Errorf("%s: %v", odd.name, err)
		}
	}
}

// TestEncryption_KeyRotation walks the runbook of docs/encrypted-assertions.md: there is a time in
// which both keys work.
func TestEncryption_KeyRotation(t *testing.T) {
	w, fake := encryptedWorld(t)
	token, withOld := w.token(nil), w.delegator(t)
	w.encryptFor(nextReaderKey())
	withNew := w.delegator(t)
	for _, phase := range []struct {
		name     string
		keys     []*rsa.PrivateKey
		old, new bool // whether the Delegator with that key gets credentials
	}{
		{"the old key in IAM", []*rsa.PrivateKey{readerKey()}, true, false},
		{"both in IAM", []*rsa.PrivateKey{nextReaderKey(), readerKey()}, true, true},
		{"the new key in IAM", []*rsa.PrivateKey{nextReaderKey()}, false, true},
	} {
		setKeys(t, fake, true, phase.keys...)
		for _, tt := range []struct {
			d    *delegation.Delegator
			want bool
		}{{withOld, phase.old}, {withNew, phase.new}} {
			if _, err := tt.d.Exchange(t.Context(), token, app); tt.want && err != nil {
				t.Errorf("%s: %v", phase.name, err)
			} else if !tt.want {
				wantError(t, err, delegation.StageSTS, delegation.CodeSTSSignature)
			}
		}
	}
}

func TestEncryption_HidesTheAssertion(t *testing.T) {
	w := newWorld(t)
	w.encryptFor(readerKey())
	sent, err := w.captured(t, map[string]any{"email": "alice@example.com", "email_verified": true})
	wantError(t, err, delegation.StageSTS, delegation.CodeSTSRefused)
	for _, visible := range []string{
		"<saml:EncryptedAssertion>", "aes256-gcm", `Destination="` + ownRecipient + `"`,
	} {
		if !bytes.Contains(sent, []byte(visible)) {
			t.Errorf("there is no %s in %s", visible, sent)
		}
	}
	for _, hidden := range []string{
		"auth0|alice", "alice@example.com", role, principal, "<saml:Assertion", "Signature",
		base64.StdEncoding.EncodeToString(signingKey().Certificate.Raw),
	} {
		if bytes.Contains(sent, []byte(hidden)) {
			t.Errorf("%s shows in %s", hidden, sent)
		}
	}
}

func TestEncryption_Recipient(t *testing.T) {
	tests := []struct {
		region, uuid, recipient, want string
	}{
		{"eu-central-1", providerUUID, "", ownRecipient},
		{"us-east-1", providerUUID, "", "https://signin.aws.amazon.com/saml/acs/" + providerUUID},
		{"eu-central-1", "", "https://signin.example.com/x", "https://signin.example.com/x"},
	}
	for _, tt := range tests {
		w, fake := encryptedWorld(t)
		setKeys(t, fake, false, readerKey())
		w.target(func(target *delegation.Target) {
			target.Region = tt.region
			target.SAMLProviderUUID = tt.uuid
			target.SAMLRecipient = tt.recipient
		})
		credentials, err := w.exchange(t, nil)
		if err != nil || credentials.Audience != tt.want {
			t.Errorf("%+v: %v, %v", tt, credentials, err)
		}
	}
}

func TestEncryption_TargetRefused(t *testing.T) {
	good := publicPEM(readerKey())
	weak := string(pem.EncodeToMemory(&pem.Block{
		Type:  "PUBLIC KEY",
		Bytes: must(x509.MarshalPKIXPublicKey(must(rsa.GenerateKey(rand.Reader, 2047)).Public())),
	}))
	tests := []struct {
		name   string
		change func(*delegation.Target)
		want   string // of the error; empty for none
	}{
		{"with a UUID", func(target *delegation.Target) {}, ""},
		{"with a recipient", func(target *delegation.Target) {
			target.SAMLProviderUUID, target.SAMLRecipient = "", ownRecipient
		}, ""},
		{"a UUID alone", func(target *delegation.Target) { target.EncryptionKey = "" }, ""},
		{"a UUID and no principal", func(target *delegation.Target) {
			target.EncryptionKey, target.Principal = "", ""
		}, ""},
		{"a UUID of 64", func(target *delegation.Target) {
			target.SAMLProviderUUID = strings.Repeat("A", 64)
		}, ""},
		{"neither", func(target *delegation.Target) { target.SAMLProviderUUID = "" },
			"EncryptionKey is that of one SAML provider"},
		{"no principal", func(target *delegation.Target) { target.Principal = "" },
			"EncryptionKey is that of one SAML provider"},
		{"both", func(target *delegation.Target) { target.SAMLRecipient = ownRecipient },
			"SAMLRecipient is set too"},
		{"a UUID of 21", func(target *delegation.Target) {
			target.SAMLProviderUUID = strings.Repeat("A", 21)
		}, "SAMLProviderUUID"},
		{"a UUID of 65", func(target *delegation.Target) {
			target.SAMLProviderUUID = strings.Repeat("A", 65)
		}, "SAMLProviderUUID"},
		{"a path in the UUID", func(target *delegation.Target) {
			target.SAMLProviderUUID = providerUUID + "/X"
		}, "SAMLProviderUUID"},
		{"a line end in the UUID", func(target *delegation.Target) {
			target.SAMLProviderUUID += "\n"
		}, "SAMLProviderUUID"},
		{"a weak key", func(target *delegation.Target) { target.EncryptionKey = weak },
			"EncryptionKey: it is not an RSA key of 2048"},
		{"no key", func(target *delegation.Target) { target.EncryptionKey = " " },
			"EncryptionKey: it is not PEM"},
		{"two keys", func(target *delegation.Target) { target.EncryptionKey += good },
			"EncryptionKey: it is not one PEM block"},
		{"the private key", func(target *delegation.Target) {
			target.EncryptionKey = string(privatePEM(readerKey()))
		}, "EncryptionKey: it is a private key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			w.encryptFor(readerKey())
			w.target(tt.change)
			_, err := delegation.New(t.Context(), w.config)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			e := wantError(t, err, delegation.StageConfig, delegation.CodeConfigInvalid)
			if !strings.Contains(e.Error(), tt.want) {
				t.Errorf("got %v, want %s", e, tt.want)
			}
			der := x509.MarshalPKCS1PrivateKey(readerKey())
			for _, piece := range pieces(base64.StdEncoding.EncodeToString(der), 40) {
				if strings.Contains(e.Error(), piece) {
					t.Fatalf("the private key shows: %v", e)
				}
			}
			// A target of a database meets the same check.
			w.config.Targets = source(w.config.Targets.Target)
			_, err = w.exchange(t, nil)
			wantError(t, err, delegation.StageTarget, delegation.CodeTargetInvalid)
		})
	}
}

// TestEncryption_OtherPrincipal holds that neither a rule nor a mapping can take an encrypting
// target to another SAML provider: it could not read the assertion, and sending it in the clear
// instead is not what was configured.
func TestEncryption_OtherPrincipal(t *testing.T) {
	const other = "arn:aws:iam::123456789012:saml-provider/other"
	w := newWorld(t)
	w.encryptFor(readerKey())
	w.config.Rules = []delegation.RuleFunc{func(
		_ context.Context, _ *delegation.User, rc *delegation.RuleContext,
	) error {
		rc.AWS.Principal = other
		return nil
	}}
	_, err := w.exchange(t, nil)
	wantError(t, err, delegation.StageDecision, delegation.CodeProviderMismatch)
	w.config.Rules = nil
	w.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{delegation.AttributeRole: "pair"}
	})
	_, err = w.exchange(t, map[string]any{"pair": role + "," + other})
	wantError(t, err, delegation.StageDecision, delegation.CodeProviderMismatch)
	w.wantNothingSent(t)
}

// TestEncryption_Deterministic holds that all that is random comes from Config.Rand, and that
// nothing is sent without it.
func TestEncryption_Deterministic(t *testing.T) {
	const needed = 40 + 64 // IDs, and what samldoc.Encrypt says
	exchange := func(random io.Reader) ([]byte, error) {
		w := goldenWorld(t)
		w.encryptFor(readerKey())
		w.config.Rand = random
		return w.captured(t, map[string]any{"email": "alice@example.com", "email_verified": true,
			"groups": []string{"staff"}, "odd": "x"})
	}
	first, _ := exchange(&counter{})
	second, _ := exchange(&counter{})
	if len(first) == 0 || !bytes.Equal(first, second) {
		t.Errorf("the same random numbers give\n%s and\n%s", first, second)
	}
	if third, _ := exchange(&counter{next: 1}); bytes.Equal(first, third) {
		t.Error("other random numbers give the same")
	}
	broken := errors.New("no entropy")
	for _, n := range []int{40, 41, 71, 72, 83, 84, 103} {
		sent, err := exchange(io.MultiReader(bytes.NewReader(make([]byte, n)),
			iotest.ErrReader(broken)))
		wantError(t, err, delegation.StageSAML, delegation.CodeEncryptionFailed)
		if !errors.Is(err, broken) || sent != nil {
			t.Errorf("with %d random numbers: %v, and this was sent: %s", n, err, sent)
		}
	}
	if sent, _ := exchange(bytes.NewReader(make([]byte, needed))); sent == nil {
		t.Errorf("%d random numbers are not enough", needed)
	}
}

// TestEncryption_Size holds that AWS's limit is compared with what is sent, which base64 twice has
// made longer.
func TestEncryption_Size(t *testing.T) {
	w, fake := encryptedWorld(t)
	setKeys(t, fake, true, readerKey())
	w.carryText()
	d, token := w.delegator(t), w.token(nil)
	exchange := func(n int) error {
		_, err := d.Exchange(t.Context(), token, app, withText(strings.Repeat("x", n)))
		return err
	}
	low, high := 1, 75_000 // the longest text that is taken lies between
	for low+1 < high {
		if middle := (low + high) / 2; exchange(middle) == nil {
			low = middle
		} else {
			high = middle
		}
	}
	calls := len(fake.Calls())
	wantError(t, exchange(low+1), delegation.StageSAML, delegation.CodeResponseTooLarge)
	if len(fake.Calls()) != calls {
		t.Error("STS was asked all the same")
	}
	if low < 45_000 || low > 56_000 {
		t.Errorf("the longest text has %d characters", low)
	}
}

// TestEncryption_CanarySecrets looks for the assertion in the clear, its signature and the private
// key in all that an exchange says, where it fails and where it succeeds.
func TestEncryption_CanarySecrets(t *testing.T) {
	broken := errors.New("no entropy")
	for name, prepare := range map[string]func(w *world, fake *ststest.Server){
		"success": func(_ *world, fake *ststest.Server) {
			setKeys(t, fake, true, readerKey())
		},
		"no key in IAM": func(_ *world, fake *ststest.Server) { setKeys(t, fake, false) },
		"encryption fails": func(w *world, _ *ststest.Server) {
			w.config.Rand = io.MultiReader(bytes.NewReader(make([]byte, 50)),
				iotest.ErrReader(broken))
		},
		"too large": func(w *world, _ *ststest.Server) {
			w.config.Rules = append(w.config.Rules,
				func(_ context.Context, user *delegation.User, _ *delegation.RuleContext) error {
					user.Set("text", strings.Repeat("canary-text-", 6000))
					return nil
				})
		},
		"private key by mistake": func(w *world, _ *ststest.Server) {
			w.target(func(target *delegation.Target) {
				target.EncryptionKey = string(privatePEM(readerKey()))
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			strict, fake := encryptedWorld(t)
			strict.carryText()
			strict.config.Rules = []delegation.RuleFunc{func(
				_ context.Context, user *delegation.User, _ *delegation.RuleContext,
			) error {
				user.Set("text", "canary-text-in-the-assertion")
				return nil
			}}
			strict.config.Rand = &counter{}
			prepare(strict, fake)
			w := newCanaryWorld(t, func(out io.Writer, o *slog.HandlerOptions) slog.Handler {
				return slog.NewJSONHandler(out, o)
			})
			w.world = strict
			logger, onEvent := w.config.Logger, w.config.OnEvent
			w.config = strict.config
			w.config.Logger, w.config.OnEvent = logger, onEvent
			w.secrets["text of the assertion"] = []string{"canary-text-"}
			// the first piece is the same for all
			w.secrets["private key of IAM"] = pieces(
				base64.StdEncoding.EncodeToString(must(x509.MarshalPKCS8PrivateKey(readerKey()))),
				40)[1:]
			content := make([]byte, 32)
			(&counter{next: 40}).Read(content)
			w.secrets["key of the content"] = []string{string(content)}
			err := w.exchange(t, w.raw(nil))
			if (err == nil) != (name == "success") {
				t.Errorf("got %v", err)
			}
			w.check(t)
		})
	}
}

// TestEncryption_Concurrent runs under the race detector.
func TestEncryption_Concurrent(t *testing.T) {
	w, fake := encryptedWorld(t)
	setKeys(t, fake, true, readerKey())
	d, token := w.delegator(t), w.token(nil)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := d.Exchange(t.Context(), token, app); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
