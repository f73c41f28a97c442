package ststest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seed055b7978/delegation/ststest"
)

const (
	hubARN  = "arn:aws:iam::222222222222:role/team/hub"
	lastARN = "arn:aws:iam::333333333333:role/reader"
	janeARN = "arn:aws:sts::123456789012:assumed-role/photo-user/jane@example.com"
)

// mayAssume is a permission policy for a role.
func mayAssume(resource string) string {
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
		"Resource": "` + resource + `"}}`
}

// trusts is a trust policy for a principal of AWS, with a Condition or "".
func trusts(principal, condition string) string {
	if condition != "" {
		condition = `, "Condition": ` + condition
	}
	return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Principal": {"AWS": "` + principal + `"},
		"Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]` + condition + `}}`
}

// newChain returns a Server in which the role leads over the hub to the last
// role.
func newChain(t testing.TB) *ststest.Server {
	t.Helper()
	s := newServer(t, ststest.Config{})
	mustRole(t, s, ststest.Role{
		ARN:         roleARN,
		TrustPolicy: trustAll,
		Policies:    []string{mayAssume(hubARN)},
	})
	mustRole(t, s, ststest.Role{
		ARN:                hubARN,
		TrustPolicy:        trusts(roleARN, ""),
		Policies:           []string{mayAssume(lastARN)},
		MaxSessionDuration: 12 * time.Hour,
	})
	mustRole(t, s, ststest.Role{ARN: lastARN, TrustPolicy: trusts(hubARN, "")})
	return s
}

// An assumed is the answer to AssumeRole.
type assumed struct {
	ARN     string `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	RoleID  string `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
	Key     string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret  string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	Token   string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	Expires string `xml:"AssumeRoleResult>Credentials>Expiration"`
	Source  string `xml:"AssumeRoleResult>SourceIdentity"`
	Packed  string `xml:"AssumeRoleResult>PackedPolicySize"`
}

func (a assumed) credentials() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     a.Key,
		SecretAccessKey: a.Secret,
		SessionToken:    a.Token,
	}
}

// signIn returns the credentials of a response.
func signIn(t testing.TB, s *ststest.Server, r *response) aws.Credentials {
	t.Helper()
	return signInWith(t, s, r, "")
}

// signInWith is signIn with a session policy, or with "" for none.
func signInWith(t testing.TB, s *ststest.Server, r *response, policy string) aws.Credentials {
	t.Helper()
	params := form(r.encoded())
	if policy != "" {
		params.Set("Policy", policy)
	}
	var got struct {
		Key    string `xml:"AssumeRoleWithSAMLResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleWithSAMLResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleWithSAMLResult>Credentials>SessionToken"`
	}
	a := post(s, params)
	if err := xml.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
		t.Fatalf("%v: %s", err, a.body)
	}
	return aws.Credentials{
		AccessKeyID:     got.Key,
		SecretAccessKey: got.Secret,
		SessionToken:    got.Token,
	}
}

// roleForm returns the parameters of a good call of AssumeRole.
func roleForm(role string) url.Values {
	return url.Values{
		"Action": {"AssumeRole"}, "Version": {"2011-06-15"},
		"RoleArn": {role}, "RoleSessionName": {"jane@example.com"},
	}
}

