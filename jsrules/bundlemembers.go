package jsrules

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed055b7978/delegation"
)

// exists reports whether a library has the part that was asked for, so that a rule can be told
// before it runs.
func (b bundled) exists() bool {
	if b.locale != "" {
		_, err := compileLocale(b.locale)
		return err == nil
	}
	return b.member == "" || membersOf(b.bundle)[strings.ToLower(b.member)]
}

// members are what libraries export, by library. Each is asked once in a process, if a source names
// a member.
var members sync.Map

func membersOf(library string) map[string]bool {
	ask := sync.OnceValue(func() map[string]bool { return askMembers(library) })
	made, _ := members.LoadOrStore(library, ask)
	return made.(func() map[string]bool)()
}

// askMembers runs a library, and returns the names of its exports in lower case.
func askMembers(library string) map[string]bool {
	const source = `function (user, context, callback) {
	user.names = Object.getOwnPropertyNames(require(%q));
	callback(null, user, context);
}`
	ask, err := Compile("names of "+library, fmt.Sprintf(source, library), Options{
		RuleTimeout:  time.Minute, // on a busy machine
		ChainTimeout: time.Minute,
	})
	if err != nil {
		return nil
	}
	user := &delegation.User{}
	if ask(context.Background(), user, &delegation.RuleContext{}) != nil {
		return nil
	}
	names := map[string]bool{}
	for _, name := range user.List("names") {
		names[strings.ToLower(name)] = true
	}
	return names
}
