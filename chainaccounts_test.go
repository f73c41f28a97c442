package delegation_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/internal/session"
	"github.com/seed055b7978/delegation/ststest"
)

// folders lets each user into the folder of their source identity.
const folders = `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
	"Action": ["s3:GetObject", "s3:PutObject"],
	"Resource": "arn:aws:s3:::photos/${aws:SourceIdentity}/*",
	"Condition": {"StringEquals": {"aws:PrincipalTag/team": "press"}}}]}`

// threeAccounts is a world of the strict STS whose target leads over a hub to the last role, with
// the policies that Explain writes for the accounts.
func threeAccounts(t testing.TB) (*world, *ststest.Server) {
	t.Helper()
	w, fake := strictWorld(t)
	w.config.Rules = []delegation.RuleFunc{
		delegation.TagsFromClaims(map[string]string{"team": "team"}),
		delegation.SourceIdentityFromClaim("email"),
	}
	w.target(func(t *delegation.Target) {
		t.Chain = []delegation.ChainedRole{
			{RoleARN: hubRole},
			{RoleARN: lastRole, ExternalID: "photos-2026"},
		}
	})
	e, err := w.delegator(t).Explain(t.Context(), w.token(aliceClaims), app)
	if err != nil {
		t.Fatal(err)
	}
	trust := append([]string{must(e.TrustPolicy())}, must(e.ChainTrustPolicies())...)
	permissions := append(must(e.ChainPermissionPolicies()), folders)
	for i, arn := range []string{role, hubRole, lastRole} {
		putRole(t, fake, ststest.Role{
			ARN:         arn,
			TrustPolicy: trust[i],
			Policies:    permissions[i : i+1],
		})
	}
	return w, fake
}

func putRole(t testing.TB, fake *ststest.Server, r ststest.Role) {
	t.Helper()
	if err := fake.PutRole(r); err != nil {
		t.Fatal(err)
	}
}

// getObject asks a gate of S3 for an object with the credentials.
func getObject(
	t *testing.T, w *world, fake *ststest.Server, with *delegation.Credentials, key string,
) int {
	t.Helper()
	gate := fake.Gate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
		ststest.Gate{Host: "s3.eu-central-1.amazonaws.com"})
	path := strings.ReplaceAll(key, "@", "%40") // as the SDK writes it
	r := httptest.NewRequest("GET", "http://s3.eu-central-1.amazonaws.com/photos/"+path, nil)
	hash := hex.EncodeToString(sha256.New().Sum(nil))
	r.Header.Set("X-Amz-Content-Sha256", hash)
	err := v4.NewSigner().SignHTTP(t.Context(), with.AWS(), r, hash, "s3", "eu-central-1",
		w.clock.Now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	gate.ServeHTTP(answer, r)
	return answer.Code
}

// TestChain_ThreeAccounts: through the SDK and an STS that checks signatures and all policies, a
// user's tags and source identity are seen in the third account, and policies there tell users
// apart by them.
func TestChain_ThreeAccounts(t *testing.T) {
	w, fake := threeAccounts(t)
	credentials, err := w.exchange(t, aliceClaims)
	if err != nil {
		t.Fatal(err)
	}
	calls := fake.Calls()
	if len(calls) != 3 {
		t.Fatalf("%d calls: %+v", len(calls), calls)
	}
	first, hub, last := calls[0], calls[1], calls[2]
	tags := map[string]string{"team": "press"}
	for i, call := range calls {
		if call.SessionName != first.SessionName || call.SourceIdentity != "alice@example.com" ||
			!maps.Equal(call.PrincipalTags, tags) ||
			!slices.Equal(call.TransitiveTagKeys, []string{"team"}) {
			t.Errorf("call %d: %+v", i+1, call)
		}
	}
	if hub.SignedBy != first.AccessKeyID || last.SignedBy != hub.AccessKeyID ||
		last.ExternalID != "photos-2026" || hub.Duration != 15*time.Minute ||
		last.Duration != time.Hour || first.Duration != 15*time.Minute {
		t.Errorf("got %+v, %+v", hub, last)
	}
	if credentials.AccessKeyID != last.AccessKeyID || credentials.RequestID != last.RequestID ||
		!credentials.Expiration.Equal(start.Add(time.Hour)) ||
		credentials.AssumedRoleARN !=
			"arn:aws:sts::333333333333:assumed-role/reader/"+first.SessionName {
		t.Errorf("got %+v", credentials)
	}
	event := w.events[0]
	if !slices.Equal(event.HopRequestIDs,
		[]string{first.RequestID, hub.RequestID, last.RequestID}) {
		t.Errorf("event %+v", event)
	}
	if got := getObject(t, w, fake, credentials, "alice@example.com/a.jpg"); got != 200 {
		t.Errorf("her own folder: %d %+v", got, fake.Calls()[3])
	}
	if got := getObject(t, w, fake, credentials, "bob@example.com/a.jpg"); got != 403 {
		t.Errorf("another's folder: %d", got)
	}
	sales := maps.Clone(aliceClaims)
	sales["team"] = "sales"
	credentials, err = w.exchange(t, sales)
	if err != nil {
		t.Fatal(err)
	}
	if got := getObject(t, w, fake, credentials, "alice@example.com/a.jpg"); got != 403 {
		t.Errorf("with another tag: %d", got)
	}
}