// assumeRole makes a call that is signed with the credentials.
func assumeRole(
	t testing.TB, s *ststest.Server, with aws.Credentials, params url.Values,
) (answer, assumed) {
	t.Helper()
	body := params.Encode()
	r := requestOf("POST", "/", body, http.Header{})
	sum := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(t.Context(), with, r, hex.EncodeToString(sum[:]), "sts",
		"us-east-1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	a := do(s, r)
	var got assumed
	if a.status == 200 {
		if err := xml.Unmarshal([]byte(a.body), &got); err != nil {
			t.Fatal(err)
		}
	}
	return a, got
}

// tagged is a response with tags, of which Team is transitive, and a source
// identity.
func tagged() *response {
	return good().set("PrincipalTag:Team", "press").set("PrincipalTag:Cost", "7").
		set("TransitiveTagKeys", "Team").set("SourceIdentity", "jane")
}

// TestAssumeRole: a chain of three accounts. Transitive tags and the source
// identity go through, other tags do not, and each session is the role's own.
func TestAssumeRole(t *testing.T) {
	s := newChain(t)
	first := signIn(t, s, tagged())
	a, hub := assumeRole(t, s, first, roleForm(hubARN))
	if a.status != 200 || hub.Source != "jane" || hub.Packed != "2" ||
		hub.ARN != "arn:aws:sts::222222222222:assumed-role/hub/jane@example.com" ||
		!strings.HasSuffix(hub.RoleID, ":jane@example.com") ||
		hub.Expires != "2026-01-02T04:04:05Z" {
		t.Fatalf("%s %+v", a.body, hub)
	}
	params := roleForm(lastARN)
	params.Set("DurationSeconds", "900")
	params.Set("Tags.member.1.Key", "Site")
	params.Set("Tags.member.1.Value", "x")
	params.Set("SourceIdentity", "jane")
	a, last := assumeRole(t, s, hub.credentials(), params)
	if a.status != 200 || last.Expires != "2026-01-02T03:19:05Z" || last.Source != "jane" {
		t.Fatalf("%s %+v", a.body, last)
	}
	calls := s.Calls()
	end := calls[2]
	if end.SourceIdentity != "jane" || end.SessionName != "jane@example.com" ||
		end.SignedBy != hub.Key || end.AccessKeyID != last.Key ||
		!maps.Equal(end.PrincipalTags, map[string]string{"Team": "press", "Site": "x"}) ||
		!slices.Equal(end.TransitiveTagKeys, []string{"Team"}) || end.Duration != 15*time.Minute {
		t.Errorf("got %+v", end)
	}
	if calls[1].SignedBy != first.AccessKeyID {
		t.Errorf("the hub's call was signed by %s", calls[1].SignedBy)
	}
	body := callerBody
	r := requestOf("POST", "/", body, http.Header{})
	sum := sha256.Sum256([]byte(body))
	err := v4.NewSigner().SignHTTP(t.Context(), last.credentials(), r, hex.EncodeToString(sum[:]),
		"sts", "us-east-1", epoch)
	if err != nil {
		t.Fatal(err)
	}
	if a := do(s, r); !strings.Contains(a.body, "333333333333:assumed-role/reader/jane") {
		t.Errorf("the caller is %s", a.body)
	}
}

// TestAssumeRole_SessionContext: the policies of the last role see transitive
// tags and the source identity, and nothing of SAML.
func TestAssumeRole_SessionContext(t *testing.T) {
	s := newChain(t)
	allow := func(key, value string) string {
		return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:GetObject",
			"Resource": "*", "Condition": {"StringEquals": {"` + key + `": "` + value + `"}}}}`
	}
	_, hub := assumeRole(t, s, signIn(t, s, tagged()), roleForm(hubARN))
	for _, row := range []struct {
		key, value string
		there      bool
	}{
		{"aws:SourceIdentity", "jane", true},
		{"aws:PrincipalTag/Team", "press", true},
		{"aws:PrincipalTag/Cost", "7", false},
		{"aws:PrincipalArn", hubARN, true},
		{"aws:PrincipalAccount", "222222222222", true},
		{"aws:TokenIssueTime", "2026-01-02T03:04:05Z", true},
		{"saml:sub", "SamlExample", false},
		{"saml:sub_type", "persistent", false},
	} {
		mustRole(t, s, ststest.Role{
			ARN:         hubARN,
			TrustPolicy: trusts(roleARN, ""),
			Policies:    []string{allow(row.key, row.value)},
		})
		gate := s.Gate(http.NotFoundHandler(), ststest.Gate{Host: "s3.us-east-1.amazonaws.com"})
		r := httptest.NewRequest("GET", "http://s3.us-east-1.amazonaws.com/bucket/key", nil)
		hash := hex.EncodeToString(sha256.New().Sum(nil))
		r.Header.Set("X-Amz-Content-Sha256", hash)
		err := v4.NewSigner().SignHTTP(t.Context(), hub.credentials(), r, hash, "s3",
			"us-east-1", epoch, func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		gate.ServeHTTP(w, r)
		if passed := w.Code == http.StatusNotFound; passed != row.there {
			t.Errorf("%s is there: %t (%d %s)", row.key, passed, w.Code, w.Body)
		}
	}
}

// TestAssumeRole_Refused: what AWS refuses, in its words where they are known.
func TestAssumeRole_Refused(t *testing.T) {
	notAuthorized := func(action, role string) string {
		return "User: " + janeARN + " is not authorized to perform: " + action +
			" on resource: " + role
	}
	set := func(pairs ...string) func(url.Values) {
		return func(v url.Values) {
			for pair := range slices.Chunk(pairs, 2) {
				v.Set(pair[0], pair[1])
			}
		}
	}
	const (
		validationError = "ValidationError"
		badParameter    = "InvalidParameterValue"
		failed          = "failed to satisfy constraint: Member must "
	)
	for name, row := range map[string]struct {
		change        func(url.Values)
		status        int
		code, message string
		cause         string // a part of it
	}{
		"no role": {func(v url.Values) { v.Del("RoleArn") }, 400, validationError,
			"1 validation error detected: Value null at 'roleArn' " + failed + "not be null", ""},
		"no name": {func(v url.Values) { v.Del("RoleSessionName") }, 400, validationError,
			"1 validation error detected: Value null at 'roleSessionName' " + failed +
				"not be null", ""},
		"short name": {set("RoleSessionName", "j"), 400, validationError,
			"1 validation error detected: Value 'j' at 'roleSessionName' " + failed +
				"have length greater than or equal to 2", ""},
		"long name": {set("RoleSessionName", strings.Repeat("j", 65)), 400, validationError,
			"1 validation error detected: Value '" + strings.Repeat("j", 65) +
				"' at 'roleSessionName' " + failed + "have length less than or equal to 64", ""},
		"odd name": {set("RoleSessionName", "a b"), 400, validationError,
			"1 validation error detected: Value 'a b' at 'roleSessionName' " + failed +
				`satisfy regular expression pattern: [\w+=,.@-]*`, ""},
		"short external ID": {set("ExternalId", "x"), 400, validationError,
			"1 validation error detected: Value 'x' at 'externalId' " + failed +
				"have length greater than or equal to 2", ""},
		"odd external ID": {set("ExternalId", "a b"), 400, validationError,
			"1 validation error detected: Value 'a b' at 'externalId' " + failed +
				`satisfy regular expression pattern: [\w+=,.@:\/-]*`, ""},
		"long external ID": {set("ExternalId", strings.Repeat("x", 1225)), 400, validationError,
			"1 validation error detected: Value '" + strings.Repeat("x", 1225) +
				"' at 'externalId' " + failed + "have length less than or equal to 1224", ""},
		"odd source identity": {set("SourceIdentity", "a:b"), 400, validationError,
			"1 validation error detected: Value 'a:b' at 'sourceIdentity' " + failed +
				`satisfy regular expression pattern: [\w+=,.@-]*`, ""},
		"short duration": {set("DurationSeconds", "899"), 400, validationError,
			"1 validation error detected: Value '899' at 'durationSeconds' " + failed +
				"have value greater than or equal to 900", ""},
		"no number": {set("DurationSeconds", "x"), 400, "MalformedInput", "", ""},
		"beyond the schema": {set("DurationSeconds", "43201"), 400, validationError,
			"1 validation error detected: Value '43201' at 'durationSeconds' " + failed +
				"have value less than or equal to 43200", ""},
		"beyond the hour": {set("DurationSeconds", "3601"), 400, validationError,
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by " +
				"role chaining.", ""},
		"beyond the role": {set("RoleArn", lastARN, "DurationSeconds", "3601"), 400,
			validationError,
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", ""},
		"another source identity": {set("SourceIdentity", "mallory"), 400, validationError,
			"The source identity is already set for this assume role session", ""},
		"an inherited tag": {set("Tags.member.1.Key", "team", "Tags.member.1.Value", "x"), 400,
			badParameter, "One of the specified transitive tag keys can't be set because it " +
				"conflicts with a transitive tag key from the calling session.", ""},
		"a tag twice": {set("Tags.member.1.Key", "a", "Tags.member.1.Value", "x",
			"Tags.member.2.Key", "A", "Tags.member.2.Value", "x"), 400, badParameter,
			"Duplicate tag keys found. Please note that Tag keys are case insensitive.", ""},
		"a tag of AWS": {set("Tags.member.1.Key", "aws:x", "Tags.member.1.Value", "x"), 400,
			badParameter, `Tag keys must not begin with "aws:"`, ""},
		"a transitive key without a tag": {set("TransitiveTagKeys.member.1", "Site"), 400,
			badParameter,
			"The specified transitive tag key must be included in the requested tags.", ""},
		"a tag without a key": {set("Tags.member.1.Value", "x"), 400, validationError,
			"1 validation error detected: Value null at 'tags.1.member.key' " + failed +
				"not be null", ""},
		"a tag without a value": {set("Tags.member.1.Key", "x"), 400, validationError,
			"1 validation error detected: Value null at 'tags.1.member.value' " + failed +
				"not be null", ""},
		"an odd tag": {set("Tags.member.1.Key", "a", "Tags.member.1.Value", "<"), 400,
			validationError, "1 validation error detected: Value '<' at 'tags.1.member.value' " +
				failed + `satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*`, ""},
		"51 tags": {func(v url.Values) {
			for i := range 51 {
				v.Set(fmt.Sprintf("Tags.member.%d.Key", i+1), fmt.Sprint("k", i))
				v.Set(fmt.Sprintf("Tags.member.%d.Value", i+1), "")
			}
		}, 400, validationError, "1 validation error detected: Value at 'tags' " + failed +
			"have length less than or equal to 50", ""},
		"MFA": {set("TokenCode", "123456"), 400, validationError,
			"ststest does not know the parameter TokenCode", ""},
		"no ARN": {set("RoleArn", "arn:aws:iam::222222222222:user/hub"), 400, validationError,
			"Request ARN is invalid", ""},
		"another partition": {set("RoleArn", "arn:aws-cn:iam::222222222222:role/hub"), 400,
			validationError, "Request ARN is invalid", ""},
		"no such role": {set("RoleArn", hubARN+"x"), 403, "AccessDenied",
			notAuthorized("sts:AssumeRole", hubARN+"x"), "there is no role"},
		"a role that it may not assume": {set("RoleArn", lastARN), 403, "AccessDenied",
			notAuthorized("sts:AssumeRole", lastARN), "no resource policy allows it"},
		"a policy that is none": {set("Policy", "x"), 400, "MalformedPolicyDocument",
			"The policy is not in the valid JSON format.", ""},
		"a policy of another account": {
			set("PolicyArns.member.1.arn", "arn:aws:iam::123456789012:policy/x"), 400,
			validationError,
			"Policy ARN is invalid: want a policy of AWS or of the role's account", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newChain(t)
			params := roleForm(hubARN)
			row.change(params)
			a, _ := assumeRole(t, s, signIn(t, s, tagged()), params)
			if a.status != row.status || a.Code != row.code || a.Message != row.message {
				t.Errorf("got  %d %s %q\nwant %d %s %q", a.status, a.Code, a.Message, row.status,
					row.code, row.message)
			}
			last := s.Calls()[1]
			if !strings.Contains(last.Cause, row.cause) || row.cause == "" && last.Cause != "" {
				t.Errorf("the cause is %q", last.Cause)
			}
			if last.Code != row.code || last.PrincipalTags != nil {
				t.Errorf("call %+v", last)
			}
		})
	}
}

// TestAssumeRole_PackedSize: inherited tags take space too.
func TestAssumeRole_PackedSize(t *testing.T) {
	s := newChain(t)
	r := good().set("PrincipalTag:Note", strings.Repeat("x", 250)).set("TransitiveTagKeys", "Note")
	first := signIn(t, s, r)
	if a, hub := assumeRole(t, s, first, roleForm(hubARN)); hub.Packed != "56" {
		t.Fatalf("%s", a.body)
	}
	params := roleForm(hubARN)
	params.Set("Tags.member.1.Key", "more")
	params.Set("Tags.member.1.Value", strings.Repeat("y", 256))
	a, _ := assumeRole(t, s, first, params)
	const want = "Packed size of session tags consumes 113% of allotted space."
	if a.status != 400 || a.Code != "PackedPolicyTooLarge" || a.Message != want {
		t.Errorf("%d %s %q", a.status, a.Code, a.Message)
	}
}

// TestAssumeRole_Policies: both policies must allow each action that the request
// takes, across accounts.
func TestAssumeRole_Policies(t *testing.T) {
	const all = `"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"`
	without := func(action string) string {
		var left []string
		for _, one := range strings.Split(all, ", ") {
			if one != `"`+action+`"` {
				left = append(left, one)
			}
		}
		return strings.Join(left, ", ")
	}
	trust := func(actions, condition string) string {
		return strings.Replace(trusts(roleARN, condition), all, actions, 1)
	}
	permission := func(actions string) string {
		return strings.Replace(mayAssume(hubARN), all, actions, 1)
	}
	if trust("x", "") == trusts(roleARN, "") || permission("x") == mayAssume(hubARN) {
		t.Fatal("nothing is replaced, so this test is about nothing")
	}
	for name, row := range map[string]struct {
		trust, permission string
		plain             bool // without tags and source identity
		denied            string
	}{
		"all":                   {trust(all, ""), permission(all), false, ""},
		"no permission":         {trust(all, ""), "", false, "sts:AssumeRole"},
		"permission for others": {trust(all, ""), mayAssume(lastARN), false, "sts:AssumeRole"},
		"no tags in trust": {trust(without("sts:TagSession"), ""), permission(all), false,
			"sts:TagSession"},
		"no tags in permission": {trust(all, ""), permission(without("sts:TagSession")), false,
			"sts:TagSession"},
		"no identity in trust": {trust(without("sts:SetSourceIdentity"), ""), permission(all),
			false, "sts:SetSourceIdentity"},
		"no identity in permission": {trust(all, ""),
			permission(without("sts:SetSourceIdentity")), false, "sts:SetSourceIdentity"},
		"plain": {trust(`"sts:AssumeRole"`, ""), permission(`"sts:AssumeRole"`), true, ""},
		"external ID": {trust(all, `{"StringEquals": {"sts:ExternalId": "photos"}}`),
			permission(all), false, ""},
		"another external ID": {trust(all, `{"StringEquals": {"sts:ExternalId": "music"}}`),
			permission(all), false, "sts:AssumeRole"},
		"source identity": {trust(all, `{"StringLike": {"sts:SourceIdentity": "*"}}`),
			permission(all), false, ""},
		"no source identity": {trust(all, `{"StringLike": {"sts:SourceIdentity": "*"}}`),
			permission(all), true, "sts:AssumeRole"},
		"inherited tags": {trust(all, `{"StringEquals": {"aws:PrincipalTag/Team": "press"},
			"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Team"]},
			"Null": {"aws:RequestTag/Team": "true"}}`), permission(all), false, ""},
		"other transitive tags": {trust(all,
			`{"ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["Cost"]}}`),
			permission(all), false, "sts:AssumeRole"},
		"saml:sub of the first session": {
			trust(all, `{"StringEquals": {"saml:sub": "SamlExample"}}`),
			permission(all), false, ""},
		"session name": {trust(all, `{"StringEquals": {"sts:RoleSessionName": "x"}}`),
			permission(all), false, "sts:AssumeRole"},
		"the account": {strings.Replace(trust(all, ""), roleARN, "123456789012", 1),
			permission(all), false, ""},
		"everyone": {strings.Replace(trust(all, ""), roleARN, "*", 1), permission(all), false, ""},
		"another role": {strings.Replace(trust(all, ""), roleARN, lastARN, 1), permission(all),
			false, "sts:AssumeRole"},
		"a key that is never there": {
			trust(all, `{"Null": {"aws:MultiFactorAuthPresent": "true"}}`), permission(all), false,
			"sts:AssumeRole"},
		"an operator that is none": {trust(all, `{"StringLooksLike": {"saml:sub": "x"}}`),
			permission(all), false, "sts:AssumeRole"},
		"a deny": {`{"Version": "2012-10-17", "Statement": [
			{"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"},
			{"Effect": "Allow", "Principal": {"AWS": "` + roleARN + `"}, "Action": "sts:*"}]}`,
			permission(all), false, "sts:TagSession"},
		"only SAML": {trustAll, permission(all), false, "sts:AssumeRole"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newChain(t)
			var policies []string
			if row.permission != "" {
				policies = []string{row.permission}
			}
			mustRole(t, s, ststest.Role{ARN: roleARN, TrustPolicy: trustAll, Policies: policies})
			mustRole(t, s, ststest.Role{ARN: hubARN, TrustPolicy: row.trust})
			r := tagged()
			if row.plain {
				r = good()
			}
			params := roleForm(hubARN)
			params.Set("ExternalId", "photos")
			a, _ := assumeRole(t, s, signIn(t, s, r), params)
			last := s.Calls()[1]
			if row.denied == "" {
				if a.status != 200 {
					t.Errorf("%s: %s", a.body, last.Cause)
				}
				return
			}
			want := "User: " + janeARN + " is not authorized to perform: " + row.denied +
				" on resource: " + hubARN
			if a.status != 403 || a.Message != want || last.Cause == "" {
				t.Errorf("%d %q, cause %q", a.status, a.Message, last.Cause)
			}
		})
	}
}

