package main

import (
	"os"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation/cmd/delegation/internal/service"
)

// withRule writes a configuration whose last rule is this one.
func (w *world) withRule(t testing.TB, more, rule string) (file string) {
	t.Helper()
	file = w.configFile(t, more)
	before, after, found := strings.Cut(string(must(os.ReadFile(file))), "\nsts: ")
	if !found {
		t.Fatal("the configuration has no sts")
	}
	return w.write(t, "delegation.yaml", before+"\n  - "+rule+"\nsts: "+after)
}

// TestServe_JavaScriptModules: rules have the modules and globals of the configuration. A module's
// file is watched: users get what the new one decides, and one with a mistake is not used.
func TestServe_JavaScriptModules(t *testing.T) {
	const reloaded, refused = `"msg":"configuration reloaded"`, `"msg":"configuration not reloaded"`
	w := newWorld(t)
	user := strings.ReplaceAll(service.DemoRole, "photo-editor", "photo-user")
	w.folderOf(t, "rules", map[string]string{
		"10-role.js": `function (user, context, callback) {
			context.addonConfiguration.aws.role = ROLES[require('./lib/teams').of(user)];
			callback(null, user, context);
		}`,
	})
	w.write(t, "teams.js", `exports.of = function (user) { return DEFAULT; };`)
	s := serveWatching(t, w.withRule(t, `reload: {watch: true}`, `javascript:
      folder: rules
      modules: {./lib/teams: teams.js}
      globals:
        DEFAULT: users
        ROLES: {editors: "`+service.DemoRole+`", users: "`+user+`"}`))
	wantRole := func(what, role string) {
		t.Helper()
		status, body := post(t, client(nil), s.url+"/delegation", delegationForm(w.token(nil)))
		if status != 200 || !strings.Contains(body, "assumed-role/"+role+"/") {
			t.Errorf("%s: %d %s", what, status, body)
		}
	}
	wantRole("at first", "photo-user")

	w.write(t, "teams.js", `exports.of = function (user) { return 'editors'; };`)
	s.wantReload("the module", reloaded)
	wantRole("after the change", "photo-editor")

	w.write(t, "teams.js", `exports.of = function (user) {`)
	s.wantReload("a broken module", refused)
	wantRole("with a broken module", "photo-editor")
}
