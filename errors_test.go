package delegation_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
	"github.com/seed055b7978/delegation/internal/errortable"
	"github.com/seed055b7978/delegation/jsrules"
	"github.com/seed055b7978/delegation/oidctest"
	"github.com/seed055b7978/delegation/samlattr"
)

// codes reads the constants of type Code, or of another type, from the source: name to value.
func codes(t *testing.T, typeName string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range rootFiles(t) {
		for _, declaration := range file.Decls {
			d, ok := declaration.(*ast.GenDecl)
			if !ok || d.Tok != token.CONST {
				continue
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.ValueSpec)
				if of, ok := s.Type.(*ast.Ident); ok && of.Name == typeName {
					found[s.Names[0].Name] = must(strconv.Unquote(
						s.Values[0].(*ast.BasicLit).Value))
				}
			}
		}
	}
	return found
}

var stages = []delegation.Stage{
	delegation.StageConfig, delegation.StageToken, delegation.StageTarget, delegation.StageRules,
	delegation.StageDecision, delegation.StageCache, delegation.StageSAML, delegation.StageSTS,
	delegation.StageAudit,
}

func TestCodes_EachHasStageAndRemedy(t *testing.T) {
	all, taken := codes(t, "Code"), map[string]string{}
	if len(all) < 80 {
		t.Fatalf("only %d codes found", len(all))
	}
	for name, value := range all {
		e := delegation.ErrorOf(delegation.Code(value), errors.New("what happened"))
		if !strings.HasPrefix(name, "Code") ||
			!regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`).MatchString(value) {
			t.Errorf("%s = %q does not look like a code", name, value)
		}
		if !slices.Contains(stages, e.Stage) || e.Remedy == "" || e.Public() == "" {
			t.Errorf("%s has stage %q, remedy %q, public text %q", name, e.Stage,
				e.Remedy, e.Public())
		}
		if strings.HasPrefix(value, "sts_") != (e.Stage == delegation.StageSTS) {
			t.Errorf("%s = %q is of the stage %s", name, value, e.Stage)
		}
		if other, twice := taken[value]; twice {
			t.Errorf("%s and %s are both %q", name, other, value)
		}
		taken[value] = name
	}
	for name, value := range codes(t, "Stage") {
		if !slices.Contains(stages, delegation.Stage(value)) {
			t.Errorf("%s = %q is not in this test's list", name, value)
		}
	}
	if n := len(codes(t, "Stage")); n != len(stages) {
		t.Errorf("%d stages, %d in this test", n, len(stages))
	}
}

// TestCodes_TheTableIsComplete holds that the documentation's table and the constants name the same
// codes, each once.
func TestCodes_TheTableIsComplete(t *testing.T) {
	constants := map[string]bool{}
	for _, value := range codes(t, "Code") {
		constants[value] = true
	}
	rows := map[string]int{}
	for line := range strings.Lines(string(must(os.ReadFile("docs/errors.md")))) {
		if m := regexp.MustCompile("^\\| `([^`]*)` \\|").FindStringSubmatch(line); m != nil {
			rows[m[1]]++
			if n := strings.Count(line, " | "); n != 5 {
				t.Errorf("the row of %s has %d cells", m[1], n+1)
			}
		}
	}
	for value := range constants {
		if rows[value] != 1 {
			t.Errorf("%s stands in %d rows", value, rows[value])
		}
	}
	for value := range rows {
		if !constants[value] {
			t.Errorf("the table has %s, the package does not", value)
		}
	}
	for name, stage := range codes(t, "Stage") {
		if _, known := errortable.OfStage(stage); !known {
			t.Errorf("%s = %q has no answer", name, stage)
		}
	}
	for value := range constants {
		e := delegation.ErrorOf(delegation.Code(value), errors.New("x"))
		row, known := errortable.Of(value)
		if !known || string(e.Stage) != row.Stage || e.Remedy != row.Remedy ||
			e.Retryable != row.Retryable {
			t.Errorf("%s: the error is %+v, the row %+v", value, e, row)
		}
	}
}

// codesOfLogouts are those of sessions that have ended, and of logout tokens: no ID token is wrong.
func codesOfLogouts() []delegation.Code {
	return []delegation.Code{
		delegation.CodeSessionEnded, delegation.CodeTokenTooOld,
		delegation.CodeRevocationsUnavailable, delegation.CodeLogoutEvent,
		delegation.CodeLogoutNonce, delegation.CodeLogoutSession,
		delegation.CodeLogoutSessionUnknown, delegation.CodeLogoutAudience,
		delegation.CodeLogoutReplayed,
	}
}

// TestCodes_OfTheRooms holds that the verifier of ID tokens, the writer of SAML and the reader of
// STS's errors have the codes of their stages, all and no others.
func TestCodes_OfTheRooms(t *testing.T) {
	for file, stage := range map[string]delegation.Stage{
		"internal/idtoken/errors.go": delegation.StageToken,
		"internal/samldoc/errors.go": delegation.StageSAML,
		"internal/session/codes.go":  delegation.StageSTS,
	} {
		got := map[string]bool{}
		// where there is no token to verify, or it was used before, or its session has ended
		if stage == delegation.StageToken {
			for _, code := range append(codesOfLogouts(), delegation.CodeTokenSourceFailed,
				delegation.CodeTokenReplayed, delegation.CodeReplayUnavailable) {
				got[string(code)] = true
			}
		}
		ast.Inspect(must(parser.ParseFile(token.NewFileSet(), file, nil, 0)),
			func(n ast.Node) bool {
				if d, ok := n.(*ast.GenDecl); ok && d.Tok != token.CONST {
					return false
				}
				if s, ok := n.(*ast.ValueSpec); ok {
					got[must(strconv.Unquote(s.Values[0].(*ast.BasicLit).Value))] = true
				}
				return true
			})
		if stage == delegation.StageSAML { // what a signer says itself
			got[string(delegation.CodeSignerThrottled)] = true
			got[string(delegation.CodeSignerRefused)] = true
		}
		if stage == delegation.StageSTS { // of an answer, which is no failure of the call
			got[string(delegation.CodeSTSAnswerMismatch)] = true
		}
		for _, value := range codes(t, "Code") {
			ofStage := delegation.ErrorOf(delegation.Code(value), errors.New("x")).Stage == stage
			if got[value] != ofStage {
				t.Errorf("%s: in %s %v, of the stage %s %v", value, file, got[value],
					stage, ofStage)
			}
			delete(got, value)
		}
		if len(got) > 0 {
			t.Errorf("%s has %v besides", file, slices.Sorted(maps.Keys(got)))
		}
	}
}

// TestCodes_RemediesNameWhatExists holds that a remedy sends nobody to a field that is not there.
func TestCodes_RemediesNameWhatExists(t *testing.T) {
	known := map[string]reflect.Type{
		"Config":           reflect.TypeFor[delegation.Config](),
		"Delegator":        reflect.TypeFor[delegation.Delegator](),
		"Handlers":         reflect.TypeFor[delegationhttp.Handlers](),
		"Issuer":           reflect.TypeFor[delegation.Issuer](),
		"Target":           reflect.TypeFor[delegation.Target](),
		"IdentityProvider": reflect.TypeFor[delegation.IdentityProvider](),
		"AWS":              reflect.TypeFor[delegation.AWS](),
		"Region":           reflect.TypeFor[delegation.Region](),
		"SigningKey":       reflect.TypeFor[delegation.SigningKey](),
		"Options":          reflect.TypeFor[jsrules.Options](),
		"Scope":            reflect.TypeFor[delegation.Scope](),
	}
	checked := 0
	for name, value := range codes(t, "Code") {
		e := delegation.ErrorOf(delegation.Code(value), errors.New("x"))
		for _, m := range regexp.MustCompile(`\b([A-Z]\w+)\.([A-Z]\w+)`).
			FindAllStringSubmatch(e.Remedy, -1) {
			owner, ok := known[m[1]]
			if !ok {
				t.Errorf("%s: %s is no type of this test's list", name, m[0])
				continue
			}
			_, field := owner.FieldByName(m[2])
			_, method := reflect.PointerTo(owner).MethodByName(m[2])
			if checked++; !field && !method {
				t.Errorf("%s: there is no %s", name, m[0])
			}
		}
	}
	if checked < 10 {
		t.Errorf("only %d names checked", checked)
	}
}

// TestCodes_Retryable lists what may succeed later without a change. What is final must not be
// repeated.
func TestCodes_Retryable(t *testing.T) {
	want := []delegation.Code{
		delegation.CodeCanceled, delegation.CodeKeyPending, delegation.CodeKeySetInvalid,
		delegation.CodeKeySetUnavailable, delegation.CodeTokenNotYetValid,
		delegation.CodeTokenFromFuture, delegation.CodeTargetFailed, delegation.CodeProfileFailed,
		delegation.CodeSigningFailed, delegation.CodeSignerThrottled, delegation.CodeSTSExpired,
		delegation.CodeTokenSourceFailed, delegation.CodeSTSTooOld, delegation.CodeSTSThrottled,
		delegation.CodeSTSNotYetValid,
		delegation.CodeSTSUnavailable, delegation.CodeSTSTimeout,
		delegation.CodeSTSAnswerIncomplete,
		delegation.CodeReplayUnavailable, delegation.CodeSharedCache,
		delegation.CodeKeySetPrivate, delegation.CodeKeySetSymmetric,
		delegation.CodeKeySetTooLarge, delegation.CodeKeySetRedirect,
		delegation.CodeKeySetURL, delegation.CodeDiscoveryIssuer,
		delegation.CodeKeySetMissing, delegation.CodeKeySetDiscovery,
		delegation.CodeDiscoveryRedirect, delegation.CodeDiscoveryMissing,
		delegation.CodeKeySetUnauthorized, delegation.CodeKeySetCertificate,
		delegation.CodeKeySetProxy, delegation.CodeAuditFailed,
		delegation.CodeRevocationsUnavailable,
		delegation.CodeProfileUnavailable, delegation.CodeProfileThrottled,
		delegation.CodeProfileTimeout, delegation.CodeRuleTimeout,
	}
	var got []delegation.Code
	for _, value := range codes(t, "Code") {
		if e := delegation.ErrorOf(delegation.Code(value), errors.New("x")); e.Retryable {
			got = append(got, e.Code)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestError_Public holds that strangers see only what the code says in general, whatever the error
// holds.
func TestError_Public(t *testing.T) {
	cause := fmt.Errorf(
		"%s %s %s: Not authorized to perform sts:AssumeRoleWithSAML, request canary-id: %w", alice,
		role, principal, &smithy.GenericAPIError{Code: "AccessDenied", Message: "canary"})
	allowed := []string{
		"the request could not be completed", "temporarily unavailable, try again",
		"the ID token was not accepted", "the ID token has expired",
		"delegation is not enabled for this application", "this application may not use the target",
		"access denied", "AWS refused the request",
		"the session has ended, sign in again", "the logout token was not accepted",
		"sign in again: the ID token does not say when the last sign-in was",
		"sign in again: the last sign-in is too long ago",
		"sign in again with a stronger method",
		"the requested session is longer than this application allows",
		"choose a role: several are offered",
		"the requested session policy is not valid", "the requested scope is unknown",
		"the session cannot be narrowed to the requested session policy",
		"the token is not of the kind that the request names",
	}
	for name, value := range codes(t, "Code") {
		e := delegation.ErrorOf(delegation.Code(value), cause)
		e.RequestID = "canary-id"
		if e.Code == delegation.CodeDenied {
			continue // shows the rule's reason, see below
		}
		if !slices.Contains(allowed, e.Public()) {
			t.Errorf("%s says to strangers: %q", name, e.Public())
		}
	}
	for code, want := range map[delegation.Code]string{
		delegation.CodeConfigInvalid:      "the request could not be completed",
		delegation.CodeCanceled:           "temporarily unavailable, try again",
		delegation.CodeSignatureInvalid:   "the ID token was not accepted",
		delegation.CodeTokenExpired:       "the ID token has expired",
		delegation.CodeKeySetUnavailable:  "temporarily unavailable, try again",
		delegation.CodeDelegationDisabled: "delegation is not enabled for this application",
		delegation.CodeAudienceNotAllowed: "this application may not use the target",
		delegation.CodeIssuerNotAllowed:   "this application may not use the target",
		delegation.CodeClientMismatch:     "this application may not use the target",
		delegation.CodeTargetFailed:       "the request could not be completed",
		delegation.CodeRuleFailed:         "access denied",
		delegation.CodeRulePanicked:       "access denied",
		delegation.CodeProfileFailed:      "access denied",
		delegation.CodeProfileMissing:     "access denied",
		delegation.CodeProfileTimeout:     "temporarily unavailable, try again",
		delegation.CodeRuleTimeout:        "temporarily unavailable, try again",
		delegation.CodeRoleInvalid:        "the request could not be completed",
		delegation.CodeTextInvalid:        "the request could not be completed",
		delegation.CodeSTSAccessDenied:    "AWS refused the request",
		delegation.CodeSTSThrottled:       "temporarily unavailable, try again",
		delegation.CodeSTSUnavailable:     "temporarily unavailable, try again",
		delegation.CodeSTSTimeout:         "temporarily unavailable, try again",
	} {
		if got := delegation.ErrorOf(code, cause).Public(); got != want {
			t.Errorf("%s says %q, want %q", code, got, want)
		}
	}
	got := delegation.ErrorOf(delegation.CodeDenied,
		fmt.Errorf("rule 1 of %s: %w", role, delegation.Deny("only staff"))).Public()
	if got != "only staff" {
		t.Errorf("a denial says %q", got)
	}
	got = delegation.ErrorOf(delegation.CodeRuleFailed, delegation.Deny("only staff")).Public()
	if got != "access denied" {
		t.Errorf("another failure that wraps a denial says %q", got)
	}
	got = delegation.ErrorOf("no_such_code", cause).Public()
	if got != "the request could not be completed" {
		t.Errorf("an unknown code says %q", got)
	}
}

// TestError_PublicMistakes: what was sent instead of an ID token, or around one, is named to the
// caller too, who has to correct it. Nothing of it is quoted, and the code is that of its form.
func TestError_PublicMistakes(t *testing.T) {
	w := newWorld(t)
	d := w.delegator(t)
	good := w.token(nil)
	for text, row := range map[string]struct {
		code delegation.Code
		what string
	}{
		"Bearer " + good: {
			delegation.CodeTokenEncoding, `has "Bearer " in front of it: leave that out`,
		},
		`{"id_token":"` + good + `","access_token":"a.b.c"}`: {
			delegation.CodeTokenMalformed,
			"is JSON: send the value of its member id_token, without the quotes",
		},
		"\ufeff" + good: {
			delegation.CodeTokenEncoding,
			"has a byte order mark in front of it: save it as UTF-8 without one",
		},
		"canary-password!": {
			delegation.CodeTokenMalformed, "has a foreign character at byte 16: " +
				"send letters, digits, '-', '_' and two dots",
		},
	} {
		_, err := d.Exchange(t.Context(), text, app)
		e := wantError(t, err, delegation.StageToken, row.code)
		if got, want := e.Public(), "the ID token was not accepted: it "+row.what; got != want {
			t.Errorf("strangers see %q, want %q", got, want)
		}
		want := "token: the token " + row.what + " (" + string(row.code) + "): " +
			"send the ID token exactly as the issuer returned it: " +
			"three base64url parts joined by dots"
		if e.Error() != want {
			t.Errorf("got %q, want %q", e.Error(), want)
		}
	}
}

func TestError_IsAndUnwrap(t *testing.T) {
	cause := errors.New("cause")
	var err error = fmt.Errorf("wrapped: %w",
		delegation.ErrorOf(delegation.CodeTokenExpired, cause))
	for _, is := range []error{delegation.StageToken, delegation.CodeTokenExpired, cause} {
		if !errors.Is(err, is) {
			t.Errorf("it is not %v", is)
		}
	}
	for _, isNot := range []error{
		delegation.StageSTS, delegation.StageConfig, delegation.CodeTokenMalformed,
		delegation.Stage("token_expired"), delegation.Code("token"), io.EOF,
	} {
		if errors.Is(err, isNot) {
			t.Errorf("it is %v", isNot)
		}
	}
	var e *delegation.Error
	if !errors.As(err, &e) || !errors.Is(e.Unwrap(), cause) {
		t.Errorf("got %v", e)
	}
	if delegation.StageToken.Error() != "token" ||
		delegation.CodeTokenExpired.Error() != "token_expired" {
		t.Error("stage and code do not say their names")
	}
}

func TestError_Text(t *testing.T) {
	e := &delegation.Error{
		Stage:  delegation.StageSTS,
		Code:   delegation.CodeSTSAccessDenied,
		Remedy: "do this",
		Err:    errors.New("what happened"),
	}
	if got, want := e.Error(), "sts: what happened (sts_access_denied): do this"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e.RequestID = "id-1"
	got, want := e.Error(), "sts: what happened (sts_access_denied) [AWS request ID id-1]: do this"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestError_Nil(t *testing.T) {
	var e *delegation.Error
	if e.Error() != "no error" || e.Public() != "" || e.Unwrap() != nil ||
		e.Is(delegation.StageToken) || errors.Is(e, delegation.CodeTokenExpired) {
		t.Errorf("a nil error says %q, %q", e.Error(), e.Public())
	}
	zero := &delegation.Error{}
	if zero.Public() != "the request could not be completed" || zero.Unwrap() != nil ||
		zero.Error() == "" {
		t.Errorf("a zero error says %q, %q", zero.Error(), zero.Public())
	}
}

const (
	canarySecret    = "canary-shared-secret-0123456789-abcdef"
	canaryClaim     = "canary-private-claim"
	canaryParameter = "canary-request-parameter"
)

// echo makes an error of what was sent to AWS, as a proxy, a log of requests or an unkind endpoint
// may.
type echo func(assertion string) error

// canaryWorld is a world whose secrets are known, so that they can be looked for.
type canaryWorld struct {
	*world
	out     bytes.Buffer // all that was said
	secrets map[string][]string
	config  delegation.Config
}

// pieces cuts a text into overlapping pieces, so that a part of a secret is found too.
func pieces(text string, size int) (list []string) {
	for i := 0; i+size <= len(text); i += size {
		list = append(list, text[i:i+size])
	}
	return append(list, text[max(0, len(text)-size):])
}

func newCanaryWorld(
	t *testing.T, handler func(io.Writer, *slog.HandlerOptions) slog.Handler,
) *canaryWorld {
	w := &canaryWorld{world: newWorld(t), secrets: map[string][]string{}}
	w.config = w.world.config
	w.config.Logger = slog.New(handler(&w.out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	w.config.OnEvent = func(_ context.Context, e delegation.Event) {
		w.say(e)
		w.say(&e)
		fmt.Fprintln(&w.out, e.LogValue(), e.LogValue().Any())
		slog.New(slog.NewTextHandler(&w.out, nil)).
			Info("x", "event", e, "pointer", &e, "error", e.Err)
		slog.New(slog.NewJSONHandler(&w.out, nil)).
			Info("x", "event", e, "pointer", &e, "error", e.Err)
	}
	key := signingKey().Signer.(*rsa.PrivateKey)
	der := x509.MarshalPKCS1PrivateKey(key)
	w.secrets["private key"] = append(pieces(base64.StdEncoding.EncodeToString(der), 40),
		key.D.String(), key.D.Text(16), key.Primes[0].String(), key.Primes[1].String(),
		key.Primes[0].Text(16))
	w.secrets["shared secret"] = []string{
		canarySecret, base64.StdEncoding.EncodeToString([]byte(canarySecret)),
	}
	w.secrets["secret access key"] = []string{"canary-secret-access-key"}
	w.secrets["session token"] = []string{"canary-session-token"}
	w.secrets["answer of an issuer"] = []string{oidctest.Garbage}
	w.secrets["claim"] = []string{canaryClaim}
	w.secrets["request parameter"] = []string{canaryParameter}
	return w
}

// say writes a value under every verb and as JSON.
func (w *canaryWorld) say(value any) {
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X"} {
		fmt.Fprintf(&w.out, format+"\n", value)
	}
	text, err := json.Marshal(value)
	fmt.Fprintf(&w.out, "%s %v\n", text, err)
}

// sayError writes an error, all it wraps, and its public text.
func (w *canaryWorld) sayError(err error) {
	w.say(err)
	var e *delegation.Error
	if errors.As(err, &e) {
		w.say(*e)
		fmt.Fprintln(&w.out, e.Public())
	}
	switch inner := err.(type) {
	case interface{ Unwrap() error }:
		if next := inner.Unwrap(); next != nil {
			w.sayError(next)
		}
	case interface{ Unwrap() []error }:
		for _, next := range inner.Unwrap() {
			w.sayError(next)
		}
	}
}

// listen keeps what goes to STS as a secret.
func (w *canaryWorld) listen(in *sts.AssumeRoleWithSAMLInput) {
	w.secrets["assertion"] = pieces(*in.SAMLAssertion, 40)
	w.secrets["signature"] = pieces(responseOf(in).FindElement("//ds:SignatureValue").Text(), 40)
}

// answer makes STS answer like this.
func (w *canaryWorld) answer(
	with func(in *sts.AssumeRoleWithSAMLInput) (*sts.AssumeRoleWithSAMLOutput, error),
) {
	w.config.STS = stsFunc(func(
		_ context.Context, in *sts.AssumeRoleWithSAMLInput,
	) (*sts.AssumeRoleWithSAMLOutput, error) {
		w.listen(in)
		return with(in)
	})
}

// exchange runs one exchange and says all that came of it.
func (w *canaryWorld) exchange(t *testing.T, raw string) error {
	if raw != "" {
		w.secrets["token"] = append(pieces(raw, 40), raw)
	}
	d, err := delegation.New(t.Context(), w.config)
	if err != nil {
		w.sayError(err)
		return err
	}
	// before the exchange: afterwards goroutines of the SDK and net/http may still tidy up inside
	w.say(d)
	request := delegation.Request{
		Parameters: map[string]any{"refresh_token": canaryParameter, "id_token": raw},
	}
	credentials, err := d.Exchange(t.Context(), raw, app, delegation.WithRequest(request))
	w.say(credentials)
	if credentials != nil {
		w.say(*credentials)
	}
	if err != nil {
		w.sayError(err)
	}
	return err
}

func (w *canaryWorld) raw(claims map[string]any) string {
	all := map[string]any{"https://example.com/private": canaryClaim}
	maps.Copy(all, claims)
	return w.token(all)
}

// check looks for every secret in all that was said, in every spelling.
func (w *canaryWorld) check(t *testing.T) {
	t.Helper()
	said := w.out.String()
	if len(said) < 500 {
		t.Errorf("too little was said to mean anything: %q", said)
	}
	for what, needles := range w.secrets {
		for n, needle := range needles {
			candidates := []string{needle}
			if n%16 == 0 { // the other spellings of a few pieces would show the whole
				candidates = spellings(needle)
			}
			for _, spelling := range candidates {
				if i := strings.Index(said, spelling); i >= 0 && spelling != "" {
					t.Errorf("the %s shows: …%.300q", what, said[max(0, i-100):])
					return
				}
			}
		}
	}
}

// brokenSigner is a signer that fails in one of the ways in which an HSM may.
type brokenSigner struct {
	crypto.Signer
	sign func(digest []byte) ([]byte, error)
}

func (s brokenSigner) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.sign(digest)
}

// TestIncident_CanarySecrets walks every kind of failure with secrets that are easy to find, and
// looks for them in errors, events, logs and credentials under every verb. octo-sts
// (CVE-2025-52477) logged an issuer's answer; others logged more.
func TestIncident_CanarySecrets(t *testing.T) {
	t.Parallel()
	type path struct {
		name  string
		stage delegation.Stage // empty: success
		code  delegation.Code  // empty: success, or several
		run   func(t *testing.T, w *canaryWorld) error
	}
	plain := func(prepare func(w *canaryWorld)) func(*testing.T, *canaryWorld) error {
		return func(t *testing.T, w *canaryWorld) error {
			prepare(w)
			return w.exchange(t, w.raw(nil))
		}
	}
	type spoil func(out *sts.AssumeRoleWithSAMLOutput, assertion *string)
	spoiling := func(spoil spoil) func(*testing.T, *canaryWorld) error {
		return plain(func(w *canaryWorld) {
			yes := agreeable(w.clock.Now)
			w.answer(func(
				in *sts.AssumeRoleWithSAMLInput,
			) (*sts.AssumeRoleWithSAMLOutput, error) {
				out, err := yes(t.Context(), in)
				spoil(out, in.SAMLAssertion)
				return out, err
			})
		})
	}
	with := func(claims map[string]any) func(*testing.T, *canaryWorld) error {
		return func(t *testing.T, w *canaryWorld) error { return w.exchange(t, w.raw(claims)) }
	}
	header := func(header map[string]any, payload string) func(*testing.T, *canaryWorld) error {
		return func(t *testing.T, w *canaryWorld) error {
			payload := strings.ReplaceAll(payload, "ISSUER", w.url)
			return w.exchange(t, must(w.provider.Sign(header, []byte(payload))))
		}
	}
	altered := func(alter func(string) string) func(*testing.T, *canaryWorld) error {
		return func(t *testing.T, w *canaryWorld) error { return w.exchange(t, alter(w.raw(nil))) }
	}
	faulty := func(f oidctest.Faults) func(*testing.T, *canaryWorld) error {
		return plain(func(w *canaryWorld) { w.provider.SetFaults(f) })
	}
	rule := func(r delegation.RuleFunc) func(*testing.T, *canaryWorld) error {
		return plain(func(w *canaryWorld) { w.config.Rules = []delegation.RuleFunc{r} })
	}
	shared := func(w *canaryWorld, secret string) *oidctest.Provider {
		provider := must(oidctest.New(oidctest.Config{
			Algorithm: "HS256",
			Secret:    []byte(secret),
			Now:       w.clock.Now,
		}))
		provider.SetIssuer("https://shared.example.com/")
		w.config.Issuers = []delegation.Issuer{{
			URL:          "https://shared.example.com/",
			SharedSecret: delegation.NewSecret(canarySecret),
		}}
		return provider
	}
	const payload = `{"iss":"ISSUER","sub":"auth0|alice","aud":"photo-app","exp":1795424400,"iat":1795420800,"private":"canary-private-claim"`

	paths := []path{
		{"success", "", "", with(nil)},
		{"success with all there is", "", "", plain(func(w *canaryWorld) {
			w.config.CapSessionToToken = true
			w.config.Rules = []delegation.RuleFunc{
				delegation.TagsFromClaims(map[string]string{"who": "aud"}),
				delegation.SourceIdentityFromClaim("aud"),
			}
		})},
		{"success with a shared secret", "", "", func(t *testing.T, w *canaryWorld) error {
			return w.exchange(t,
				must(shared(w, canarySecret).SignIDToken(map[string]any{
					"sub": alice, "aud": app, "private": canaryClaim,
				})))
		}},

		{"a short shared secret", delegation.StageConfig, delegation.CodeConfigInvalid,
			plain(func(w *canaryWorld) {
				w.secrets["short secret"] = []string{"canary-short"}
				w.config.Issuers[0].SharedSecret = delegation.NewSecret("canary-short")
			})},
		{"a shared secret beside a key set", delegation.StageConfig, delegation.CodeConfigInvalid,
			plain(func(w *canaryWorld) {
				w.config.Issuers[0].SharedSecret = delegation.NewSecret(canarySecret)
				w.config.Issuers[0].JWKS = []byte(`{"keys":[{"kty":"oct","k":"` +
					canarySecret + `"}]}`)
			})},
		{"a shared secret as key set", delegation.StageConfig, delegation.CodeConfigInvalid,
			plain(func(w *canaryWorld) { w.config.Issuers[0].JWKS = []byte(canarySecret) })},
		{"a symmetric key as key set", delegation.StageConfig, delegation.CodeConfigInvalid,
			plain(func(w *canaryWorld) {
				w.config.Issuers[0].JWKS = []byte(`{"keys":[{"kty":"oct","k":"` +
					base64.RawURLEncoding.EncodeToString([]byte(canarySecret)) + `"}]}`)
			})},
		{"RS256 with a shared secret", delegation.StageConfig, delegation.CodeConfigInvalid,
			plain(func(w *canaryWorld) {
				w.config.Issuers[0].SharedSecret = delegation.NewSecret(canarySecret)
				w.config.Issuers[0].Algorithms = []string{"RS256"}
			})},
		{"a foreign certificate", delegation.StageConfig, delegation.CodeConfigInvalid,
			plain(func(w *canaryWorld) {
				w.config.IdentityProvider.Keys = []delegation.SigningKey{{
					Signer:      signingKey().Signer,
					Certificate: nextKey().Certificate,
				}}
			})},
		{"a private key that does not parse", delegation.StageConfig, delegation.CodeConfigInvalid,
			func(_ *testing.T, w *canaryWorld) error {
				der := x509.MarshalPKCS1PrivateKey(signingKey().Signer.(*rsa.PrivateKey))
				private := pem.EncodeToMemory(&pem.Block{
					Type:  "RSA PRIVATE KEY",
					Bytes: der[:len(der)-1],
				})
				certificate := pem.EncodeToMemory(&pem.Block{
					Type:  "CERTIFICATE",
					Bytes: signingKey().Certificate.Raw,
				})
				key, err := delegation.ParseSigningKey(certificate, private)
				w.say(key)
				w.sayError(err)
				_, swapped := delegation.ParseSigningKey(private, certificate)
				w.sayError(swapped)
				_, foreign := delegation.ParseSigningKey(
					pem.EncodeToMemory(&pem.Block{
						Type:  "CERTIFICATE",
						Bytes: nextKey().Certificate.Raw,
					}),
					pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: der}))
				w.sayError(foreign)
				return err
			}},
		{"no token", delegation.StageToken, delegation.CodeTokenMissing,
			func(t *testing.T, w *canaryWorld) error { return w.exchange(t, "") }},
		{"a large token", delegation.StageToken, delegation.CodeTokenTooLarge,
			with(map[string]any{"fill": strings.Repeat("canary", 3000)})},
		{"two parts", delegation.StageToken, delegation.CodeTokenMalformed,
			altered(func(raw string) string { return raw[:strings.LastIndexByte(raw, '.')] })},
		{"five parts", delegation.StageToken, delegation.CodeTokenEncrypted,
			altered(func(raw string) string { return raw + ".x.y" })},
		{"padding", delegation.StageToken, delegation.CodeTokenEncoding,
			altered(func(raw string) string { return raw + "=" })},
		{"a header that is no JSON", delegation.StageToken, delegation.CodeTokenMalformed,
			altered(func(raw string) string { return "YQ" + raw[strings.IndexByte(raw, '.'):] })},
		{"another signature", delegation.StageToken, delegation.CodeSignatureInvalid,
			altered(func(raw string) string {
				return raw[:strings.LastIndexByte(raw, '.')+1] +
					base64.RawURLEncoding.EncodeToString(make([]byte, 256))
			})},
		{"a payload that is no JSON", delegation.StageToken, delegation.CodeTokenMalformed,
			header(nil, canaryClaim)},
		{"a payload cut short", delegation.StageToken, delegation.CodeTokenMalformed,
			header(nil, payload)},
		{"a member twice", delegation.StageToken, delegation.CodeTokenDuplicateMember,
			header(nil, payload+`,"sub":"canary-private-claim"}`)},
		{"a folded name", delegation.StageToken, delegation.CodeTokenFoldedName,
			header(nil, payload+`,"SUB":"canary-private-claim"}`)},
		{"crit", delegation.StageToken, delegation.CodeTokenCritical,
			header(map[string]any{"crit": []string{canaryClaim}}, payload+"}")},
		{"b64", delegation.StageToken, delegation.CodeTokenB64,
			header(map[string]any{"b64": canaryClaim}, payload+"}")},
		{"no alg", delegation.StageToken, delegation.CodeTokenMalformed,
			header(map[string]any{"alg": nil}, payload+"}")},
		{"none", delegation.StageToken, delegation.CodeTokenUnsigned,
			header(map[string]any{"alg": "none"}, payload+"}")},
		{"rs256", delegation.StageToken, delegation.CodeAlgorithmCase,
			header(map[string]any{"alg": "rs256"}, payload+"}")},
		{"PS256", delegation.StageToken, delegation.CodeAlgorithmNotAllowed,
			header(map[string]any{"alg": "PS256"}, payload+"}")},
		{"another issuer", delegation.StageToken, delegation.CodeIssuerUnknown,
			with(map[string]any{"iss": "https://other.example.com"})},
		{"an unknown kid", delegation.StageToken, delegation.CodeKeyUnknown,
			header(map[string]any{"kid": "other"}, payload+"}")},
		{"no sub", delegation.StageToken, delegation.CodeClaimMissing,
			with(map[string]any{"sub": nil})},
		{"a sub of another type", delegation.StageToken, delegation.CodeClaimType,
			with(map[string]any{"sub": []string{canaryClaim}})},
		{"an aud of another type", delegation.StageToken, delegation.CodeClaimType,
			with(map[string]any{"aud": map[string]any{"x": canaryClaim}})},
		{"a date of another type", delegation.StageToken, delegation.CodeClaimDate,
			with(map[string]any{"exp": canaryClaim})},
		{"no azp", delegation.StageToken, delegation.CodeClaimParty,
			with(map[string]any{"aud": []string{app, canaryClaim}})},
		{"two clients", delegation.StageToken, delegation.CodeClaimClientConflict,
			with(map[string]any{"azp": app, "cid": "other"})},
		{"an access token", delegation.StageToken, delegation.CodeTokenKindScoped,
			with(map[string]any{"scp": canaryClaim})},
		{"an odd kind of token", delegation.StageToken, delegation.CodeTokenKindOther,
			with(map[string]any{"typ": canaryClaim})},
		{"expired", delegation.StageToken, delegation.CodeTokenExpired,
			with(map[string]any{"exp": start.Add(-time.Hour).Unix()})},
		{"from the future", delegation.StageToken, delegation.CodeTokenFromFuture,
			with(map[string]any{
				"iat": start.Add(time.Hour).Unix(), "exp": start.Add(2 * time.Hour).Unix(),
			})},
		{"not yet valid", delegation.StageToken, delegation.CodeTokenNotYetValid,
			with(map[string]any{"nbf": start.Add(time.Hour).Unix()})},
		{"another shared secret", delegation.StageToken, delegation.CodeSignatureInvalid,
			func(t *testing.T, w *canaryWorld) error {
				return w.exchange(t,
					must(shared(w, canarySecret+"x").
						SignIDToken(map[string]any{"sub": alice, "aud": app})))
			}},
		{"an issuer out of order", delegation.StageToken, delegation.CodeKeySetUnavailable,
			faulty(oidctest.Faults{Status: 500})},
		{"an issuer that says no", delegation.StageToken, delegation.CodeKeySetUnavailable,
			faulty(oidctest.Faults{Status: 403, Only: oidctest.KeySetPath})},
		{"an issuer that talks rubbish", delegation.StageToken, delegation.CodeKeySetInvalid,
			faulty(oidctest.Faults{Malformed: true})},
		{"a rubbish key set", delegation.StageToken, delegation.CodeKeySetInvalid,
			faulty(oidctest.Faults{Malformed: true, Only: oidctest.KeySetPath})},
		{"a rubbish answer with 200", delegation.StageToken, delegation.CodeKeySetInvalid,
			faulty(oidctest.Faults{Status: 200})},
		{"a redirect", delegation.StageToken, delegation.CodeDiscoveryRedirect,
			faulty(oidctest.Faults{
				Redirect: "https://" + oidctest.Garbage + "@example.com/#" + oidctest.Garbage,
			})},
		{"a large answer", delegation.StageToken, delegation.CodeKeySetTooLarge,
			faulty(oidctest.Faults{Oversize: true})},
		{"another issuer's document", delegation.StageToken, delegation.CodeDiscoveryIssuer,
			faulty(oidctest.Faults{Issuer: "https://other.example.com"})},
		{"a symmetric key is published", delegation.StageToken, delegation.CodeKeySetSymmetric,
			faulty(oidctest.Faults{SymmetricKey: true})},
		{"no answer", delegation.StageToken, delegation.CodeKeySetUnavailable,
			plain(func(w *canaryWorld) { w.close() })},

		{"another application", delegation.StageTarget, delegation.CodeAudienceNotAllowed,
			with(map[string]any{"aud": "other"})},
		{"no target", delegation.StageTarget, delegation.CodeDelegationDisabled,
			plain(func(w *canaryWorld) { w.config.Targets = delegation.Targets{} })},
		{"the source fails", delegation.StageTarget, delegation.CodeTargetFailed,
			plain(func(w *canaryWorld) {
				w.config.Targets = source(func(
					context.Context, string,
				) (*delegation.Target, error) {
					return nil, errors.New("down")
				})
			})},
		{"the source returns rubbish", delegation.StageTarget, delegation.CodeTargetInvalid,
			plain(func(w *canaryWorld) {
				w.config.Targets = source(func(
					context.Context, string,
				) (*delegation.Target, error) {
					return &delegation.Target{
						AWS: delegation.AWS{Role: "x"},
						Identity: &delegation.IdentityProvider{
							Keys: []delegation.SigningKey{
								signingKey(), {Signer: signingKey().Signer},
							},
						},
					}, nil
				})
			})},

		{"a claim is required", delegation.StageTarget, delegation.CodeRequiredClaim,
			func(t *testing.T, w *canaryWorld) error {
				w.config.Issuers[0].RequiredClaims = map[string][]string{"x": {"y"}}
				return w.exchange(t, w.raw(map[string]any{"x": canaryClaim}))
			}},

		{"a denial", delegation.StageRules, delegation.CodeDenied,
			rule(func(context.Context, *delegation.User, *delegation.RuleContext) error {
				return delegation.Deny("no")
			})},
		{"a failing rule", delegation.StageRules, delegation.CodeRuleFailed,
			rule(func(context.Context, *delegation.User, *delegation.RuleContext) error {
				return io.EOF
			})},
		{"a panicking rule", delegation.StageRules, delegation.CodeRulePanicked,
			rule(dereferencesNil)},
		{"a denial by claim", delegation.StageRules, delegation.CodeDenied,
			rule(delegation.Must(delegation.RoleByClaim("https://example.com/private",
				delegation.RoleMatch{Pattern: "x", Role: role})))},
		{"a claim that a policy cannot hold", delegation.StageRules, delegation.CodeDenied,
			func(t *testing.T, w *canaryWorld) error {
				w.config.Rules = []delegation.RuleFunc{
					delegation.Must(delegation.SessionPolicyFromTemplate(`{"a":"{{x}}"}`)),
				}
				return w.exchange(t, w.raw(map[string]any{"x": canaryClaim + "*"}))
			}},
		{"a failing profile", delegation.StageRules, delegation.CodeProfileFailed,
			plain(func(w *canaryWorld) {
				w.config.Profile = func(context.Context, *delegation.User) (map[string]any, error) {
					return nil, io.EOF
				}
			})},

		{"a mapping of an object", delegation.StageDecision, delegation.CodeMappingInvalid,
			func(t *testing.T, w *canaryWorld) error {
				w.mapTo("x", samlattr.Mail)
				return w.exchange(t, w.raw(map[string]any{"x": map[string]any{"y": canaryClaim}}))
			}},
		{"a mapping of two", delegation.StageDecision, delegation.CodeMappingInvalid,
			func(t *testing.T, w *canaryWorld) error {
				w.mapTo("x", delegation.AttributeRoleSessionName)
				return w.exchange(t, w.raw(map[string]any{"x": []string{canaryClaim, "y"}}))
			}},

		{"a control character", delegation.StageSAML, delegation.CodeTextInvalid,
			func(t *testing.T, w *canaryWorld) error {
				w.mapTo("x", samlattr.Mail)
				return w.exchange(t, w.raw(map[string]any{"x": canaryClaim + "\x00"}))
			}},
		{"a large response", delegation.StageSAML, delegation.CodeResponseTooLarge,
			func(t *testing.T, w *canaryWorld) error {
				w.config.Rules = []delegation.RuleFunc{func(
					_ context.Context, user *delegation.User, rc *delegation.RuleContext,
				) error {
					user.Set("x", strings.Repeat(canaryClaim, 5000))
					rc.AWS.Mappings = delegation.Mappings{samlattr.Mail: "x"}
					return nil
				}}
				return w.exchange(t, w.raw(nil))
			}},
		{"no random numbers", delegation.StageSAML, delegation.CodeSigningFailed,
			plain(func(w *canaryWorld) { w.config.Rand = strings.NewReader("") })},
	}
	for name, sign := range map[string]func([]byte) ([]byte, error){
		"a signer that fails": func([]byte) ([]byte, error) {
			return nil, errors.New("the HSM is away")
		},
		"a signer that panics": func([]byte) ([]byte, error) { panic("the HSM is away") },
		"a signer with another key": func(d []byte) ([]byte, error) {
			return nextKey().Signer.Sign(nil, d, crypto.SHA256)
		},
		"a signer that says nothing": func([]byte) ([]byte, error) { return nil, nil },
	} {
		paths = append(paths, path{
			name, delegation.StageSAML, delegation.CodeSigningFailed, plain(func(w *canaryWorld) {
				w.config.IdentityProvider.Keys = []delegation.SigningKey{{
					Signer:      brokenSigner{signingKey().Signer, sign},
					Certificate: signingKey().Certificate,
				}}
			}),
		})
	}
	for _, limit := range limits {
		if limit.code == "" {
			continue
		}
		paths = append(paths, path{
			limit.name, delegation.StageDecision, limit.code,
			rule(func(_ context.Context, _ *delegation.User, rc *delegation.RuleContext) error {
				limit.change(&rc.AWS)
				return nil
			}),
		})
	}
	for name, say := range map[string]echo{
		"API error": func(a string) error {
			return &smithy.GenericAPIError{
				Code:    "ValidationError",
				Message: "Value '" + a + "' at 'sAMLAssertion' failed",
			}
		},
		"API error, escaped": func(a string) error {
			return &smithy.GenericAPIError{
				Code:    "X",
				Message: "SAMLAssertion=" + url.QueryEscape(a),
			}
		},
		"API error, as a code": func(a string) error {
			return &smithy.GenericAPIError{Code: a, Message: "x"}
		},
		"API error, in lines": func(a string) error {
			return &smithy.GenericAPIError{
				Code:    "X",
				Message: regexp.MustCompile(`.{1,76}`).ReplaceAllString(a, "$0\r\n"),
			}
		},
		"API error, decoded": func(a string) error {
			return &smithy.GenericAPIError{
				Code:    "X",
				Message: string(must(base64.StdEncoding.DecodeString(a))),
			}
		},
		"API error, as hex": func(a string) error {
			return &smithy.GenericAPIError{Code: "X", Message: hex.EncodeToString([]byte(a))}
		},
		"modelled error": func(a string) error {
			return &types.InvalidIdentityTokenException{
				Message: aws.String("Response signature invalid: " + a),
			}
		},
		"plain error": func(a string) error { return errors.New(a) },
		"operation error": func(a string) error {
			return &smithy.OperationError{ServiceID: "STS", OperationName: a, Err: errors.New(a)}
		},
		"transport error": func(a string) error {
			return &url.Error{
				Op:  "Post",
				URL: "https://sts.amazonaws.com/?SAMLAssertion=" + a,
				Err: io.ErrUnexpectedEOF,
			}
		},
		"unreadable answer": func(a string) error {
			return &smithy.DeserializationError{Err: errors.New(a), Snapshot: []byte(a)}
		},
		"serialisation error": func(a string) error {
			return &smithy.SerializationError{Err: errors.New(a)}
		},
		"validation error": func(a string) error { return &smithy.InvalidParamsError{Context: a} },
		"request send error": func(a string) error {
			return &smithyhttp.RequestSendError{Err: errors.New(a)}
		},
	} {
		paths = append(paths, path{
			"STS echoes: " + name, delegation.StageSTS, "", plain(func(w *canaryWorld) {
				w.answer(func(
					in *sts.AssumeRoleWithSAMLInput,
				) (*sts.AssumeRoleWithSAMLOutput, error) {
					return nil, say(*in.SAMLAssertion)
				})
			}),
		})
	}
	for name, spoil := range map[string]func(*sts.AssumeRoleWithSAMLOutput){
		"no access key": func(o *sts.AssumeRoleWithSAMLOutput) { o.Credentials.AccessKeyId = nil },
		"no session token": func(o *sts.AssumeRoleWithSAMLOutput) {
			o.Credentials.SessionToken = nil
		},
		"no expiry": func(o *sts.AssumeRoleWithSAMLOutput) { o.Credentials.Expiration = nil },
		"past expiry": func(o *sts.AssumeRoleWithSAMLOutput) {
			o.Credentials.Expiration = aws.Time(start)
		},
		"no role":            func(o *sts.AssumeRoleWithSAMLOutput) { o.AssumedRoleUser = nil },
		"nothing of account": func(o *sts.AssumeRoleWithSAMLOutput) { o.Credentials = nil },
	} {
		paths = append(paths, path{
			"STS answers: " + name, delegation.StageSTS, delegation.CodeSTSAnswerIncomplete,
			spoiling(func(out *sts.AssumeRoleWithSAMLOutput, _ *string) { spoil(out) }),
		})
	}
	for name, spoil := range map[string]func(*sts.AssumeRoleWithSAMLOutput, *string){
		"secret": func(o *sts.AssumeRoleWithSAMLOutput, _ *string) {
			o.Subject = o.Credentials.SecretAccessKey
		},
		"token": func(o *sts.AssumeRoleWithSAMLOutput, _ *string) {
			o.Issuer = o.Credentials.SessionToken
		},
		"assertion": func(o *sts.AssumeRoleWithSAMLOutput, assertion *string) {
			o.AssumedRoleUser.Arn = assertion
		},
	} {
		paths = append(paths, path{
			"STS answers for " + name, delegation.StageSTS, delegation.CodeSTSAnswerMismatch,
			spoiling(spoil),
		})
	}
	// The same over the wire, through the SDK's own client.
	for _, status := range []int{200, 302, 400, 403, 500} {
		for _, form := range []string{
			"%s",
			`<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code><Message>Value '%s' at 'sAMLAssertion'</Message></Error><RequestId>id-1</RequestId></ErrorResponse>`,
		} {
			paths = append(paths, path{
				fmt.Sprintf("the wire echoes: %d %.20s", status, form), delegation.StageSTS, "",
				func(t *testing.T, w *canaryWorld) error {
					unkind := httptest.NewServer(http.HandlerFunc(func(
						rw http.ResponseWriter, r *http.Request,
					) {
						rw.Header().Set("Location",
							"/?SAMLAssertion="+url.QueryEscape(r.FormValue("SAMLAssertion")))
						rw.WriteHeader(status)
						fmt.Fprintf(rw, form, r.FormValue("SAMLAssertion"))
					}))
					defer unkind.Close()
					client := stsClient(unkind.URL)
					w.config.STS = stsFunc(func(
						ctx context.Context, in *sts.AssumeRoleWithSAMLInput,
					) (*sts.AssumeRoleWithSAMLOutput, error) {
						w.listen(in)
						return client.AssumeRoleWithSAML(ctx, in,
							func(o *sts.Options) { o.Region = "eu-central-1" })
					})
					return w.exchange(t, w.raw(nil))
				},
			})
		}
	}

	for handlerName, handler := range map[string]func(io.Writer, *slog.HandlerOptions) slog.Handler{
		"text": func(w io.Writer, o *slog.HandlerOptions) slog.Handler {
			return slog.NewTextHandler(w, o)
		},
		"json": func(w io.Writer, o *slog.HandlerOptions) slog.Handler {
			return slog.NewJSONHandler(w, o)
		},
	} {
		for _, path := range paths {
			if handlerName == "json" && path.stage == delegation.StageDecision {
				continue // many, and all alike to a handler
			}
			t.Run(handlerName+"/"+path.name, func(t *testing.T) {
				w := newCanaryWorld(t, handler)
				yes := agreeable(w.clock.Now)
				w.answer(func(
					in *sts.AssumeRoleWithSAMLInput,
				) (*sts.AssumeRoleWithSAMLOutput, error) {
					return yes(t.Context(), in)
				})
				err := path.run(t, w)
				if path.stage == "" && err != nil ||
					path.stage != "" && !errors.Is(err, path.stage) ||
					path.code != "" && !errors.Is(err, path.code) {
					t.Errorf("got %v, want stage %q, code %q", err, path.stage, path.code)
				}
				w.check(t)
			})
		}
	}
}

// mapTo adds one mapping to the target.
func (w *canaryWorld) mapTo(path, attribute string) {
	w.target(func(target *delegation.Target) {
		target.Mappings = delegation.Mappings{attribute: path}
	})
	w.config.Targets = w.world.config.Targets
}

// TestDenyWithoutReason: strangers still see a word.
func TestDenyWithoutReason(t *testing.T) {
	w := newWorld(t)
	w.config.Rules = []delegation.RuleFunc{
		func(context.Context, *delegation.User, *delegation.RuleContext) error {
			return delegation.Deny("")
		},
	}
	_, err := w.exchange(t, nil)
	e := wantError(t, err, delegation.StageRules, delegation.CodeDenied)
	if e.Public() != "access denied" {
		t.Errorf("strangers see %q", e.Public())
	}
}