// TestAssumeRole_SameAccount: in one account the trust policy is enough (measured
// by others for a role that it names), but a source identity needs
// sts:SetSourceIdentity in each of the caller's own policies too (IAM User Guide,
// Monitor and control actions taken with assumed roles).
func TestAssumeRole_SameAccount(t *testing.T) {
	const neighbour = "arn:aws:iam::123456789012:role/neighbour"
	const setIdentity = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": "sts:SetSourceIdentity", "Resource": "` + neighbour + `"}}`
	const onlyAssume = `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
		"Action": ["sts:AssumeRole", "sts:TagSession"], "Resource": "*"}}`
	trusted := func(actions string) string {
		return `{"Version": "2012-10-17", "Statement": {"Effect": "Allow",
			"Principal": {"AWS": "` + roleARN + `"}, "Action": [` + actions + `]}}`
	}
	all := trusts(roleARN, "")
	// A session that a resource policy names needs no other Allow for most actions.
	direct := trusts(janeARN, "")
	for name, row := range map[string]struct {
		role    ststest.Role // its Policies and its Boundary
		session string       // the session policy, or empty
		trust   string
		plain   bool // without tags and source identity
		cause   string
	}{
		"neither":           {trust: all, plain: true},
		"a source identity": {trust: all, cause: "no identity policy allows it"},
		"allowed":           {role: ststest.Role{Policies: []string{setIdentity}}, trust: all},
		"allowed for another role": {
			role:  ststest.Role{Policies: []string{mayAssume(hubARN)}},
			trust: all,
			cause: "no identity policy allows it",
		},
		"allowed by a session policy": {
			role:    ststest.Role{Policies: []string{setIdentity}},
			session: mayAssume(neighbour),
			trust:   all,
		},
		"not allowed by the session policy": {
			role:    ststest.Role{Policies: []string{setIdentity}},
			session: onlyAssume,
			trust:   direct,
			cause:   "no session policy allows it",
		},
		"not allowed by the boundary": {
			role:  ststest.Role{Policies: []string{setIdentity}, Boundary: onlyAssume},
			trust: direct,
			cause: "no boundary policy allows it",
		},
		"not allowed by the trust policy": {
			role:  ststest.Role{Policies: []string{onlyAssume}},
			trust: trusted(`"sts:AssumeRole", "sts:TagSession"`),
			cause: "no resource policy allows it",
		},
		"allowed by the role's policies alone": {
			role:  ststest.Role{Policies: []string{mayAssume(neighbour)}},
			trust: trusted(`"sts:AssumeRole", "sts:TagSession"`),
			cause: "no resource policy allows it",
		},
		"a session that the trust policy names": {
			trust: direct,
			cause: "no identity policy allows it",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newChain(t)
			row.role.ARN = roleARN
			row.role.TrustPolicy = trustAll
			mustRole(t, s, row.role)
			mustRole(t, s, ststest.Role{ARN: neighbour, TrustPolicy: row.trust})
			r := tagged()
			if row.plain {
				r = good()
			}
			a, _ := assumeRole(t, s, signInWith(t, s, r, row.session), roleForm(neighbour))
			last := s.Calls()[1]
			if row.cause == "" {
				if a.status != 200 {
					t.Errorf("%s: %s", a.body, last.Cause)
				}
				return
			}
			want := "User: " + janeARN + " is not authorized to perform: sts:SetSourceIdentity" +
				" on resource: " + neighbour
			if a.status != 403 || a.Message != want || !strings.Contains(last.Cause, row.cause) {
				t.Errorf("%d %q, cause %q", a.status, a.Message, last.Cause)
			}
		})
	}
}

