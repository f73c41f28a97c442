package main

import (
	"crypto/rand"
	_ "embed"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/rs/cors"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	loginPath = "/login"

	// maxLogin is the size of the largest login form that is read, in bytes.
	maxLogin = 4 << 10
)

// provider is an OpenID provider: the library's endpoints, and a login page.
type provider struct {
	storage *storage
	issuer  string
	page    string // origin of the page that users sign in to
	library *op.Provider
}

// newProvider makes a provider for the page of one origin.
func newProvider(issuer, page string, c *clock, logger *slog.Logger) (*provider, error) {
	s, err := newStorage(c, page+"/")
	if err != nil {
		return nil, err
	}
	config := &op.Config{
		CodeMethodS256:        true,
		GrantTypeRefreshToken: true,
		SupportedScopes:       []string{"openid", "profile", "email", "offline_access"},
	}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	library, err := op.NewProvider(config, s, op.StaticIssuer(issuer),
		op.WithAllowInsecure(), // plain http, on loopback
		op.WithLogger(logger),
		op.WithCORSOptions(&cors.Options{
			AllowedOrigins: []string{page},
			AllowedMethods: []string{http.MethodGet, http.MethodPost},
			AllowedHeaders: []string{"Authorization", "Content-Type"},
		}))
	if err != nil {
		return nil, err
	}
	return &provider{storage: s, issuer: issuer, page: page, library: library}, nil
}

// handler routes to the login page, and everything else to the library.
func (p *provider) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", p.library)
	mux.HandleFunc("GET "+loginPath, p.showLogin)
	mux.HandleFunc("POST "+loginPath, p.login)
	mux.HandleFunc("GET /login.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(loginStyle) // the browser may have disconnected
	})
	return mux
}

//go:embed login.html
var loginText string

//go:embed login.css
var loginStyle []byte

var loginPage = template.Must(template.New("login").Parse(loginText))

// loginView is what the login page shows.
type loginView struct {
	ID       string // of the sign-in; empty if it has ended
	Username string
	Problem  string
	Users    []loginUser
}

type loginUser struct {
	Name, FullName, Password, About string
}

func (p *provider) showLogin(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("id")
	if _, err := p.storage.AuthRequestByID(r.Context(), id); err != nil {
		p.answer(w, http.StatusNotFound, loginView{Problem: err.Error()})
		return
	}
	p.answer(w, http.StatusOK, loginView{ID: id})
}

// login checks a password. The ID in the form ties it to the browser that began the sign-in,
// because no other browser knows the ID.
func (p *provider) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxLogin)
	id := r.PostFormValue("id")
	name := r.PostFormValue("username")
	if _, err := p.storage.AuthRequestByID(r.Context(), id); err != nil {
		p.answer(w, http.StatusNotFound, loginView{Problem: err.Error()})
		return
	}
	u, ok := findUser(name)
	if !ok || !u.hasPassword(r.PostFormValue("password")) {
		p.answer(w, http.StatusForbidden, loginView{
			ID:       id,
			Username: name,
			Problem:  "The user name or the password is wrong.",
		})
		return
	}
	if err := p.storage.finish(id, u); err != nil {
		p.answer(w, http.StatusNotFound, loginView{Problem: err.Error()})
		return
	}
	ctx := op.ContextWithIssuer(r.Context(), p.issuer)
	http.Redirect(w, r, op.AuthCallbackURL(p.library)(ctx, id), http.StatusSeeOther)
}

// answer writes the login page. Browsers also apply form-action to redirects after the form, so it
// lists the page to which users return.
func (p *provider) answer(w http.ResponseWriter, status int, view loginView) {
	for _, u := range users {
		view.Users = append(view.Users, loginUser{u.name, u.fullName, u.password, u.about})
	}
	header := w.Header()
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src data:; "+
		"form-action 'self' "+p.page+"; base-uri 'none'; frame-ancestors 'none'")
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = loginPage.Execute(w, view) // the browser may be gone
}
