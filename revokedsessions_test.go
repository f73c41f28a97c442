package delegation_test

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/ststest"
)

// mayDoAll lets a role do everything.
const mayDoAll = `{"Version": "2012-10-17", "Statement": [
	{"Effect": "Allow", "Action": "*", "Resource": "*"}]}`

// revokedRole is a role in AWS, with sessions of real exchanges and a fake of S3 that checks
// signatures and policies.
type revokedRole struct {
	*delegationtest.Delegator
	t  *testing.T
	s3 http.Handler
}

func newRevokedRole(t *testing.T) *revokedRole {
	r := &revokedRole{t: t, Delegator: delegationtest.New(t, func(c *delegation.Config) {
		c.CacheSize = -1
	})}
	r.s3 = r.STS.Gate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ststest.Gate{})
	r.attach()
	return r
}

// attach gives the role these policies, besides one that allows everything.
func (r *revokedRole) attach(policies ...string) {
	r.t.Helper()
	err := r.STS.PutRole(ststest.Role{
		ARN:         role,
		TrustPolicy: delegationtest.TrustPolicy,
		Policies:    append([]string{mayDoAll}, policies...),
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// session is a new session of a user.
func (r *revokedRole) session(subject string) *delegation.Credentials {
	r.t.Helper()
	token := r.Token(map[string]any{"sub": subject})
	credentials, err := r.Exchange(r.t.Context(), token, app)
	if err != nil {
		r.t.Fatal(err)
	}
	return credentials
}

// want checks whether a session may read from S3.
func (r *revokedRole) want(what string, session *delegation.Credentials, status int) {
	r.t.Helper()
	const url = "https://example-photos.s3.eu-central-1.amazonaws.com/a"
	request := httptest.NewRequest(http.MethodGet, url, nil)
	sum := sha256.Sum256(nil)
	hash := hex.EncodeToString(sum[:])
	request.Header.Set("X-Amz-Content-Sha256", hash)
	err := v4.NewSigner().SignHTTP(r.t.Context(), session.AWS(), request, hash, "s3",
		"eu-central-1", r.Clock.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	w := httptest.NewRecorder()
	r.s3.ServeHTTP(w, request)
	if w.Code != status {
		r.t.Errorf("%s: %d %s, want %d", what, w.Code, w.Body, status)
	}
}

// TestSessionRevocation_EndsSessions: after the policy is attached, AWS denies the sessions that
// were issued before, and no other, for one subject and for everybody.
func TestSessionRevocation_EndsSessions(t *testing.T) {
	qualifier, err := delegation.NameQualifier(entityID, principal)
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		of  delegation.SessionRevocation
		bob int // the status of bob's session from before
	}{
		"one subject": {
			delegation.SessionRevocation{Subject: alice, NameQualifier: qualifier}, 200,
		},
		"everybody": {delegation.SessionRevocation{}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRevokedRole(t)
			ofAlice := r.session(alice)
			ofBob := r.session("bob")
			if ofAlice.NameQualifier != qualifier {
				t.Errorf("AWS's name qualifier is %q, and ours %q",
					ofAlice.NameQualifier, qualifier)
			}
			r.want("alice before", ofAlice, 200)
			r.Clock.Advance(time.Minute)
			row.of.IssuedBefore = r.Clock.Now()
			policy, err := row.of.Policy()
			if err != nil {
				t.Fatal(err)
			}
			r.attach(policy)
			r.want("alice, issued before", ofAlice, 403)
			r.want("bob, issued before", ofBob, row.bob)
			r.want("alice, issued now", r.session(alice), 200)
			r.Clock.Advance(time.Minute)
			r.want("alice, issued after", r.session(alice), 200)
			r.want("alice, the old one, later", ofAlice, 403)
		})
	}
}

// TestSessionRevocation_Decides: for each user and time of issue, the policy denies exactly what it
// says, also for subjects that look like variables and patterns.
func TestSessionRevocation_Decides(t *testing.T) {
	random := rand.New(rand.NewPCG(17, 18))
	subjects := []string{
		alice, "bob", "", "*", "a?ice", "${saml:sub}", "${$}", "$", "${", "{", "\"", "\\", "a b",
		"${saml:sub}x", "${*}", "spiffe://td/ns/a", "é", "AUTH0|ALICE",
	}
	qualifiers := []string{"1uAJanUnBc2XeUkHURMht+xam2c=", "2uAJanUnBc2XeUkHURMht+xam2c="}
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	denied := 0
	for range 5000 {
		revocation := delegation.SessionRevocation{IssuedBefore: start}
		if subject := pick(subjects); subject != "" {
			revocation.Subject = subject
			revocation.NameQualifier = pick(qualifiers)
		}
		if random.IntN(4) == 0 {
			revocation.SourceIdentity = pick(subjects)
		}
		text, err := revocation.Policy()
		if err != nil {
			t.Fatal(err)
		}
		policy, err := iampolicy.Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		allow, _ := iampolicy.Parse(mayDoAll)
		issued := start.Add(time.Duration(random.IntN(5)-2) * time.Second)
		session := iampolicy.Context{
			"saml:sub":           {pick(subjects[:2])},
			"saml:namequalifier": {pick(qualifiers)},
			"aws:TokenIssueTime": {issued.Format(time.RFC3339)},
		}
		if random.IntN(2) == 0 && revocation.Subject != "" {
			session["saml:sub"] = []string{revocation.Subject}
		}
		if random.IntN(2) == 0 {
			session["aws:SourceIdentity"] = []string{"bob"}
		}
		set := iampolicy.Set{Identity: []*iampolicy.Policy{allow, policy}}
		decision, err := set.Decide(iampolicy.Request{
			Principal: iampolicy.Principal{
				ARN:  "arn:aws:sts::123456789012:assumed-role/photo-user/x",
				Role: role,
			},
			Action:   "s3:GetObject",
			Resource: "arn:aws:s3:::example-photos/a",
			Context:  session,
		})
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		is := func(key, want string) bool {
			values := session[key]
			return want == "" || len(values) == 1 && values[0] == want
		}
		want := issued.Before(start) && is("saml:sub", revocation.Subject) &&
			is("saml:namequalifier", revocation.NameQualifier) &&
			is("aws:SourceIdentity", revocation.SourceIdentity)
		if got := decision.Effect == iampolicy.DeniedExplicitly; got != want {
			t.Fatalf("%+v for %v: denied %t, want %t\n%s", revocation, session, got, want, text)
		}
		if want {
			denied++
		}
	}
	if denied < 100 {
		t.Errorf("only %d sessions were denied", denied)
	}
}
