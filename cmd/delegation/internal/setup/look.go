package setup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/term"
	"github.com/seed055b7978/delegation/internal/document"
)

// Limits of a look.
const (
	lookTime  = 10 * time.Second // the same as for the keys of an exchange
	keysNamed = 5                // of a key set; any others are only counted
)

// WrongIssuer is a discovery document that names another issuer than the answers do. Every token
// would be refused.
type WrongIssuer struct {
	// At is the address of the document, and Names the issuer in it.
	At, Names string
}

func (e WrongIssuer) Error() string {
	return fmt.Sprintf("%s names the issuer %.200q, which tokens have as iss: use that issuer",
		e.At, e.Names)
}

// Look fetches the discovery document and the key set of the issuer, and returns lines about them.
// The lines are "" if the configuration gets the key set from elsewhere. The error is a WrongIssuer
// if the issuer cannot be right. Any other error is about the fetch, and the answers may still be
// good. Look keeps the algorithms that the configuration has to name, for Files.
func (i *Answers) Look(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if i.JWKSURL != "" || i.JWKSFile != "" {
		return "", nil
	}
	at := cmp.Or(i.discoveryURL(), strings.TrimSuffix(i.Issuer, "/")+wellKnown)
	discovery, err := i.fetch(ctx, at, "")
	if err != nil {
		return "", err
	}
	issuer, _ := discovery["issuer"].(string)
	if issuer != i.Issuer && !slices.Contains(i.aliases(), issuer) {
		return "", WrongIssuer{at, issuer}
	}
	signing := texts(discovery["id_token_signing_alg_values_supported"])
	i.algorithms = usable(signing)
	keysAt, _ := discovery["jwks_uri"].(string)
	keySet, err := i.fetch(ctx, keysAt, at)
	if err != nil {
		return "", err
	}
	keys, _ := keySet["keys"].([]any)
	var b strings.Builder
	fmt.Fprintf(&b, "Found at %s:\n", term.Escaped(at))
	fmt.Fprintf(&b, "  issuer      %s\n", term.Escaped(issuer))
	named := cmp.Or(strings.Join(signing, ", "), "(not named)")
	fmt.Fprintf(&b, "  algorithms  %s\n", term.Escaped(named))
	fmt.Fprintf(&b, "  keys        %d at %s", len(keys), term.Escaped(keysAt))
	fmt.Fprintf(&b, "%s\n", describeKeys(keys))
	return b.String(), nil
}

// fetch reads a JSON object. by is the address of the document that refers to it; "": the operator
// named it.
func (i *Answers) fetch(ctx context.Context, at, by string) (map[string]any, error) {
	allowed := document.Allowed{LoopbackHTTP: i.AllowLoopbackHTTP}
	err := allowed.Check(at)
	if by != "" {
		err = allowed.CheckFound(at, by)
	}
	if err != nil {
		return nil, err
	}
	answer, err := document.Get(ctx, document.Client(nil), at)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	object, err := document.Object(document.WithoutBOM(answer.Body))
	if err != nil {
		return nil, fmt.Errorf("%s: it is not one JSON object", at)
	}
	return object, nil
}

// texts returns the texts in a list.
func texts(value any) (found []string) {
	list, _ := value.([]any)
	for _, one := range list {
		if text, ok := one.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

// publishedKeyAlgorithm matches those of Issuer.Algorithms that are for published keys.
var publishedKeyAlgorithm = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\A((RS|PS|ES)(256|384|512)|EdDSA|Ed25519)\z`)
})

// usable returns the algorithms that the configuration has to name. There are none if the issuer
// signs with RS256, which is the default.
func usable(signing []string) []string {
	if slices.Contains(signing, "RS256") {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(signing), func(name string) bool {
		return !publishedKeyAlgorithm().MatchString(name)
	})
}

// describeKeys lists the kind and the ID of each key.
func describeKeys(keys []any) string {
	var list []string
	for n, key := range keys {
		if n == keysNamed {
			list = append(list, fmt.Sprintf("and %d more", len(keys)-n))
			break
		}
		member, _ := key.(map[string]any)
		kind, _ := member["kty"].(string)
		if algorithm, _ := member["alg"].(string); algorithm != "" {
			kind = algorithm
		}
		id, _ := member["kid"].(string)
		list = append(list, fmt.Sprintf("%s %.80q", term.Escaped(cmp.Or(kind, "?")), id))
	}
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, ", ")
}

// IsWrongIssuer tells whether the error of a look is about the issuer itself.
func IsWrongIssuer(err error) bool { return errors.As(err, new(WrongIssuer)) }
