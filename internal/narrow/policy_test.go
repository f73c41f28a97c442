package narrow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/internal/narrow"
)

func of(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// allow is an Allow with these elements.
func allow(elements string) string { return `{"Effect":"Allow",` + elements + `}` }

// deny is a Deny with these elements.
func deny(elements string) string { return `{"Effect":"Deny",` + elements + `}` }

func never(string) (string, bool) { return "", false }

const onBucket = `"Resource":"arn:aws:s3:::b/*"`

// TestIntersect_Denials: what is added to a managed policy, statement by statement. Names of
// actions that differ by case only are the same.
func TestIntersect_Denials(t *testing.T) {
	const other = `"Resource":"arn:aws:s3:::c/*"`
	for name, row := range map[string]struct {
		asked string
		want  string // empty: it cannot be combined
	}{
		"everything": {of(allow(`"Action":"*","Resource":"*"`)), "none"},
		"nothing": {
			of(deny(`"Action":"*","Resource":"*"`)),
			of(deny(`"Action":"*","Resource":"*"`), deny(`"Action":"*","Resource":"*"`)),
		},
		"an action": {
			of(allow(`"Action":"s3:Get*","Resource":"*"`)),
			of(deny(`"NotAction":"s3:Get*","Resource":"*"`)),
		},
		"a resource": {
			of(allow(`"Action":"*",` + onBucket)),
			of(deny(`"Action":"*","NotResource":"arn:aws:s3:::b/*"`)),
		},
		"all but an action": {
			of(allow(`"NotAction":"s3:Put*","Resource":"*"`)),
			of(deny(`"Action":"s3:Put*","Resource":"*"`)),
		},
		"all but a resource": {
			of(allow(`"Action":"*","NotResource":"arn:aws:s3:::b/*"`)),
			of(deny(`"Action":"*",` + onBucket)),
		},
		"an action in two cases": {
			of(allow(`"Action":"s3:Get*",`+onBucket), allow(`"Action":"S3:get*",`+other)),
			of(deny(`"NotAction":"s3:Get*","Resource":"*"`),
				deny(`"Action":"*","NotResource":["arn:aws:s3:::b/*","arn:aws:s3:::c/*"]`)),
		},
		"an action and all but it": {
			of(allow(`"Action":"s3:Get*",`+onBucket), allow(`"NotAction":"s3:Get*",`+other)), "",
		},
		"a condition": {
			of(allow(`"Action":"*","Resource":"*",` +
				`"Condition":{"Bool":{"aws:SecureTransport":"true"}}`)),
			"",
		},
		"no condition": {
			of(allow(`"Action":"*","Resource":"*","Condition":{}`)), "none",
		},
		"a variable": {
			of(allow(`"Action":"*","Resource":"arn:aws:s3:::${aws:userid}"`)), "",
		},
		"a default": {
			of(allow(`"Action":"*","Resource":"arn:aws:s3:::${a:b, 'c'}"`)), "",
		},
		"half a variable": {
			of(allow(`"Action":"*","Resource":"arn:aws:s3:::${a:b"`)), "",
		},
		"another version's $": {
			strings.Replace(of(allow(`"Action":"*","Resource":"arn:aws:s3:::${*}"`)),
				"2012", "2008", 1), "",
		},
		"a star that is one": {
			of(allow(`"Action":"*","Resource":"arn:aws:s3:::${*}"`)),
			of(deny(`"Action":"*","NotResource":"arn:aws:s3:::${*}"`)),
		},
	} {
		t.Run(name, func(t *testing.T) {
			decided := narrow.Set{ARNs: []string{managedARN}}
			got, err := narrow.Intersect(decided, narrow.Set{Document: row.asked}, never)
			if row.want == "" {
				if err == nil {
					t.Fatalf("got %+v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := strings.TrimPrefix(row.want, "none")
			if len(got) != 1 || got[0].Document != want || got[0].ARNs[0] != managedARN {
				t.Errorf("got %s\nwant %s", got[0].Document, want)
			}
		})
	}
}

func sixActions(form string) string {
	var list []string
	for i := range 6 {
		list = append(list, allow(fmt.Sprintf(`"Action":"`+form+`","Resource":"arn:aws:s3:::%d"`,
			i+1, i+1)))
	}
	return strings.Join(list, ",")
}

// TestIntersect_ManyActions: many statements are no hindrance as long as their actions are the same
// or have nothing in common, in whatever case.
func TestIntersect_ManyActions(t *testing.T) {
	decided := narrow.Set{ARNs: []string{managedARN}}
	good := of(sixActions("s3:Get%d"), strings.ReplaceAll(sixActions("S3:get%d"), ":::", ":::b"))
	got, err := narrow.Intersect(decided, narrow.Set{Document: good}, never)
	if err != nil || strings.Count(got[0].Document, `"Deny"`) != 7 {
		t.Errorf("got %+v, %v", got, err)
	}
	bad := of(sixActions("s3:Get%d"), allow(`"Action":"s3:*1","Resource":"arn:aws:s3:::c"`))
	if got, err := narrow.Intersect(decided, narrow.Set{Document: bad}, never); err == nil {
		t.Errorf("got %+v", got)
	}
}

// TestParse_Refuses: what is no session policy is not read with a part left out.
func TestParse_Refuses(t *testing.T) {
	const all = `"Action":"*","Resource":"*"`
	for name, text := range map[string]string{
		"nothing":              "",
		"a list":               "[]",
		"no statement":         `{"Version":"2012-10-17"}`,
		"no statements":        of(),
		"a number":             of("1"),
		"another version":      strings.Replace(of(allow(all)), "2012", "2020", 1),
		"a member twice":       of(`{"Effect":"Deny","Effect":"Allow",` + all + `}`),
		"another member":       strings.Replace(of(allow(all)), "Version", "version", 1),
		"another element":      of(allow(all + `,"Actions":"*"`)),
		"a principal":          of(allow(all + `,"Principal":"*"`)),
		"no principal":         of(allow(all + `,"NotPrincipal":"*"`)),
		"an effect in capital": of(strings.Replace(allow(all), "Allow", "ALLOW", 1)),
		"no effect":            of(`{` + all + `}`),
		"a Sid":                of(allow(all + `,"Sid":1`)),
		"an Id":                `{"Id":1,` + of(allow(all))[1:],
		"a condition":          of(allow(all + `,"Condition":"x"`)),
		"no action":            of(allow(`"Resource":"*"`)),
		"both":                 of(allow(all + `,"NotAction":"*"`)),
		"no resource":          of(allow(`"Action":"*"`)),
		"no actions":           of(allow(`"Action":[],"Resource":"*"`)),
		"an empty action":      of(allow(`"Action":"","Resource":"*"`)),
		"an object":            of(allow(`"Action":{},"Resource":"*"`)),
		"a wild service":       of(allow(`"Action":"s*:Get","Resource":"*"`)),
		"no service":           of(allow(`"Action":"Get","Resource":"*"`)),
		"another alphabet":     of(allow(`"Action":"s3:\u212aey","Resource":"*"`)),
		"a resource":           of(allow(`"Action":"*","Resource":"bucket"`)),
	} {
		if _, err := narrow.Parse(text); err == nil {
			t.Errorf("%s is read: %s", name, text)
		}
	}
}

// TestUnion: any of several policies allows, and Sids that several have do not clash.
func TestUnion(t *testing.T) {
	one := of(allow(`"Sid":"A","Action":"s3:Get*","Resource":"*"`))
	other := of(deny(`"Sid":"A","Action":"s3:GetObject","Resource":"*"`))
	got, err := narrow.Union([]string{one, other})
	want := of(allow(`"Action":"s3:Get*","Resource":"*"`),
		deny(`"Action":"s3:GetObject","Resource":"*"`))
	if err != nil || got != want {
		t.Errorf("got %s, %v", got, err)
	}
	literal := strings.Replace(of(allow(`"Action":"*","Resource":"arn:aws:s3:::${x}"`)),
		"2012", "2008", 1)
	if got, err := narrow.Union([]string{one, literal}); err == nil {
		t.Errorf("${ becomes a variable: %s", got)
	}
}

// TestSame: a policy is the same with other white space, and not with another version.
func TestSame(t *testing.T) {
	one := narrow.Set{Document: of(allow(`"Action":"*","Resource":"*"`))}
	spaced := narrow.Set{Document: strings.ReplaceAll(one.Document, ",", " ,\n")}
	older := narrow.Set{Document: strings.Replace(one.Document, "2012", "2008", 1)}
	more := narrow.Set{Document: one.Document, ARNs: []string{managedARN}}
	if !narrow.Same(one, spaced) || narrow.Same(one, older) || narrow.Same(one, more) ||
		narrow.Same(one, narrow.Set{Document: "x"}) || narrow.Same(narrow.Set{}, one) {
		t.Error("sets are mistaken for each other")
	}
}

// FuzzIntersect: whatever a stranger asks for, there is a policy that can be read, or an error.
func FuzzIntersect(f *testing.F) {
	f.Add(of(allow(`"Action":"s3:Get*",` + onBucket)))
	f.Add(of(sixActions("s3:Get%d")))
	f.Add(of(allow(`"NotAction":"*","NotResource":"arn:${*}"`)))
	decided := narrow.Set{Document: of(allow(`"Action":"s3:*",` + onBucket))}
	f.Fuzz(func(t *testing.T, asked string) {
		if asked == "" {
			return
		}
		both, err := narrow.Intersect(decided, narrow.Set{Document: asked}, never)
		for _, set := range both {
			if _, err := narrow.Parse(set.Document); err != nil {
				t.Errorf("%v: %s", err, set.Document)
			}
		}
		if (err == nil) != (len(both) > 0) {
			t.Errorf("%v, and %d sets", err, len(both))
		}
	})
}
