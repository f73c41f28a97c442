package jsrules_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/jsrules"
)

// FuzzAction: any text is an Action or an [jsrules.Error], and what is an Action comes to an end,
// with its own error or none. Without an error, it has set no attribute that AWS does not read.
func FuzzAction(f *testing.F) {
	for _, file := range must(filepath.Glob("testdata/vectors/action-*.js")) {
		f.Add(string(must(os.ReadFile(file))))
	}
	for _, seed := range []string{
		"exports.onExecutePostLogin=1", "exports=onExecutePostLogin=>1", "onExecutePostLogin",
		"module.exports={onExecutePostLogin(e,a){for(k in a)for(f in a[k])a[k][f](e)}}",
		"this.onExecutePostLogin=async(e,a)=>{a.access.deny(e)}",
		"exports.onExecutePostLogin=(e,a)=>({then(f){f(a)}})",
		"exports.onExecutePostLogin=(e,a)=>{delete e.user;e.client=a;a.access=e;a.access.deny()}",
		"exports.onExecutePostLogin=(e,a)=>" +
			"{Object.defineProperty(e,'user',{get(){return e.user}})}",
		"Object.defineProperty(exports,'onExecutePostLogin',{get(){throw 1}})",
		"module.exports=new Proxy({},{get(){return exports.onExecutePostLogin}})",
		"exports.onExecutePostLogin=function*(e,a){}", "import 'onExecutePostLogin'",
		"var onExecutePostLogin;let[...0(", "exports.onExecutePostLogin=async(e,a)=>{`${",
	} {
		f.Add(seed)
	}
	enough := patience
	if flag.Lookup("test.fuzz").Value.String() != "" {
		enough = 5 * time.Second
	}
	f.Fuzz(func(t *testing.T, source string) {
		action, err := jsrules.CompileAction("fuzz", source,
			jsrules.Options{RuleTimeout: 20 * time.Millisecond})
		var wrong *jsrules.Error
		if err != nil {
			if action != nil || !errors.As(err, &wrong) || wrong.Rule != "fuzz" ||
				len(err.Error()) > 2000 {
				t.Fatalf("got %v", err)
			}
			return
		}
		began := time.Now()
		user, rc := benchmarkUser(), benchmarkContext()
		err = action(t.Context(), user, rc)
		if took := time.Since(began); took > enough {
			t.Fatalf("it took %v: %v", took, err)
		}
		if err != nil {
			if !errors.As(err, &wrong) && len(err.Error()) > 2000 {
				t.Fatalf("got %v", err)
			}
			return
		}
		onlyRead(t, rc)
	})
}

// FuzzSAMLConfiguration: whatever a samlConfiguration has, either the rule fails with
// [jsrules.ErrValue] or for what it says as a whole, or it has mapped attributes that AWS reads.
func FuzzSAMLConfiguration(f *testing.F) {
	for _, seed := range []string{
		`{}`, `[]`, `"x"`, `null`, `{"mappings": {}}`, `{"mappings": {"a": "b"}}`,
		`{"mappings": {"https://aws.amazon.com/SAML/Attributes/Role": "awsRole"}}`,
		`{"mappings": {"a": ["https://aws.amazon.com/SAML/Attributes/Role", "2.5.4.3"]}}`,
		`{"mappings": {"https://aws.amazon.com/SAML/Attributes/PrincipalTag:a": "email"}}`,
		`{"nameIdentifierProbes": ["urn:oid:2.5.4.3"], "mappings": {"urn:oid:2.5.4.3": "email"}}`,
		`{"lifetimeInSeconds": 36000, "signatureAlgorithm": "rsa-sha256", "relayState": 1}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var settings any
		if json.Unmarshal([]byte(text), &settings) != nil {
			return
		}
		o := samlOptions()
		o.Context = func(
			context.Context, *delegation.User, *delegation.RuleContext,
		) (map[string]any, error) {
			return map[string]any{"samlConfiguration": settings}, nil
		}
		rule, err := jsrules.Compile("fuzz", body("callback(null)"), o)
		if err != nil {
			t.Fatal(err)
		}
		rc := benchmarkContext()
		err = rule(t.Context(), benchmarkUser(), rc)
		var wrong *jsrules.Error
		if err != nil {
			ours := strings.Contains(err.Error(), "context.samlConfiguration")
			if !errors.As(err, &wrong) || !ours {
				t.Fatalf("%s: got %v", text, err)
			}
			return
		}
		onlyRead(t, rc)
	})
}

// onlyRead checks that all mappings are of attributes that AWS reads, and have a property.
func onlyRead(t *testing.T, rc *delegation.RuleContext) {
	t.Helper()
	for attribute, property := range rc.AWS.Mappings {
		known := strings.HasPrefix(attribute, "https://aws.amazon.com/SAML/Attributes/") ||
			strings.HasPrefix(attribute, "urn:oid:1.3.6.1.4.1.5923.1.") ||
			strings.HasPrefix(attribute, "http://schemas.") || attribute == "urn:oid:2.5.4.3" ||
			strings.HasPrefix(attribute, "2.") || strings.HasPrefix(attribute, "0.9.")
		if !known || property == "" {
			t.Errorf("the mapping of %q is %q", attribute, property)
		}
	}
}