// TestAssumeRole_NotTrusted: in the caller's own account too, a role is assumed
// only by whom its trust policy allows each action, whatever the caller's own
// policies allow.
func TestAssumeRole_NotTrusted(t *testing.T) {
	const neighbour = "arn:aws:iam::123456789012:role/neighbour"
	const onlyRole = `{"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"},
		{"Effect": "Allow", "Principal": {"AWS": "` + lastARN + `"}, "Action": "sts:*"}]}`
	for name, row := range map[string]struct {
		trust  string
		denied string // the action; empty: none is
	}{
		"SAML":         {trustAll, "sts:AssumeRole"},
		"another role": {trusts("arn:aws:iam::123456789012:role/other", ""), "sts:AssumeRole"},
		"an external ID that is not sent": {
			trusts(roleARN, `{"StringEquals": {"sts:ExternalId": "photos"}}`), "sts:AssumeRole",
		},
		"a service": {
			strings.Replace(trusts("ec2.amazonaws.com", ""), `"AWS"`, `"Service"`, 1),
			"sts:AssumeRole",
		},
		"another account": {trusts("333333333333", ""), "sts:AssumeRole"},
		"no tags":         {onlyRole, "sts:TagSession"},
		"no source identity": {
			strings.Replace(trusts(roleARN, ""), `, "sts:SetSourceIdentity"`, "", 1),
			"sts:SetSourceIdentity",
		},
		"the account": {trusts("123456789012", ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newChain(t)
			mustRole(t, s, ststest.Role{
				ARN:         roleARN,
				TrustPolicy: trustAll,
				Policies:    []string{mayAssume("*")},
			})
			mustRole(t, s, ststest.Role{ARN: neighbour, TrustPolicy: row.trust})
			a, _ := assumeRole(t, s, signIn(t, s, tagged()), roleForm(neighbour))
			last := s.Calls()[1]
			if row.denied == "" {
				if a.status != 200 {
					t.Errorf("%s: %s", a.body, last.Cause)
				}
				return
			}
			want := "User: " + janeARN + " is not authorized to perform: " + row.denied +
				" on resource: " + neighbour
			if a.status != 403 || a.Message != want ||
				!strings.Contains(last.Cause, "no resource policy allows it") {
				t.Errorf("%d %q, cause %q", a.status, a.Message, last.Cause)
			}
		})
	}
}

