package iam_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/seed055b7978/delegation/internal/iam"
)

// The forms of ARNs and regions as regular expressions, which the loops of the package must agree
// with.
var (
	resourcePatterns = map[string]*regexp.Regexp{
		"role":     whole(`role/(?:[\x21-\x7e]{0,510}/)?[\w+=,.@-]{1,64}`),
		"provider": whole(`saml-provider/[\w.-]{1,128}`),
		"policy":   whole(`policy/(?:[\x21-\x7e]{0,510}/)?[\w+=,.@-]{1,128}`),
	}
	partitionPattern = whole(`aws(?:-[a-z]+)*`)
	accountPattern   = whole(`[0-9]{12}`)

	regionPatterns = map[string]*regexp.Regexp{
		"aws":        whole(`(us|eu|ap|sa|ca|me|af|il|mx)-\w+-\d+`),
		"aws-cn":     whole(`cn-\w+-\d+`),
		"aws-us-gov": whole(`us-gov-\w+-\d+`),
		"aws-iso":    whole(`us-iso-\w+-\d+`),
		"aws-iso-b":  whole(`us-isob-\w+-\d+`),
		"aws-iso-e":  whole(`eu-isoe-\w+-\d+`),
		"aws-iso-f":  whole(`us-isof-\w+-\d+`),
		"aws-eusc":   whole(`eusc-(de)-\w+-\d+`),
	}
	kinds = map[string]iam.Kind{
		"role":     iam.Role,
		"provider": iam.Provider,
		"policy":   iam.Policy,
	}
)

func whole(pattern string) *regexp.Regexp { return regexp.MustCompile(`\A(?:` + pattern + `)\z`) }

// isARN is the oracle of Kind.Parse.
func isARN(kind, text string) bool {
	a, err := arn.Parse(text)
	if err != nil || len(text) > 2048 || a.Service != "iam" || a.Region != "" {
		return false
	}
	account := accountPattern.MatchString(a.AccountID) || kind == "policy" && a.AccountID == "aws"
	return account && partitionPattern.MatchString(a.Partition) &&
		resourcePatterns[kind].MatchString(a.Resource)
}

// checkARN compares Kind.Parse with the oracle, and reports whether the text is the ARN of some
// kind.
func checkARN(t *testing.T, text string) (good bool) {
	t.Helper()
	for name, kind := range kinds {
		want := isARN(name, text)
		got, err := kind.Parse(text)
		if (err == nil) != want || want && got.String() != text {
			t.Errorf("%s %q: %v, %v", name, text, got, err)
		}
		good = good || want
	}
	return good
}

// checkRegion compares PartitionOf with the patterns, and reports whether the text is a region.
func checkRegion(t *testing.T, text string) (good bool) {
	t.Helper()
	want := ""
	for id, pattern := range regionPatterns {
		if pattern.MatchString(text) {
			want = id
		}
	}
	p, ok := iam.PartitionOf(text)
	if p.ID != want || ok != (want != "") {
		t.Errorf("%q is a region of %q, want %q", text, p.ID, want)
	}
	return ok
}

// mutation returns a text with a few small changes.
func mutation(random *rand.Rand, text string) string {
	const odd = "az09AZ_-+=,.@/:!~ \x00\x7f\n\u00e9\u0660"
	for range random.IntN(3) {
		i := random.IntN(len(text) + 1)
		j := min(i+random.IntN(3), len(text))
		insert := []rune(odd)[random.IntN(len([]rune(odd)))]
		switch random.IntN(4) {
		case 0:
			text = text[:i] + text[j:]
		case 1:
			text = text[:i] + string(insert) + text[i:]
		case 2:
			text = text[:i] + string(insert) + text[j:]
		case 3:
			text = text[:i] + text[i:j] + text[i:j] + text[j:]
		}
	}
	return text
}

// goodARN returns the ARN of some kind, with a path and a name that are often as long as they may
// be, or longer by one.
func goodARN(random *rand.Rand) string {
	pick := func(texts ...string) string { return texts[random.IntN(len(texts))] }
	long := func(c string, lengths ...int) string {
		return strings.Repeat(c, lengths[random.IntN(len(lengths))])
	}
	partition := pick("aws", "aws-cn", "aws-us-gov", "aws-iso-b", "aws-", "xaws")
	account := pick("123456789012", "123456789012", "000000000000", "aws", "12345678901")
	path := pick("", "", "team/", "a/b/c/", "/", long("p", 509, 510, 511)+"/")
	name := pick("r", "photo-user", "A_b+=,.@-9", long("n", 63, 64, 65, 127, 128, 129))
	resource := pick("role/", "saml-provider/", "policy/", "user/") + path + name
	return "arn:" + partition + ":iam::" + account + ":" + resource
}

// TestParse_AsThePatterns compares 30,000 ARNs, right, nearly right and wrong, with regular
// expressions.
func TestParse_AsThePatterns(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	good := 0
	const all = 30_000
	for range all {
		if checkARN(t, mutation(random, goodARN(random))) {
			good++
		}
	}
	if good < all/10 || good > all*9/10 {
		t.Errorf("%d of %d are ARNs", good, all)
	}
}

// TestPartitionOf_AsThePatterns compares 30,000 names of regions with regular expressions.
func TestPartitionOf_AsThePatterns(t *testing.T) {
	regions := []string{
		"eu-central-1", "us-east-1", "ap-southeast-12", "sa-east-1", "ca-west-1", "me-south-1",
		"af-south-1", "il-central-1", "mx-central-1", "cn-north-1", "us-gov-west-1",
		"us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1",
		"us-gov-1", "eusc-de-1", "us-iso-1", "aws-global", "us-_-0", "eusc-fr-east-1", "us--1",
	}
	random := rand.New(rand.NewPCG(3, 4))
	good := 0
	const all = 30_000
	for range all {
		if checkRegion(t, mutation(random, regions[random.IntN(len(regions))])) {
			good++
		}
	}
	if good < all/10 || good > all*9/10 {
		t.Errorf("%d of %d are regions", good, all)
	}
}

// FuzzPatterns compares whatever comes with the regular expressions.
func FuzzPatterns(f *testing.F) {
	f.Add("arn:aws:iam::123456789012:role/team/photo-user")
	f.Add("arn:aws-cn:iam::aws:policy//p")
	f.Add("arn:aws:iam::123456789012:saml-provider/delegation")
	f.Add("us-gov-west-1")
	f.Add("eusc-de-east-1")
	f.Fuzz(func(t *testing.T, text string) {
		checkARN(t, text)
		checkRegion(t, text)
	})
}
