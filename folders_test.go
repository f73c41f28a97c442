package delegation_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/iampolicy"
	"github.com/seed055b7978/delegation/internal/sampling"
)

const folderBucket = "example-photos"

// confinement is what a target says of its NameIDs.
type confinement struct {
	name     string
	folder   bool
	encoding delegation.NameIDEncoding
}

// confinements are those of which none may let a subject reach another's folder.
var confinements = []confinement{
	{"as they are", true, ""},
	{"hashed", true, delegation.NameIDHashed},
	{"escaped", true, delegation.NameIDEscaped},
	{"hashed alone", false, delegation.NameIDHashed},
	{"escaped alone", false, delegation.NameIDEscaped},
}

// hostile are parts of subjects: what separates folders, what a policy reads as more than a text,
// what encodings write, and what looks alike.
var hostile = []string{
	"alice", "bob", "a", "b", "A", "Alice", "/", "/", "//", ".", "..", "./", "../", "*", "?", "/*",
	"${saml:sub}", "${*}", "${", "}", "$", "_", "_2f", "_2F", "_x", "%2F", "%2f", "\\", " ", "-",
	"~", "é", "e\u0301", "K", "\u212a", "日本", "\u00a0", "\t", "spiffe://td/ns", "repo:octo/app",
	":ref:refs/heads/main", "system:serviceaccount:", "auth0|", "@example.com", "0", "x",
}

// subjectsWith returns n subjects of hostile parts, and of each those that are near it: what lies
// in its folder, what a wildcard would match, and what looks like its encoding.
func subjectsWith(t testing.TB, seed uint64, n int) []string {
	random := rand.New(rand.NewPCG(seed, 1))
	subjects := []string{"spiffe://td/ns/a", "spiffe://td/ns/a/b", "alice", "alice/x", "alicex"}
	for range n {
		var b strings.Builder
		for range 1 + random.IntN(4) {
			b.WriteString(hostile[random.IntN(len(hostile))])
		}
		subjects = append(subjects, b.String())
	}
	for _, subject := range slices.Clone(subjects) {
		subjects = append(subjects,
			subject+"/", subject+"/x", subject+"x", "*"+subject, subject+"*",
			must(delegation.NameIDEscaped.Encode(subject)),
			must(delegation.NameIDHashed.Encode(subject)),
			strings.ToUpper(subject))
	}
	slices.Sort(subjects)
	return slices.Compact(subjects)
}

// nameIDs returns the NameIDs that exchanges have for subjects, by subject. Those that are refused
// have none.
func (c confinement) nameIDs(t testing.TB, subjects []string) map[string]string {
	t.Helper()
	w := newWorld(t)
	w.target(func(target *delegation.Target) {
		target.SubjectAsFolder = c.folder
		target.NameIDEncoding = c.encoding
	})
	d := w.delegator(t)
	found := map[string]string{}
	for _, subject := range subjects {
		e, err := d.Explain(t.Context(), w.token(map[string]any{"sub": subject}), app)
		switch {
		case err == nil:
			found[subject] = e.NameID
		case c.encoding != "":
			t.Errorf("%q is refused: %v", subject, err)
		}
	}
	return found
}

// A folderUser is a session's user, with the permission policy as IAM documents it, and as it would
// be if IAM read the values of variables as it reads policies.
type folderUser struct {
	nameID   string
	readings []iampolicy.Set
}

func newFolderUser(t testing.TB, nameID string) folderUser {
	t.Helper()
	region := must(delegation.ParseRegion("eu-central-1"))
	text := must(delegation.PermissionPolicy(region, folderBucket))
	quoted, err := json.Marshal(nameID)
	if err != nil {
		t.Fatal(err)
	}
	inPlace := strings.ReplaceAll(text, "${saml:sub}", strings.Trim(string(quoted), `"`))
	u := folderUser{nameID: nameID}
	for _, document := range []string{text, inPlace} {
		policy, err := iampolicy.Parse(document)
		if err != nil {
			t.Fatalf("%q: %v", nameID, err)
		}
		u.readings = append(u.readings, iampolicy.Set{Identity: []*iampolicy.Policy{policy}})
	}
	return u
}

// may tells whether one reading allows an action.
func (u folderUser) may(t testing.TB, action, key, prefix string) bool {
	t.Helper()
	r := iampolicy.Request{
		Principal: iampolicy.Principal{
			ARN: "arn:aws:sts::123456789012:assumed-role/photo-user/session",
		},
		Action:   action,
		Resource: "arn:aws:s3:::" + folderBucket + key,
		Context: iampolicy.Context{
			"saml:sub":             {u.nameID},
			"saml:sub_type":        {"persistent"},
			"s3:prefix":            {prefix},
			"aws:ResourceAccount":  {"123456789012"},
			"aws:PrincipalAccount": {"123456789012"},
		},
	}
	return slices.ContainsFunc(u.readings, func(set iampolicy.Set) bool {
		d, err := set.Decide(r)
		if err != nil {
			t.Fatalf("%s of %q by %q: %v", action, key, u.nameID, err)
		}
		return d.Allowed()
	})
}