// TestAssumeRole_TrustVersion: only the version 2012-10-17 has policy variables. A
// trust policy without it compares with their text.
func TestAssumeRole_TrustVersion(t *testing.T) {
	trust := trusts(roleARN, `{"StringEquals": {"aws:PrincipalTag/Team":
		"${aws:PrincipalTag/Team}"}}`)
	for version, want := range map[string]int{
		`"Version": "2012-10-17", `: 200,
		`"Version": "2008-10-17", `: 403,
		"":                          403,
	} {
		s := newChain(t)
		mustRole(t, s, ststest.Role{
			ARN:         hubARN,
			TrustPolicy: strings.Replace(trust, `"Version": "2012-10-17", `, version, 1),
		})
		a, _ := assumeRole(t, s, signIn(t, s, tagged()), roleForm(hubARN))
		if a.status != want {
			t.Errorf("%q: %s: %s", version, a.body, s.Calls()[1].Cause)
		}
	}
}

// TestAssumeRole_SessionPolicy: a session policy of the caller must allow it too.
func TestAssumeRole_SessionPolicy(t *testing.T) {
	s := newChain(t)
	for policy, want := range map[string]int{mayAssume(hubARN): 200, mayAssume(lastARN): 403} {
		a, _ := assumeRole(t, s, signInWith(t, s, good(), policy), roleForm(hubARN))
		if a.status != want {
			t.Errorf("%s: %s", policy, a.body)
		}
	}
}