// TestChain_Revoked: the policy that ends a user's sessions, at the last role, denies the sessions
// that were issued before, those of this user alone, and allows those that are issued after.
func TestChain_Revoked(t *testing.T) {
	w, fake := threeAccounts(t)
	exchange := func(email string) *delegation.Credentials {
		t.Helper()
		credentials, err := w.exchange(t, map[string]any{"email": email, "team": "press"})
		if err != nil {
			t.Fatal(err)
		}
		return credentials
	}
	alices := exchange("alice@example.com")
	bobs := exchange("bob@example.com")
	w.clock.Advance(time.Minute)
	revocation := delegation.SessionRevocation{
		SourceIdentity: "alice@example.com",
		IssuedBefore:   w.clock.Now(),
	}
	e := must(w.delegator(t).Explain(t.Context(), w.token(aliceClaims), app))
	putRole(t, fake, ststest.Role{
		ARN:         lastRole,
		TrustPolicy: must(e.ChainTrustPolicies())[1],
		Policies:    []string{folders, must(revocation.Policy())},
	})
	w.clock.Advance(time.Minute)
	after := exchange("alice@example.com")
	for name, row := range map[string]struct {
		with *delegation.Credentials
		key  string
		want int
	}{
		"before":  {alices, "alice@example.com/a.jpg", 403},
		"another": {bobs, "bob@example.com/a.jpg", 200},
		"after":   {after, "alice@example.com/a.jpg", 200},
	} {
		if got := getObject(t, w, fake, row.with, row.key); got != row.want {
			t.Errorf("%s: %d, want %d", name, got, row.want)
		}
	}
}

