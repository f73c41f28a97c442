package delegation_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/iampolicy"
)

const revokedProvider = "arn:aws:iam::123456789012:saml-provider/MySAMLIdP"

// TestNameQualifier: the vector is recomputed from AWS's formula (AWS STS API Reference,
// AssumeRoleWithSAML).
func TestNameQualifier(t *testing.T) {
	got, err := delegation.NameQualifier("https://example.com/saml", revokedProvider)
	if err != nil || got != "1uAJanUnBc2XeUkHURMht+xam2c=" {
		t.Errorf("got %s, %v", got, err)
	}
	for _, row := range []struct{ entityID, principal string }{
		{"", revokedProvider},
		{"urn:example.com", ""},
		{"urn:example.com", "arn:aws:iam::123456789012:role/photo-user"},
	} {
		_, err := delegation.NameQualifier(row.entityID, row.principal)
		if !errors.Is(err, delegation.CodeConfigInvalid) {
			t.Errorf("%v: %v", row, err)
		}
	}
}

func TestSessionRevocation(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 1, time.FixedZone("", 3600))
	for _, row := range []struct {
		name string
		of   delegation.SessionRevocation
		want string
	}{
		{"everybody", delegation.SessionRevocation{IssuedBefore: at}, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Deny",
      "Action": "*",
      "Resource": "*",
      "Condition": {
        "DateLessThan": {
          "aws:TokenIssueTime": "2026-11-23T08:00:01Z"
        }
      }
    }
  ]
}
`},
		{"one subject, whose name looks like a variable", delegation.SessionRevocation{
			IssuedBefore:  at.Truncate(time.Second),
			Subject:       `a"${aws:userid}$`,
			NameQualifier: "1uAJanUnBc2XeUkHURMht+xam2c=",
		}, `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Deny",
      "Action": "*",
      "Resource": "*",
      "Condition": {
        "DateLessThan": {
          "aws:TokenIssueTime": "2026-11-23T08:00:00Z"
        },
        "StringEquals": {
          "saml:namequalifier": "1uAJanUnBc2XeUkHURMht+xam2c=",
          "saml:sub": "a\"${$}{aws:userid}$"
        }
      }
    }
  ]
}
`},
		{"a source identity",
			delegation.SessionRevocation{IssuedBefore: at, SourceIdentity: "alice"},
			`{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Deny",
      "Action": "*",
      "Resource": "*",
      "Condition": {
        "DateLessThan": {
          "aws:TokenIssueTime": "2026-11-23T08:00:01Z"
        },
        "StringEquals": {
          "aws:SourceIdentity": "alice"
        }
      }
    }
  ]
}
`},
	} {
		if got, err := row.of.Policy(); err != nil || got != row.want {
			t.Errorf("%s: %v\n%s", row.name, err, got)
		}
	}
	for name, r := range map[string]delegation.SessionRevocation{
		"nothing":                     {},
		"no time":                     {Subject: "alice", NameQualifier: "q"},
		"a subject of any provider":   {IssuedBefore: at, Subject: "alice"},
		"a name qualifier by itself":  {IssuedBefore: at, NameQualifier: "q"},
		"a source identity, no time":  {SourceIdentity: "alice"},
		"no time, a name qualifier 2": {NameQualifier: "q"},
	} {
		policy, err := r.Policy()
		if !errors.Is(err, delegation.CodeConfigInvalid) || policy != "" {
			t.Errorf("%s: %q, %v", name, policy, err)
		}
	}
}

// TestSessionRevocation_Encoded: the sessions of a user whose NameID is encoded end, whether the
// subject is the token's or the one that CloudTrail shows, and nobody else's.
func TestSessionRevocation_Encoded(t *testing.T) {
	for _, encoding := range []delegation.NameIDEncoding{"", "escaped", "hashed"} {
		for _, subject := range []string{"alice", "repo:octo/app", "日本", "repo_3aocto_2fapp"} {
			if encoding == "" && subject == "日本" {
				continue // no policy of IAM can have it
			}
			nameID := must(encoding.Encode(subject))
			for _, said := range []string{subject, nameID} {
				text, err := delegation.SessionRevocation{
					IssuedBefore:  start,
					Subject:       said,
					Encoding:      encoding,
					NameQualifier: "q",
				}.Policy()
				if err != nil {
					t.Fatal(err)
				}
				for who, denied := range map[string]bool{
					nameID: true, nameID + "x": false, "bob": false, "日本!": false,
				} {
					if got := deniesSubject(t, text, who); got != denied {
						t.Errorf("%s of %q, said as %q: %q is denied: %t", encoding, subject, said,
							who, got)
					}
				}
			}
		}
	}
	_, err := delegation.SessionRevocation{
		IssuedBefore:  start,
		Subject:       "a\xff",
		Encoding:      "hashed",
		NameQualifier: "q",
	}.Policy()
	if !errors.Is(err, delegation.CodeNameIDInvalid) {
		t.Errorf("got %v", err)
	}
}

// deniesSubject tells whether a policy denies a session of a subject that was issued before.
func deniesSubject(t *testing.T, policy, subject string) bool {
	t.Helper()
	d, err := iampolicy.Set{Identity: []*iampolicy.Policy{must(iampolicy.Parse(policy))}}.Decide(
		iampolicy.Request{
			Principal: iampolicy.Principal{
				ARN: "arn:aws:sts::123456789012:assumed-role/photo-user/session",
			},
			Action:   "s3:GetObject",
			Resource: "arn:aws:s3:::photos/x",
			Context: iampolicy.Context{
				"saml:sub":           {subject},
				"saml:namequalifier": {"q"},
				"aws:TokenIssueTime": {start.Add(-time.Hour).Format(time.RFC3339)},
			},
		})
	if err != nil {
		t.Fatal(err)
	}
	return d.Effect == iampolicy.DeniedExplicitly
}
