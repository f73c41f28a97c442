package delegationhttp_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/seed055b7978/delegation"
	"github.com/seed055b7978/delegation/delegationhttp"
)

// codes parses the root package's constants of type Code.
func codes(t *testing.T) (all []delegation.Code) {
	t.Helper()
	for _, name := range must(filepath.Glob("../*.go")) {
		for _, declaration := range must(parser.ParseFile(token.NewFileSet(), name, nil, 0)).Decls {
			group, ok := declaration.(*ast.GenDecl)
			if !ok || group.Tok != token.CONST {
				continue
			}
			for _, spec := range group.Specs {
				constant := spec.(*ast.ValueSpec)
				if kind, ok := constant.Type.(*ast.Ident); ok && kind.Name == "Code" {
					value := constant.Values[0].(*ast.BasicLit).Value
					all = append(all, delegation.Code(must(strconv.Unquote(value))))
				}
			}
		}
	}
	if len(all) < 70 {
		t.Fatalf("only %d codes", len(all))
	}
	return all
}

// stages reads the stage of every code from docs/errors.md.
func stages(t *testing.T) map[delegation.Code]delegation.Stage {
	t.Helper()
	of := map[delegation.Code]delegation.Stage{}
	rows := regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\| ([a-z]+) \\|")
	page := string(must(os.ReadFile("../docs/errors.md")))
	for _, row := range rows.FindAllStringSubmatch(page, -1) {
		of[delegation.Code(row[1])] = delegation.Stage(row[2])
	}
	return of
}

// kindRow is a row of the table in docs/http.md.
type kindRow struct {
	status int
	code   string
	names  []string // codes of the library, and stages if it says every
	every  bool
}

func kindTable(t *testing.T) (table []kindRow) {
	t.Helper()
	_, text, opened := strings.Cut(string(must(os.ReadFile("../docs/http.md"))), "<!-- kinds -->")
	text, _, closed := strings.Cut(text, "<!-- /kinds -->")
	quoted := regexp.MustCompile("`([a-z0-9_]+)`")
	rows := regexp.MustCompile("(?m)^\\| ([0-9]+) \\| `([a-z_]+)` \\| (.*) \\|$")
	for _, line := range rows.FindAllStringSubmatch(text, -1) {
		// Each part of a row speaks of a stage or of codes: "(every other code of the stage
		// `sts`)"; what it excepts has a row of its own.
		when, _, _ := strings.Cut(line[3], ", but for")
		row := kindRow{
			status: must(strconv.Atoi(line[1])),
			code:   line[2],
			every:  strings.Contains(when, "every "),
		}
		for _, name := range quoted.FindAllStringSubmatch(when, -1) {
			row.names = append(row.names, name[1])
		}
		table = append(table, row)
	}
	if !opened || !closed || len(table) < 15 {
		t.Fatalf("the table has %d rows", len(table))
	}
	return table
}

// TestKinds holds the answer to every error of the library against the table in docs/http.md, in
// both shapes.
func TestKinds(t *testing.T) {
	table, of, used := kindTable(t), stages(t), map[string]bool{}
	find := func(name string, every bool) (found []kindRow) {
		for _, row := range table {
			for _, n := range row.names {
				if n == name && row.every == every {
					found = append(found, row)
					used[n] = true
				}
			}
		}
		return found
	}
	for _, code := range codes(t) {
		t.Run(string(code), func(t *testing.T) {
			stage, ok := of[code]
			rows := find(string(code), false)
			if len(rows) == 0 {
				rows = find(string(stage), true)
			}
			if !ok || len(rows) != 1 {
				t.Fatalf("stage %q; rows %v, want one", stage, rows)
			}
			e := &delegation.Error{
				Stage:     stage,
				Code:      code,
				Remedy:    "canary",
				RequestID: "canary",
				Err:       delegation.Code("canary"),
			}
			description := e.Public()
			if code == delegation.CodeTokenExpired {
				description = "jwt expired"
			}
			if got := delegationhttp.StatusOf(e); got != rows[0].status {
				t.Errorf("StatusOf is %d, want %d", got, rows[0].status)
			}
			h := mount(t, delegationhttp.Config{
				Exchanger:       failing(e),
				Console:         &delegationhttp.Console{},
				ContainerTarget: app,
			})
			for path, a := range map[string]answer{
				delegationPath: ask(t, h,
					post(delegationPath, formType, form(values("token", nil)))),
				consolePath: ask(t, h,
					post(consolePath, jsonType, object(values("token", nil)))),
				credentialsPath: ask(t, h, get("", "token")),
			} {
				a.refused(t, rows[0].status, rows[0].code, description)
				if retry := a.header.Get("Retry-After"); (retry == "2") != (rows[0].status == 503) {
					t.Errorf("%s: Retry-After is %q", path, retry)
				}
			}
		})
	}
	for _, row := range table { // a name that is neither a code nor a stage would be a lie
		for _, name := range row.names {
			if _, code := of[delegation.Code(name)]; code != used[name] && !row.every {
				t.Errorf("%d %s: the row's %q was not used", row.status, row.code, name)
			}
		}
	}
	for _, stage := range []string{
		"config", "token", "target", "rules", "decision", "cache", "saml", "sts",
	} {
		if rows := find(stage, true); len(rows) != 1 {
			t.Errorf("the stage %s has %d rows", stage, len(rows))
		}
	}
}

// TestRequested: a refusal of a value that the caller chose is the caller's, whatever its code is.
func TestRequested(t *testing.T) {
	for code, stage := range map[delegation.Code]delegation.Stage{
		delegation.CodeMappingInvalid: delegation.StageDecision,
		delegation.CodeRegionInvalid:  delegation.StageDecision,
		delegation.CodeTextInvalid:    delegation.StageSAML,
	} {
		for requested, want := range map[bool][2]string{
			true:  {"access_denied", "access denied"},
			false: {"server_error", "the request could not be completed"},
		} {
			e := &delegation.Error{Stage: stage, Code: code, Requested: requested}
			h := mount(t, delegationhttp.Config{Exchanger: failing(e)})
			status := 500
			if requested {
				status = 403
			}
			a := ask(t, h, post(delegationPath, formType, form(values("token", nil))))
			a.refused(t, status, want[0], want[1])
		}
	}
}

// TestCanceledAtEveryStage: the code tells, wherever the caller went away.
func TestCanceledAtEveryStage(t *testing.T) {
	for _, stage := range []delegation.Stage{
		delegation.StageConfig, delegation.StageToken, delegation.StageTarget,
		delegation.StageRules, delegation.StageDecision, delegation.StageSAML, delegation.StageSTS,
	} {
		h := mount(t, delegationhttp.Config{
			Exchanger: failing(&delegation.Error{Stage: stage, Code: delegation.CodeCanceled}),
		})
		ask(t, h, post(delegationPath, formType, form(values("token", nil)))).
			refused(t, 503, "temporarily_unavailable", "temporarily unavailable, try again")
	}
}