// TestChain_PolicyIsMissing: without one action in either policy, the error names hop, role and
// action. Once both policies are as the remedy says, there are credentials.
func TestChain_PolicyIsMissing(t *testing.T) {
	roles := []string{role, hubRole, lastRole}
	for _, action := range []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"} {
		for hop := 2; hop <= 3; hop++ {
			for _, kind := range []string{"trust", "permission"} {
				t.Run(fmt.Sprintf("%s %d %s", action, hop, kind), func(t *testing.T) {
					w, fake := threeAccounts(t)
					e := must(w.delegator(t).Explain(t.Context(), w.token(aliceClaims), app))
					trust := append([]string{must(e.TrustPolicy())},
						must(e.ChainTrustPolicies())...)
					permissions := append(must(e.ChainPermissionPolicies()), folders)
					put := func(i int, without string) {
						change := strings.NewReplacer(`"`+action+`"`, `"sts:GetCallerIdentity"`)
						r := ststest.Role{
							ARN:         roles[i],
							TrustPolicy: trust[i],
							Policies:    []string{permissions[i]},
						}
						switch without {
						case "trust":
							r.TrustPolicy = change.Replace(r.TrustPolicy)
						case "permission":
							r.Policies[0] = change.Replace(r.Policies[0])
						}
						putRole(t, fake, r)
					}
					changed := hop - 1
					if kind == "permission" {
						changed = hop - 2
					}
					put(changed, kind)
					_, err := w.exchange(t, aliceClaims)
					refusal := wantError(t, err, delegation.StageSTS,
						delegation.CodeSTSChainDenied)
					if refusal.Hop != hop || refusal.HopRole != roles[hop-1] {
						t.Errorf("hop %d, role %s", refusal.Hop, refusal.HopRole)
					}
					for _, words := range []string{
						"allow " + action + " in two places",
						"permission policy of the role " + roles[hop-2],
						"for the resource " + roles[hop-1],
						"for the principal " + roles[hop-2],
					} {
						if !strings.Contains(refusal.Remedy, words) {
							t.Errorf("%q is not in %q", words, refusal.Remedy)
						}
					}
					put(changed, "")
					if _, err := w.exchange(t, aliceClaims); err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
}

// TestChain_ClientOfNew: the anonymous client that New makes signs the calls of a chain, and no
// credentials of the environment.
func TestChain_ClientOfNew(t *testing.T) {
	w, fake := threeAccounts(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "canary")
	server := httptest.NewServer(fake)
	defer server.Close()
	client, err := session.NewClient(session.ClientOptions{Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	w.config.STS = client
	if _, err := w.exchange(t, aliceClaims); err != nil {
		t.Fatal(err)
	}
	calls := fake.Calls()
	if calls[1].SignedBy != calls[0].AccessKeyID || calls[2].SignedBy != calls[1].AccessKeyID {
		t.Errorf("got %+v", calls)
	}
}

// TestChain_RegionsOfTheSDK: the calls of a chain go to regional endpoints, are retried, and go on
// in the next region where one stops answering; a region that fails again and again is passed over.
func TestChain_RegionsOfTheSDK(t *testing.T) {
	w, fake, way := regionalWorld(t)
	hops := []delegation.ChainedRole{{RoleARN: hubRole}, {RoleARN: lastRole}}
	w.target(func(t *delegation.Target) {
		t.Chain = hops
		t.SourceIdentity = "alice"
	})
	mayAssume := func(next string) string {
		return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*",
			"Resource": "` + next + `"}]}`
	}
	trusts := func(before string) string {
		return `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:*",
			"Principal": {"AWS": "` + before + `"}}]}`
	}
	putRole(t, fake, ststest.Role{
		ARN:         role,
		TrustPolicy: allowAll,
		Policies:    []string{mayAssume(hubRole)},
	})
	putRole(t, fake, ststest.Role{
		ARN:         hubRole,
		TrustPolicy: trusts(role),
		Policies:    []string{mayAssume(lastRole)},
	})
	putRole(t, fake, ststest.Role{ARN: lastRole, TrustPolicy: trusts(hubRole)})
	d := w.delegator(t)
	exchange := func() *delegation.Credentials {
		t.Helper()
		credentials, err := d.Exchange(t.Context(), w.token(nil), app)
		if err != nil {
			t.Fatal(err)
		}
		return credentials
	}
	if got := exchange().Region; got != frankfurt || way.attempts(frankfurt) != 3 {
		t.Errorf("it was %s", got)
	}
	// The hub's call fails in Frankfurt, so it and the last are made in Dublin.
	fake.Script(ststest.Fault{}, ststest.Status(503).In(frankfurt))
	if got := exchange().Region; got != dublin || way.attempts(frankfurt) != 2 ||
		way.attempts(dublin) != 2 {
		t.Errorf("it was %s", got)
	}
	way.set(true, frankfurt)
	for range 3 {
		exchange()
	}
	way.attempts(frankfurt)
	way.attempts(dublin)
	if got := exchange().Region; got != dublin || way.attempts(frankfurt) != 0 ||
		way.attempts(dublin) != 3 {
		t.Errorf("it was %s", got)
	}
	if got := w.lastEvent().FailedRegions; !slices.Equal(got, []string{"eu-central-1:skipped"}) {
		t.Errorf("failed regions %q", got)
	}
}

// TestChain_Secrets: no secret of any role of a chain is in an error, an event or a log.
func TestChain_Secrets(t *testing.T) {
	w, fake := threeAccounts(t)
	for _, fault := range []ststest.Fault{
		ststest.Refuse(403, "AccessDenied", "no"), ststest.Repeat(3, ststest.Status(500)),
		ststest.Missing(),
		ststest.Expired(), ststest.Missing("SessionToken"), ststest.Missing("SourceIdentity"),
		ststest.Missing("Arn"), ststest.Repeat(3, ststest.Cut()),
	} {
		fake.Script(ststest.Fault{}, ststest.Fault{}, fault)
		credentials, err := w.exchange(t, aliceClaims)
		if err == nil || credentials != nil {
			t.Fatalf("%+v: got %v", fault, credentials)
		}
		e := wantError(t, err, delegation.StageSTS, err.(*delegation.Error).Code)
		if e.Hop != 3 {
			t.Errorf("%v", e)
		}
		calls := fake.Calls()
		fake.Script()
		for _, call := range calls[len(calls)-2:] {
			if call.AccessKeyID != "" && strings.Contains(fmt.Sprintf("%+v %v", w.events, err),
				call.AccessKeyID) {
				t.Errorf("%v names %s", err, call.AccessKeyID)
			}
		}
	}
}