// TestAssumeRole_Signature: the caller is who signs, with credentials that the
// Server issued.
func TestAssumeRole_Signature(t *testing.T) {
	s := newChain(t)
	if a := post(s, roleForm(hubARN)); a.Code != "MissingAuthenticationToken" {
		t.Errorf("anonymous: %d %s", a.status, a.Code)
	}
	with := signIn(t, s, good())
	wrong := with
	wrong.SecretAccessKey += "x"
	a, _ := assumeRole(t, s, wrong, roleForm(hubARN))
	if a.Code != "SignatureDoesNotMatch" {
		t.Errorf("another secret: %d %s", a.status, a.Code)
	}
	wrong = with
	wrong.SessionToken += "x"
	if a, _ = assumeRole(t, s, wrong, roleForm(hubARN)); a.Code != "InvalidClientTokenId" {
		t.Errorf("another token: %d %s", a.status, a.Code)
	}
}

// TestAssumeRole_Console: the console takes no SessionDuration of a chained
// session.
func TestAssumeRole_Console(t *testing.T) {
	s := newChain(t)
	_, hub := assumeRole(t, s, signIn(t, s, tagged()), roleForm(hubARN))
	for duration, want := range map[string]int{"": 200, "&SessionDuration=900": 400} {
		session := fmt.Sprintf(`{"sessionId":%q,"sessionKey":%q,"sessionToken":%q}`,
			hub.Key, hub.Secret, hub.Token)
		r := httptest.NewRequest("GET", "https://signin.aws.amazon.com/federation?"+
			"Action=getSigninToken&Session="+url.QueryEscape(session)+duration, nil)
		w := httptest.NewRecorder()
		s.Federation().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d %s", duration, w.Code, w.Body)
		}
	}
}