// reaches says how the user reaches the folder of a NameID; empty: not at all.
func (u folderUser) reaches(t testing.TB, owner string) string {
	t.Helper()
	for _, action := range []string{"s3:GetObject", "s3:PutObject", "s3:DeleteObject"} {
		for _, rest := range []string{"/", "/x", "/x/y"} {
			if u.may(t, action, "/"+owner+rest, "") {
				return action + " of " + owner + rest
			}
		}
	}
	// A list of these shows the folder, or what is in it.
	same := 0 // bytes at the beginning of both
	for same < min(len(owner), len(u.nameID)) && owner[same] == u.nameID[same] {
		same++
	}
	for _, prefix := range []string{
		"", owner[:same], owner, owner + "/", owner + "/x", owner + "/x/",
	} {
		if u.may(t, "s3:ListBucket", "", strings.ToValidUTF8(prefix, "")) {
			return "a list of " + prefix
		}
	}
	return ""
}

// TestFolders_AreApart: with the policy that this library writes, no subject reaches the folder of
// another, and each reaches its own.
func TestFolders_AreApart(t *testing.T) {
	subjects := subjectsWith(t, 18, 3)
	for _, c := range confinements[:3] { // the others have the NameIDs of these
		t.Run(c.name, func(t *testing.T) {
			nameIDs := c.nameIDs(t, subjects)
			if len(nameIDs) < 10 {
				t.Fatalf("%d of %d subjects get credentials", len(nameIDs), len(subjects))
			}
			met := map[string]bool{}
			all := slices.Sorted(maps.Keys(nameIDs))
			for i, subject := range all {
				nameID := nameIDs[subject]
				u := newFolderUser(t, nameID)
				if !u.may(t, "s3:GetObject", "/"+nameID+"/x", "") ||
					!u.may(t, "s3:ListBucket", "", nameID+"/") {
					t.Errorf("%q does not reach its own folder %q", subject, nameID)
				}
				for j, other := range all {
					// Each subject meets some of the others, and not always the same ones.
					if other == subject || (i+j)%sampling.Divisor != 0 {
						continue
					}
					met[other] = true
					if way := u.reaches(t, nameIDs[other]); way != "" {
						t.Errorf("%q reaches the folder of %q: %s", subject, other, way)
					}
				}
			}
			if len(met) != len(all) {
				t.Errorf("nobody tries the folders of %d of %d subjects", len(all)-len(met),
					len(all))
			}
		})
	}
}

// TestFolders_AreNotApartWithoutASetting: the property above can fail.
func TestFolders_AreNotApartWithoutASetting(t *testing.T) {
	nameIDs := confinement{}.nameIDs(t, []string{"alice", "alice/x"})
	u := newFolderUser(t, nameIDs["alice"])
	if way := u.reaches(t, nameIDs["alice/x"]); way != "s3:GetObject of alice/x/" {
		t.Errorf("got %q", way)
	}
	u = newFolderUser(t, "*") // which no exchange gives
	if way := u.reaches(t, "alice"); way == "" {
		t.Error("a wildcard reaches nothing, in no reading")
	}
}

// FuzzFolders: no two subjects reach each other's folders, whatever they are.
func FuzzFolders(f *testing.F) {
	subjects := subjectsWith(f, 7, 1)
	for i, subject := range subjects {
		f.Add(subject, subjects[(i+1)%len(subjects)])
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		if one == other {
			return
		}
		for _, c := range confinements {
			first, admitted := c.decided(t, one)
			second, too := c.decided(t, other)
			if !admitted || !too {
				continue
			}
			if first == second {
				t.Errorf("%s: %q and %q are both %q", c.name, one, other, first)
			}
			if way := newFolderUser(t, first).reaches(t, second); way != "" {
				t.Errorf("%s: %q reaches the folder of %q: %s", c.name, one, other, way)
			}
		}
	})
}

// decided is what an exchange would have as the NameID, from the choke point itself: what JSON and
// a token can carry does not matter. False: it is refused.
func (c confinement) decided(t testing.TB, subject string) (string, bool) {
	t.Helper()
	nameID, err := delegation.DecidedNameID(subject, delegation.Target{
		SubjectAsFolder: c.folder,
		NameIDEncoding:  c.encoding,
	})
	return nameID, err == nil
}
