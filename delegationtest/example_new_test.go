package delegationtest_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationtest"
)

// exampleTest takes the place of the *testing.T, which an example does not have.
type exampleTest struct{ cleanup func() }

func (*exampleTest) Helper()                           {}
func (t *exampleTest) Cleanup(f func())                { t.cleanup = f }
func (*exampleTest) Fatalf(format string, args ...any) { log.Panicf(format, args...) }

// A rule in a whole exchange: editors get credentials, guests are refused, and AWS is not asked
// for them.
func ExampleNew() {
	t := &exampleTest{} // in a test, its *testing.T
	editors := delegation.RoleMatch{Pattern: "editors", Role: delegationtest.Role}
	d := delegationtest.New(t, func(c *delegation.Config) {
		c.Rules = []delegation.RuleFunc{
			delegation.Must(delegation.RoleByClaim("groups", editors)),
		}
	})
	defer t.cleanup() // a test does this by itself

	for _, group := range []string{"editors", "guests"} {
		idToken := d.Token(map[string]any{"groups": []string{group}})
		_, err := d.Exchange(context.Background(), idToken, delegationtest.Target)
		fmt.Printf("%s: refused %t\n", group, errors.Is(err, delegation.CodeDenied))
	}
	fmt.Println(len(d.STS.Calls()), "call to AWS")
	// Output:
	// editors: refused false
	// guests: refused true
	// 1 call to AWS
}
