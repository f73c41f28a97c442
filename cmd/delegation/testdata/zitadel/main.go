// Command zitadel runs the example server of github.com/zitadel/oidc on loopback until standard
// input ends. Users sign in by its own login form. Its argument is the file with the users.
//
//	stdout  the issuer's URL, and then a line for each line of stdin that is done
//	stdin   "rotate": a new key replaces that of the server, at the same issuer
//
// The clients photo-app and other-app get opaque access tokens, photo-app-jwt gets JWTs.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync/atomic"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/op"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	issuer := "http://" + listener.Addr().String() + "/"
	users, err := storage.StoreFromFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"photo-app", jwtClient, "other-app"} {
		storage.RegisterClients(storage.NativeClient(id, "http://127.0.0.1/callback"))
	}

	var current atomic.Value // an http.Handler
	current.Store(newServer(issuer, users))
	go func() {
		serve := func(w http.ResponseWriter, r *http.Request) {
			current.Load().(http.Handler).ServeHTTP(w, r)
		}
		log.Fatal(http.Serve(listener, http.HandlerFunc(serve)))
	}()
	fmt.Println(issuer)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println(lines.Text()) {
		if lines.Text() != "rotate" {
			log.Fatalf("unknown command %q", lines.Text())
		}
		current.Store(newServer(issuer, users))
	}
}

// newServer returns the example server with a key and a storage of its own.
func newServer(issuer string, users storage.UserStore) http.Handler {
	silent := slog.New(slog.NewTextHandler(io.Discard, nil))
	clients := clientStorage{storage.NewStorage(users)}
	return exampleop.SetupServer(issuer, clients, silent, false)
}

// jwtClient gets access tokens that are JWTs.
const jwtClient = "photo-app-jwt"

// clientStorage changes what the example says about its clients.
type clientStorage struct{ *storage.Storage }

func (s clientStorage) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	found, err := s.Storage.GetClientByClientID(ctx, id)
	return client{found}, err
}

// client gets the claims of its scopes in the ID token: "User Info inside ID Token" in Zitadel.
type client struct{ op.Client }

func (client) IDTokenUserinfoClaimsAssertion() bool { return true }

func (c client) AccessTokenType() op.AccessTokenType {
	if c.GetID() == jwtClient {
		return op.AccessTokenTypeJWT
	}
	return c.Client.AccessTokenType()
}
