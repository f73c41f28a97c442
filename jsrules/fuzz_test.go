package jsrules_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed055b7978/delegation/jsrules"
)

// FuzzCompile: any text is a rule or an [jsrules.Error], and what is a rule comes to an end, with
// its own error or none.
func FuzzCompile(f *testing.F) {
	for _, file := range must(filepath.Glob("testdata/vectors/*.js")) {
		f.Add(string(must(os.ReadFile(file))))
	}
	for _, seed := range []string{
		"function () {}", "function(){}function(){}", "async()=>{}", "function(){}//",
		"function(){}/*", "function(){}<!--", "function(){}\u2028;", "(function(){})", "((((",
		"[[[[", "`${`${",
		"function(a,b,c){c()}", "function(a,b,{c}){c()}", "function(a,b,...c){c[0]()}",
		"function(a,b,c=a){c(null,b,a)}", "(a,b,c)=>c(null,[],{})", "function(a,b,c){c(null,c,c)}",
		"function(a,b,console){console(console)}",
		"function(a,b,c){'use strict';c(null,{__proto__:null},Object.create(null))}",
		"function(a,b,c){b.__proto__=a;a.__proto__=null;c(null)}",
		"function(a,b,c){for(var k in this)a[k]=this[k];c(null,a)}",
		"function(a,b,c){a[Symbol.toPrimitive]=c;c(a+'',a)}",
		"function(a,b,c){c(null,new Proxy({},{ownKeys(){throw c}}),b)}",
		"function(a,b,c){b.addonConfiguration.aws=Object.freeze(new Date);" +
			"c(null,Object.freeze(a),b)}", "function(a,b,c){throw new UnauthorizedError(c)}",
		"function(a,b,c){c(Symbol())}",
		"function(a,b,c){global.a=global;c(null)}", "function(a,b,c){require(a)}",
		"function(a,b,c){setTimeout(c,NaN);clearTimeout({})}",
		"function(a,b,c){a.x=/(?<n>a)|\\k<n>/y;'aa'.replace(a.x,'$<n>');c()}",
		"function(a,b,c){Buffer.from('zz','hex').toString('base64');c()}",
		"function(a,b,c){console.log(a,b,c,new Proxy(c,{}))}", "function(\\u0061,b,c){c(1n)}",
		"\xff", "\ufefffunction(){}",
		"00!let[...0(", // of which goja's parser panics
	} {
		f.Add(seed)
	}
	// The seeds run on machines that are busy with other things.
	enough := patience
	if flag.Lookup("test.fuzz").Value.String() != "" {
		enough = 5 * time.Second
	}
	f.Fuzz(func(t *testing.T, source string) {
		rule, err := jsrules.Compile("fuzz", source,
			jsrules.Options{RuleTimeout: 20 * time.Millisecond})
		var wrong *jsrules.Error
		if err != nil {
			if rule != nil || !errors.As(err, &wrong) || wrong.Rule != "fuzz" ||
				len(err.Error()) > 2000 {
				t.Fatalf("got %v", err)
			}
			return
		}
		began := time.Now()
		user, rc := benchmarkUser(), benchmarkContext()
		err = rule(t.Context(), user, rc)
		if took := time.Since(began); took > enough {
			t.Fatalf("it took %v: %v", took, err)
		}
		if err != nil && !errors.As(err, &wrong) && len(err.Error()) > 2000 {
			t.Fatalf("got %v", err)
		}
	})
}
