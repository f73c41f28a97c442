package node_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/seed055b7978/delegation/jsrules/internal/node"
)

// host returns a host that never halts, and counts how often its arrays are guarded.
func host(guarded *int) node.Host {
	return node.Host{
		Runtime:      goja.New(),
		Halt:         func() {},
		SetImmediate: func(goja.FunctionCall) goja.Value { return goja.Undefined() },
		GuardArrays:  func() { *guarded++ },
	}
}

// TestNew_Lazy: nothing is made before it is used, and then only what it needs.
func TestNew_Lazy(t *testing.T) {
	for name, want := range map[string]string{
		"":            "",
		"extend":      "extend",
		"querystring": "buffer errors querystring",
		"node:crypto": "buffer crypto errors",
		"util":        "errors util",
		"uuid/v4":     "buffer crypto errors uuid",
	} {
		guarded := 0
		modules := node.New(host(&guarded))
		if name != "" {
			modules.Require(name)
			modules.Require(name)
		}
		if made := strings.Join(modules.Made(), " "); made != want {
			t.Errorf("%q makes %q, want %q", name, made, want)
		}
		if want := strings.Count(want, "buffer"); guarded != want {
			t.Errorf("%q guards typed arrays %d times, want %d", name, guarded, want)
		}
	}
}

// TestNames: each name leads to a module or a global, which is the same one each time.
func TestNames(t *testing.T) {
	guarded := 0
	modules := node.New(host(&guarded))
	for _, name := range node.Names() {
		if !node.Has(name) || modules.Require(name) != modules.Require("node:"+name) {
			t.Errorf("the module %s is not there, or made twice", name)
		}
	}
	for _, name := range node.Globals() {
		value := modules.Global(name)
		if !node.HasGlobal(name) || goja.IsUndefined(value) || value != modules.Global(name) {
			t.Errorf("the global %s is not there, or made twice", name)
		}
	}
	for _, name := range []string{"", "fs", "node:", "Crypto", "errors", "text"} {
		if node.Has(name) {
			t.Errorf("there is a module %q", name)
		}
	}
	if node.HasGlobal("constructor") || !slices.IsSorted(node.Names()) {
		t.Error("constructor is a global, or names are not sorted")
	}
}

// FuzzURL: what URL accepts it writes in a form that it reads as the same again, and nothing else
// than an error of JavaScript ends the reading.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{
		"https://user:pass@example.com:8443/a/../b?c#d", "file:///C|/x", "mailto:a@example.com",
		"http://[::ffff:1.2.3.4]/", "http://0x7f.1/", "custom:/..//p", "foo:///a?b#c",
		"http:\\\\x\\y",
		"https://ex%41mple.com./%2e%2E/", "javascript:alert(1) ", "file:", "ws://a@b@c/\t",
		"http://a.xn--bcher-kva./", "http://xn--a/", "http://a.xn--/",
	} {
		f.Add(seed, "https://example.com/a/b?c#d")
		f.Add("../x", seed)
	}
	guarded := 0
	h := host(&guarded)
	modules := node.New(h)
	class, _ := goja.AssertConstructor(modules.Global("URL"))
	href := func(arguments ...goja.Value) (string, error) {
		made, err := class(nil, arguments...)
		if err != nil {
			return "", err
		}
		return made.Get("href").String(), nil
	}
	f.Fuzz(func(t *testing.T, text, base string) {
		made, err := href(h.Runtime.ToValue(text), h.Runtime.ToValue(base))
		if err != nil {
			if _, thrown := err.(*goja.Exception); !thrown {
				t.Errorf("%q, %q: %v", text, base, err)
			}
			return
		}
		again, err := href(h.Runtime.ToValue(made))
		if err != nil || again != made {
			t.Errorf("%q, %q: %q becomes %q, %v", text, base, made, again, err)
		}
	})
}
