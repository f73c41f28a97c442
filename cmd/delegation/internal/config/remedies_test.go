package config_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/cmd/delegation/internal/config"
	"github.com/seed055b7978/delegation/docs"
	"github.com/seed055b7978/delegation/internal/errortable"
)

// settings are values by the names that remedies have for them, such as Issuer.JWKSURL. In YAML a
// value is set at the key that [config.ByKeys] has for the name. A nil value removes the setting.
type settings map[string]any

// A remedy is a refusal, and what its remedy says to do.
type remedy struct {
	// of is the situation, in a few words.
	of   string
	code delegation.Code
	// with is what is configured in the scene.
	with settings
	// scene changes the world; nil: all is in order.
	scene func(s *scene)
	// do is what the refusal says to set, in names that it has.
	do settings
	// act does what the refusal says to do elsewhere than in the configuration. It follows the
	// names of its list.
	act     func(s *scene, c *delegation.Config)
	follows []string
	// then is the code of another refusal, which is true. Empty: credentials.
	then delegation.Code
	// never are words that the refusal does not have.
	never string
	// onlyGo says that no configuration file can come to this refusal.
	onlyGo bool
}

// remedies are those of all stages. Each call returns rows of its own, because some hold what a run
// uses up, such as a store of used tokens.
func remedies() []remedy {
	return slices.Concat(
		tokenRemedies(), algorithmRemedies(), kindRemedies(), keyRemedies(), documentRemedies(),
		targetRemedies(), ruleRemedies(), emailRemedies(), decisionRemedies(), stsRemedies(),
		auditRemedies(), logoutRemedies(), chainRemedies(), accessRemedies(), scopeRemedies(),
		configurationRemedies(), warningRemedies(), checkRemedies(), roleRemedies(),
	)
}

// elsewhere has the settings that only a new process can follow, and the tests that start one.
var elsewhere = map[string]string{
	"SSL_CERT_FILE": "TestCheck_PrivateCAAndProxy",
	"HTTPS_PROXY":   "TestCheck_PrivateCAAndProxy",
	"HTTP_PROXY":    "TestCheck_ProxyOfPlainHTTP",
	"NO_PROXY":      "TestCheck_PrivateCAAndProxy",
}

// notInYAML are the settings that a configuration file cannot have.
var notInYAML = []string{"Config.Profile", "Config.Rand"}

// onlyGoSteps are those that no configuration file can need: it has no rules in Go.
var onlyGoSteps = []step{{"rule_timeout", "Config.RuleTimeout"}}

// A step is one setting that the remedy of a code, or another text, says to change.
type step struct{ of, setting string }

// TestRemedies: an operator who does what the remedy of a refusal says gets credentials, or another
// refusal that is true; with the fields that New takes, and with the keys that the configuration
// file takes. Each setting that the table of remedies or an error's text names is followed.
func TestRemedies(t *testing.T) {
	followed := map[language]map[step]bool{inGo: {}, inYAML: {}}
	texts := map[language][]said{}
	complete := true
	rows := remedies()
	for _, r := range rows {
		for _, l := range []language{inGo, inYAML} {
			if l == inYAML && r.onlyGo {
				continue
			}
			complete = t.Run(fmt.Sprintf("%s/%s/%s", r.code, r.of, l), func(t *testing.T) {
				text := r.follow(t, l)
				for _, setting := range r.settings() {
					followed[l][step{string(r.code), setting}] = true
				}
				texts[l] = append(texts[l], said{text, r.settings(), r.onlyGo})
			}) && complete
		}
	}
	if !complete || len(texts[inGo]) < len(rows) {
		return // a part of the rows was chosen, or failed
	}
	steps := tableSteps(t)
	codes := map[string]bool{}
	for _, s := range steps {
		codes[s.of] = true
		if test := elsewhere[s.setting]; test != "" {
			checkElsewhere(t, test, s.setting)
			continue
		}
		if !followed[inGo][s] {
			t.Errorf("the remedy of %s names %s, and no row follows it in Go", s.of, s.setting)
		}
		onlyGo := slices.Contains(notInYAML, s.setting) || slices.Contains(onlyGoSteps, s)
		if !followed[inYAML][s] && !onlyGo {
			t.Errorf("the remedy of %s names %s, and no row follows it in YAML", s.of, s.setting)
		}
	}
	literals := literalSteps(t)
	for _, l := range literals {
		if !l.isFollowed(texts[inGo]) {
			t.Errorf("no row follows the text %q in Go: setting %q", l.text, l.setting)
		}
		if !l.isFollowed(texts[inYAML]) && !l.isOnlyGo(texts[inGo]) {
			t.Errorf("no row follows the text %q in YAML: setting %q", l.text, l.setting)
		}
	}
	t.Logf("%d codes have a remedy that names a setting, with %d settings; "+
		"%d texts of errors and warnings are followed, too; "+
		"%d refusals were followed in Go, %d in YAML",
		len(codes), len(steps), len(literals), len(texts[inGo]), len(texts[inYAML]))
}

// checkElsewhere checks that a test of the program sets the variable.
func checkElsewhere(t *testing.T, test, variable string) {
	t.Helper()
	source := string(must(os.ReadFile("../../issuer_test.go")))
	_, body, found := strings.Cut(source, "func "+test+"(")
	body, _, _ = strings.Cut(body, "\n}\n")
	if !found || !strings.Contains(body, `"`+variable+"=") {
		t.Errorf("%s does not set %s", test, variable)
	}
}

