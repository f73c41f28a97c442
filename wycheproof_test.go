package delegation_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
)

// wycheproofExclusions are the vectors that come out otherwise here, and why that is right. One
// that has become needless fails the test.
var wycheproofExclusions = map[string]map[int]string{
	"json_web_signature_test.json": {
		346: "the key is for PS256 and the token says PS384: RFC 7517 §4.4 binds a key to its alg",
		350: "the same with key_ops",
		347: "the key is for ES521, which is no algorithm; the token says ES512",
		351: "the same with key_ops",
		367: "its characters are those of 357, which is valid: the padding that it is about has got lost",
		370: "the same as 367",
		372: "a question mark in the header is not base64url (RFC 7515 §2)",
		373: "a question mark in the payload is not base64url",
	},
	"json_web_key_test.json": {
		// 4 (two keys of one kid) needs no exclusion: its set is refused because its keys are
		// symmetric. Of public keys such a set is taken: RFC 7517 §4.5 discourages it with a
		// SHOULD, and a signature of either key is the issuer's. See TestKeyChoice.
		2: "a set of symmetric keys: a secret has no place in a key set here, one HS256 key can " +
			"be a SharedSecret",
		14: "HS384 cannot be allowed: the only algorithm with a secret is HS256",
		15: "HS512 cannot be allowed either",
	},
	"json_web_crypto_test.json": {
		48: "a set of symmetric keys, as vector 2 of the key file",
	},
}

// wycheproofFile is one of the files of C2SP/wycheproof, testvectors_v1.
type wycheproofFile struct {
	NumberOfTests int
	TestGroups    []struct {
		Public, Private json.RawMessage // a JWK or a set; without Public the keys are symmetric
		Tests           []struct {
			TcID    int
			Comment string
			JWS     json.RawMessage // mostly a string; absent from the vectors for encryption
			Result  string
		}
	}
}

func TestWycheproof(t *testing.T) {
	folder := os.Getenv("WYCHEPROOF_DIR")
	if folder == "" {
		t.Skip("WYCHEPROOF_DIR does not name the folder of the vectors: see CONTRIBUTING.md")
	}
	for name, excluded := range wycheproofExclusions {
		t.Run(name, func(t *testing.T) {
			var file wycheproofFile
			err := json.Unmarshal(must(os.ReadFile(filepath.Join(folder, name))), &file)
			if err != nil {
				t.Fatal(err)
			}
			counts := map[string]int{}
			used := map[int]bool{}
			for _, group := range file.TestGroups {
				key := group.Public
				if key == nil {
					key = group.Private
				}
				for _, test := range group.Tests {
					counts["all"]++
					if test.JWS == nil {
						counts["encryption"]++
						continue
					}
					token := string(test.JWS)
					_ = json.Unmarshal(test.JWS, &token) // what is no string is tried as it stands
					issuer := wycheproofIssuer(t, key, token)
					err := delegation.VerifySignature(token, issuer)
					got := "valid"
					if err != nil {
						got = "invalid"
					}
					reason, exclude := excluded[test.TcID]
					used[test.TcID] = exclude
					switch {
					case exclude && got == test.Result:
						t.Errorf("%d: the exclusion %q is not needed", test.TcID, reason)
					case exclude:
						counts["excluded"]++
						t.Logf("%d (%s) is %s here: %s: %v", test.TcID, test.Comment,
							got, reason, err)
					case got != test.Result:
						t.Errorf("%d (%s): got %s (%v), want %s", test.TcID, test.Comment, got,
							err, test.Result)
					default:
						counts[got]++
					}
				}
			}
			for id := range excluded {
				if !used[id] {
					t.Errorf("there is no vector %d to exclude", id)
				}
			}
			if counts["all"] != file.NumberOfTests || counts["valid"] == 0 ||
				counts["invalid"] == 0 {
				t.Errorf("%d of %d vectors", counts["all"], file.NumberOfTests)
			}
			t.Logf("%v", counts)
		})
	}
}

// wycheproofIssuer is an issuer with the vector's key and nothing allowed but its algorithm. A
// single symmetric key becomes the issuer's secret; several have no place but the key set, which
// does not take them.
func wycheproofIssuer(t *testing.T, text json.RawMessage, token string) delegation.Issuer {
	t.Helper()
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	if set.Keys == nil {
		set.Keys = []json.RawMessage{text}
	}
	issuer := delegation.Issuer{
		URL:  issuerURL,
		JWKS: must(json.Marshal(map[string]any{"keys": set.Keys})),
	}
	for _, text := range set.Keys {
		var key struct{ Kty, Alg, K string }
		if err := json.Unmarshal(text, &key); err != nil {
			t.Fatal(err)
		}
		if key.Kty == "oct" && len(set.Keys) == 1 {
			issuer.JWKS = nil
			secret := must(base64.RawURLEncoding.DecodeString(key.K))
			issuer.SharedSecret = delegation.NewSecret(string(secret))
			issuer.Algorithms = []string{key.Alg}
			return issuer
		}
		// a key without a usable alg must fail even if the token's is allowed
		if !slices.Contains(algorithms, key.Alg) {
			key.Alg = algorithmOf(token)
		}
		if !slices.Contains(issuer.Algorithms, key.Alg) {
			issuer.Algorithms = append(issuer.Algorithms, key.Alg)
		}
	}
	return issuer
}

// algorithmOf is what the token says about itself, or RS256 if that is nothing that can be allowed.
func algorithmOf(token string) string {
	var header struct{ Alg string }
	first, _, _ := strings.Cut(token, ".")
	text, _ := base64.RawURLEncoding.DecodeString(first)
	_ = json.Unmarshal(text, &header)
	if !slices.Contains(algorithms, header.Alg) {
		return "RS256"
	}
	return header.Alg
}