// settings are the names that the row follows.
func (r remedy) settings() []string {
	return slices.Concat(slices.Sorted(maps.Keys(r.do)), r.follows)
}

// follow provokes the refusal, does what it says, and returns what it said.
func (r remedy) follow(t *testing.T, l language) string {
	s := newScene(t)
	if r.scene != nil {
		r.scene(s)
	}
	err := s.refusal(s.configured(l, r.with))
	if got := kindOf(err); got != r.code {
		t.Fatalf("got %v, want %s", err, r.code)
	}
	s.text = s.toReader(l, err)
	r.checkText(t, l, s.text)

	c := s.configured(l, r.with, r.do)
	if r.act != nil {
		r.act(s, &c)
	}
	s.check = false
	after := s.refusal(c)
	if got := kindOf(after); got != r.then {
		t.Errorf("%s\nwas followed, and now it is: %v\nwant %q", s.text, after, r.then)
	}
	if r.then == r.code && after.Error() == err.Error() {
		t.Errorf("%s\nwas followed, and changes nothing", s.text)
	}
	return err.Error()
}

// kindOf is the code of a refusal, or that of a warning. Empty: there is none.
func kindOf(err error) delegation.Code {
	if errors.As(err, new(warning)) {
		return codeWarning
	}
	var e *delegation.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	}
	return delegation.Code("no code: " + err.Error())
}

// codeWarning stands for warnings of Check, which have no code.
const codeWarning delegation.Code = "warning"

// A warning is what Check says of an exchange that works.
type warning string

func (w warning) Error() string { return string(w) }

// checkText checks that a refusal says what the row does, in the reader's names.
func (r remedy) checkText(t *testing.T, l language, text string) {
	t.Helper()
	for _, setting := range r.settings() {
		if l == inYAML {
			setting = config.ByKeys(setting)
		}
		if r.code == delegation.CodeConfigInvalid { // which says elsewhere whose setting it is
			setting, _, _ = strings.Cut(setting, " of the ")
			setting = setting[strings.LastIndexByte(setting, '.')+1:]
		}
		if !strings.Contains(text, setting) {
			t.Errorf("%q is not in %s", setting, text)
		}
	}
	if r.never != "" && strings.Contains(text, r.never) {
		t.Errorf("%q is in %s", r.never, text)
	}
	if l == inYAML {
		checkKeysOnly(t, text)
		return
	}
	if key := yamlKey.FindString(text); key != "" {
		t.Errorf("the key %q is in what a Go program gets: %s", key, text)
	}
}

// checkKeysOnly checks that somebody who writes no Go can read a text.
func checkKeysOnly(t *testing.T, text string) {
	t.Helper()
	for _, name := range goName.FindAllString(text, -1) {
		if !slices.Contains(notInYAML, name) {
			t.Errorf("the field %s is in what an operator reads: %s", name, text)
		}
	}
	for _, word := range severalHumps.FindAllString(text, -1) {
		if fieldNames[word] && !samlWords[word] {
			t.Errorf("the field %s is in what an operator reads: %s", word, text)
		}
	}
}

var (
	// goName is a field of the library by its type.
	goName = regexp.MustCompile(
		`\b(?:Config|Issuer|Target|Scope|AWS|IdentityProvider|Options|SigningKey)\.[A-Z]\w+`)
	// severalHumps is what looks like the name of a field without its type.
	severalHumps = regexp.MustCompile(`\b[A-Z]+[a-z0-9]+[A-Z]\w*`)
	environment  = regexp.MustCompile(`\b[A-Z]+(?:_[A-Z]+)+\b`)
	// yamlKey is a key that no Go program has.
	yamlKey = regexp.MustCompile(`\b(?:allow_loopback_http|jwks_url|discovery_url|` +
		`ignore_[a-z_]+|unsafe_emulator|max_token_size|session_duration)\b`)
)

// samlWords are names of fields that are words of SAML, too.
var samlWords = map[string]bool{"NameID": true, "SessionName": true}

// tableSteps are the settings that the table of docs/errors.md names as remedies. A setting without
// its type would not be found, and so is an error.
func tableSteps(t *testing.T) (steps []step) {
	t.Helper()
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|").
		FindAllStringSubmatch(docs.Errors(), -1)
	for _, m := range rows {
		row, known := errortable.Of(m[1])
		if !known {
			t.Fatalf("%s has no row", m[1])
		}
		remedy := row.Remedy
		names := slices.Concat(goName.FindAllString(remedy, -1),
			environment.FindAllString(remedy, -1))
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			steps = append(steps, step{m[1], name})
		}
		for _, word := range severalHumps.FindAllString(goName.ReplaceAllString(remedy, ""), -1) {
			if fieldNames[word] && !samlWords[word] {
				t.Errorf("%s: the remedy names %s without its type: %s", m[1], word, remedy)
			}
		}
		if key := yamlKey.FindString(remedy); key != "" {
			t.Errorf("%s: the remedy has the key %s: %s", m[1], key, remedy)
		}
	}
	if len(steps) == 0 {
		t.Fatal("no remedy names a setting")
	}
	return steps
}

// refusalText is what follows the words in a refusal, in quotes.
func refusalText(s *scene, before string) string {
	m := regexp.MustCompile(regexp.QuoteMeta(before) + ` "([^"]*)"`).FindStringSubmatch(s.text)
	if m == nil {
		s.t.Fatalf("nothing follows %q in %s", before, s.text)
	}
	return m[1]
}
